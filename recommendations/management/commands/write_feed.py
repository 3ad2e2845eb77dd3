from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from recommendations.feeds import writing


class Command(BaseCommand):
    help = "Write the products on sale as a Merchant feed: RSS for .xml, else a table with tabs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--country", default="", help="whose prices, stock and links, as DE")
        parser.add_argument("--language", default="", help="of the texts, for example zh-hans")

    def handle(self, *_args: Any, file: Path, country: str, language: str, **_more: Any) -> None:
        write = writing.rss if file.suffix.lower() == ".xml" else writing.tsv
        n_lines = 0
        try:
            with file.open("w", encoding="utf-8", newline="") as out:
                for part in write(country=country.upper(), language=language.lower()):
                    out.write(part)
                    n_lines += 1
        except OSError as error:
            raise CommandError(
                _("The file %(path)s cannot be written: %(why)s.")
                % {"path": file, "why": error.strerror}
            ) from error
        n = n_lines - (2 if write is writing.rss else 1)
        self.stdout.write(_("%(n)s products") % {"n": f"{n:,}"})
