from __future__ import annotations

from profiles.files.columns import EVENT_NAMES
from profiles.management.people import ImportCommand
from profiles.models import Upload


class Command(ImportCommand):
    help = "Bring in events from a file; the same events again add nothing."
    kind = Upload.Kind.EVENTS
    names = EVENT_NAMES
