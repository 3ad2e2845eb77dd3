from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import console
from privacy.problems import DomainError
from profiles import asking
from profiles.importing import preview_words, tallies, uploads
from profiles.management.mapping import add_map, columns
from profiles.models import Upload
from profiles.orders.formats import CSV, FIELDS, FORMATS, OrderOptions


class Command(BaseCommand):
    help = "Bring in the orders of a file (CSV, JSON lines, .xlsx); the same lines are added once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--format", choices=FORMATS, default=CSV)
        parser.add_argument("--currency", required=True, help="where the file has no such column")
        parser.add_argument("--timezone", required=True, help="of times without an offset")
        add_map(parser, FIELDS)
        parser.add_argument("--categories", default="", help="CSV file: product, category")
        parser.add_argument("--encoding", default="utf-8", help="for example gb18030 or cp1252")
        parser.add_argument("--date-format", default="", help="of strptime, unless ISO 8601")
        help_text = "only tell what the lines would do, row by row"
        parser.add_argument("--preview", action="store_true", help=help_text)
        parser.add_argument("--decimal-comma", action="store_true", help="1,50 is one and a half")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            upload = uploads.filed(
                options["file"].resolve(),
                Upload.Kind.ORDERS,
                OrderOptions(
                    currency=options["currency"].upper(),
                    time_zone=options["timezone"],
                    format=options["format"],
                    columns=columns(options["map"], FIELDS),
                    encoding=options["encoding"],
                    date_format=options["date_format"],
                    decimal_comma=options["decimal_comma"],
                    categories=options["categories"] and str(Path(options["categories"]).resolve()),
                ).to_json()
                | ({"preview": True} if options["preview"] else {}),
                now=timezone.now(),
            )
        except DomainError as error:
            raise CommandError(error.detail) from error
        try:
            way = console.here(self, clock=timezone.now, verbosity=options["verbosity"])
            asking.ask_for_import(upload, timezone.now(), way=way)
        finally:
            upload.refresh_from_db()
            self._report(upload)

    def _report(self, upload: Upload) -> None:
        if not upload.summary:
            return
        tally = tallies.Tally.from_json(upload.summary)
        is_preview = bool(upload.options.get("preview"))
        if not is_preview:
            self.stdout.write(tallies.text(tally))
        self.stdout.write(tallies.counts_text(tally))
        if path := upload.summary["rejects"]:
            self.stdout.write(_("Rejected rows: %(path)s") % {"path": path})
        if is_preview:
            for line in preview_words.text(upload.summary):
                self.stdout.write(line)
            return
        told = _("To take this import back: manage.py undo_import %(uuid)s")
        self.stdout.write(told % {"uuid": upload.uuid})
        if not tally.is_balanced:
            raise CommandError(_("The buckets do not add up to the file: report this as a fault."))
