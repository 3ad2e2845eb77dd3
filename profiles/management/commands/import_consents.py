from __future__ import annotations

from typing import Any

from django.core.management import CommandParser
from django.utils.translation import gettext as _

from privacy.models import Suppression
from profiles.columns import CONSENT_NAMES
from profiles.management.people import ImportCommand
from profiles.models import Upload


class Command(ImportCommand):
    help = "Bring in consents from a CSV file, each with its source, date and wording."
    kind = Upload.Kind.CONSENTS
    names = CONSENT_NAMES

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        help_text = "only count what the rows would do"
        parser.add_argument("--preview", action="store_true", help=help_text)

    def handle(self, *args: Any, **options: Any) -> None:
        if not Suppression.objects.exists():
            self.stderr.write(_("No suppressions were brought in yet; they should come first."))
        super().handle(*args, **options)
        if not options["preview"]:
            upload = Upload.objects.filter(kind=self.kind).latest("pk")
            told = _("To take this import back: manage.py undo_consents %(uuid)s")
            self.stdout.write(told % {"uuid": upload.uuid})
