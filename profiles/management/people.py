"""What the commands `import_customers`, `import_consents`, `import_suppressions` share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import console
from profiles import asking
from profiles.files import presets
from profiles.files.columns import Names
from profiles.files.reading import UnreadableFileError
from profiles.importing import people_files, preview_words, uploads
from profiles.management.mapping import add_map, columns
from profiles.models import Upload


class ImportCommand(BaseCommand):
    """Brings a file in as a durable job: a killed command goes on when it is called again."""

    kind: ClassVar[str]
    names: ClassVar[Names]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="CSV, JSON lines (plain or gzipped) or .xlsx")
        add_map(parser, self.names)
        if known := presets.names(self.kind):
            parser.add_argument("--format", choices=known, default="", help="of a program's export")
        help_text = "only tell what the rows would do, row by row"
        parser.add_argument("--preview", action="store_true", help=help_text)
        parser.add_argument("--encoding", default="utf-8", help="for example gb18030 or cp1252")

    def handle(self, *_args: Any, **options: Any) -> None:
        given = {"columns": columns(options["map"], self.names), "encoding": options["encoding"]}
        if options.get("format"):
            given["format"] = options["format"]
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
            self._report(upload)

    def _report(self, upload: Upload) -> None:
        summary = upload.summary
        for line in people_files.text(summary.get("counts", {})) if summary else ():
            self.stdout.write(line)
        if summary.get("rejects"):
            self.stdout.write(_("Rejected rows: %(path)s") % {"path": summary["rejects"]})
            for code, n in sorted(summary["reasons"].items(), key=lambda found: (-found[1], found)):
                self.stdout.write(f"{n:>9,}  {code}")
        for line in preview_words.text(summary):
            self.stdout.write(line)
        if summary and not upload.options.get("preview"):
            told = _("To take this import back: manage.py undo_import %(uuid)s")
            self.stdout.write(told % {"uuid": upload.uuid})
