from __future__ import annotations

import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = (
        "Copy this SQLite installation to empty PostgreSQL databases; a killed move goes on with "
        "the same command, and nothing of the source is changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("database_url", help="postgresql://… for the data")
        parser.add_argument("--keystore-url", required=True, help="postgresql://… for the keys")
        parser.add_argument(
            "--fresh", action="store_true", help="give up a move that was begun, and begin anew"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from config.keeping import moving
        from config.keeping.moving import MoveError

        urls = {"default": options["database_url"], "keystore": options["keystore_url"]}
        try:
            if options["fresh"]:
                moving.forget(urls)
            self._move(urls, quiet=options["verbosity"] == 0 or not sys.stderr.isatty())
        except (MoveError, ImproperlyConfigured, psycopg.Error, sqlite3.Error, OSError) as error:
            raise CommandError(str(error)) from error

    def _move(self, urls: dict[str, str], *, quiet: bool) -> None:
        from config.keeping import moving

        brought: Counter[str] = Counter()

        def report(table: str, n: int) -> None:
            brought[table] += n
            if not quiet:
                self.stderr.write(f"\r  {table} {brought[table]:,}\033[K", ending="")

        changed: list[str] = []
        n_rows = 0
        for number, one in enumerate(moving.move(urls, report=report)):
            if number == 0:
                folder = Path(settings.VAR_DIR) / "moving"
                changed = [
                    t for alias in moving.ALIASES for t in moving.changed_meanwhile(folder, alias)
                ]
            self.stdout.write(f"{one.n:>12,}  {one.digest}  {one.table}")
            n_rows += one.n
        self.stdout.write(f"{n_rows:>12,}  rows, the same here and there")
        if changed:
            self.stdout.write(
                f"Since the copy was made, the source got other rows in {', '.join(changed)}: stop "
                "it and move once more into empty databases."
            )
        self.stdout.write(
            "Set APP_ENV=production, DATABASE_URL and KEYSTORE_DATABASE_URL to the new databases "
            "and keep VAR_DIR: the root key and the sealed files stand there."
        )
