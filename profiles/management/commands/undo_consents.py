from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import console
from profiles import asking
from profiles.models import Upload


class Command(BaseCommand):
    help = "Take an import of consents back: each entry gets one that retracts it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("upload", type=UUID, help="as import_consents printed it")

    def handle(self, *_args: Any, **options: Any) -> None:
        found = Upload.objects.filter(uuid=options["upload"], kind=Upload.Kind.CONSENTS).first()
        if found is None:
            raise CommandError(_("There is no import of consents of that number."))
        way = console.here(self, clock=timezone.now, verbosity=options["verbosity"])
        asking.ask_for_undo(found, timezone.now(), way=way)
        found.refresh_from_db()
        n_retracted = found.summary.get("n_retracted", 0)
        self.stdout.write(_("%(n)d entries taken back") % {"n": n_retracted})
