from __future__ import annotations

from profiles.files.columns import CUSTOMER_NAMES
from profiles.management.people import ImportCommand
from profiles.models import Upload


class Command(ImportCommand):
    help = "Bring in customers from a file; the same file again changes nothing."
    kind = Upload.Kind.CUSTOMERS
    names = CUSTOMER_NAMES
