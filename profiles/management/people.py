"""What the commands `import_customers`, `import_consents`, `import_suppressions` share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import console
from profiles import asking, importing_people, uploads
from profiles.columns import Names
from profiles.management.mapping import add_map, columns
from profiles.reading import UnreadableFileError


class ImportCommand(BaseCommand):
    """Brings a file in as a durable job: a killed command goes on when it is called again."""

    kind: ClassVar[str]
    names: ClassVar[Names]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV, plain or gzipped")
        add_map(parser, self.names)
        parser.add_argument("--encoding", default="utf-8", help="for example gb18030 or cp1252")

    def handle(self, *_args: Any, **options: Any) -> None:
        given = {"columns": columns(options["map"], self.names), "encoding": options["encoding"]}
        if options.get("preview"):
            given["preview"] = True
        try:
            upload = uploads.filed(options["file"].resolve(), self.kind, given, now=timezone.now())
        except UnreadableFileError as error:
            raise CommandError(str(error)) from error
        try:
            way = console.here(self, clock=timezone.now, verbosity=options["verbosity"])
            asking.ask_for_import(upload, timezone.now(), way=way)
        finally:
            upload.refresh_from_db()
            self._report(upload.summary)

    def _report(self, summary: dict[str, Any]) -> None:
        for line in importing_people.text(summary.get("counts", {})) if summary else ():
            self.stdout.write(line)
        if summary.get("rejects"):
            self.stdout.write(_("Rejected rows: %(path)s") % {"path": summary["rejects"]})
