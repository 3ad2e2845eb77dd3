from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from privacy.models import Suppression
from profiles.files.columns import CONSENT_NAMES
from profiles.management.people import ImportCommand
from profiles.models import Upload


class Command(ImportCommand):
    help = "Bring in consents from a file, each with its source, date and wording."
    kind = Upload.Kind.CONSENTS
    names = CONSENT_NAMES

    def handle(self, *args: Any, **options: Any) -> None:
        if not Suppression.objects.exists():
            self.stderr.write(_("No suppressions were brought in yet; they should come first."))
        super().handle(*args, **options)
