from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from jobs import console
from privacy.problems import DomainError
from recommendations import asking
from recommendations.feeds import arriving, tallies
from recommendations.models import FeedImport


class Command(BaseCommand):
    help = "Bring in a feed of products; the same file again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="Merchant TSV, RSS, Atom, CSV or JSON lines")
        parser.add_argument("--feed", default="main", help="the name it is brought in under")
        parser.add_argument("--country", default="", help="whose prices and stock it tells, as DE")
        parser.add_argument("--language", default="", help="of its texts, for example zh-hans")
        parser.add_argument("--encoding", default="utf-8", help="for example gb18030 or cp1252")
        parser.add_argument("--part", action="store_true", help="what is not in it stays as it is")
        parser.add_argument(
            "--yes",
            action="store_true",
            help="end what is not in it any more, even if that is more than half",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        now = timezone.now()
        way = console.here(self, clock=timezone.now, verbosity=options["verbosity"])
        try:
            feed = arriving.feed_named(
                options["feed"],
                now=now,
                country=options["country"],
                language=options["language"],
                encoding=options["encoding"],
                is_whole=not options["part"],
            )
            brought = arriving.filed(feed, options["file"].resolve(), now=now)
        except DomainError as error:
            raise CommandError(error.detail) from error
        try:
            asking.ask_for_feed(brought, now, way=way)
            brought.refresh_from_db()
            if brought.asks and options["yes"]:
                asking.ask_for_end(brought, timezone.now(), way=way)
        finally:
            brought.refresh_from_db()
            self._report(brought)
        if brought.asks:
            told = _(
                "%(n)s products are not in it any more: more than half of what the feed had. They "
                "stay on sale. If that is right, start the command again with --yes."
            )
            raise CommandError(told % {"n": f"{brought.n_missing:,}"})

    def _report(self, brought: FeedImport) -> None:
        for line in tallies.text(brought.summary):
            self.stdout.write(line)
