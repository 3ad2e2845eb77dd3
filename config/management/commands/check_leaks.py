from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError, CommandParser, call_command
from django.db import connections
from django.utils import timezone

if TYPE_CHECKING:
    from config.leaks.findings import Sweep

FOLDER = "leak-check"
SHOWN = 20
FEWEST_PAGES = 40


class Command(BaseCommand):
    help = (
        "Let made-up people live in an empty installation and look for their personal data on "
        "every page, in every answer, file, log line, table, cache and queue."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--people", type=int, default=40, help="how many made-up people")
        parser.add_argument(
            "--of-a-kind", type=int, default=8, help="how many pages of one kind each role looks at"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from config.leaks import sweeping

        is_given = bool(os.environ.get("DATABASE_URL"))
        if not is_given and settings.VAR_DIR.name != FOLDER:
            self._start_in_its_own_folder()
        for alias in connections:
            call_command("migrate", database=alias, interactive=False, verbosity=0)
        self._refuse_a_real_shop()
        found = sweeping.sweep(
            options["people"], of_a_kind=options["of_a_kind"], now=timezone.now()
        )
        n_leaks = Counter(leak.surface for leak in found.leaks)
        for surface, n in sorted(found.looked_at.items()):
            self.stdout.write(f"{surface:28} {n:8,} looked at {n_leaks[surface]:8,} leaks")
        for leak in found.leaks[:SHOWN]:
            self.stderr.write(f"LEAK {leak.surface}: {leak.place}: {leak.people[:80]}")
        if not is_given:
            connections.close_all()
            shutil.rmtree(settings.VAR_DIR)
        _judge(found)

    def _start_in_its_own_folder(self) -> None:
        # Settings are read once, so another folder means another process.
        folder = settings.VAR_DIR / FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        sys.stdout.flush()
        environ = {**os.environ, "VAR_DIR": str(folder)}
        os.execve(sys.executable, [sys.executable, *sys.argv], environ)  # noqa: S606 -- our own command line again

    def _refuse_a_real_shop(self) -> None:
        from profiles.models import Customer

        if Customer.objects.exists():
            raise CommandError(
                "There are customers here. Name an empty database in DATABASE_URL and "
                "KEYSTORE_DATABASE_URL, or unset them to use a folder of its own."
            )


def _judge(found: Sweep) -> None:
    """Raise CommandError for leaks, and for a sweep that could not have found any."""
    if found.leaks:
        raise CommandError(f"{len(found.leaks)} leaks found.")
    if found.failed:
        raise CommandError(f"{len(found.failed)} pages failed, {found.failed[0]} first.")
    if (n := found.shown["pages: administrator"]) < FEWEST_PAGES:
        raise CommandError(f"Only {n} pages were shown to an administrator: that proves nothing.")
