from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import console
from privacy.problems import DomainError
from profiles.importing import undoing
from profiles.models import Upload


class Command(BaseCommand):
    help = "Take an import back: what it added goes, what it changed is as before."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("upload", type=UUID, help="as the import printed it")

    def handle(self, *_args: Any, **options: Any) -> None:
        found = Upload.objects.filter(uuid=options["upload"]).first()
        if found is None:
            raise CommandError(_("There is no import of that number."))
        if not undoing.is_undoable(found):
            raise CommandError(
                _("That import is not over, was a preview, or is taken back already.")
            )
        way = console.here(self, clock=timezone.now, verbosity=options["verbosity"])
        try:
            undoing.ask(found, timezone.now(), way=way)
        except DomainError as error:
            raise CommandError(error.detail) from error
        found.refresh_from_db()
        told = found.summary
        if "n_retracted" in told:
            self.stdout.write(_("%(n)d entries taken back") % {"n": told["n_retracted"]})
            return
        self.stdout.write(_("%(n)d changes taken back") % {"n": told["undone"]})
        if told["kept"]:
            self.stdout.write(
                _("%(n)d kept, as something else builds on them") % {"n": told["kept"]}
            )
        if told.get("resealed"):
            self.stdout.write(undoing.resealed(told["resealed"]))
