from __future__ import annotations

from profiles.files.columns import SUPPRESSION_NAMES
from profiles.management.people import ImportCommand
from profiles.models import Upload


class Command(ImportCommand):
    help = "Bring in addresses that are never to be written to; only their keyed tags are kept."
    kind = Upload.Kind.SUPPRESSIONS
    names = SUPPRESSION_NAMES
