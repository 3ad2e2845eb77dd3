from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone


class Command(BaseCommand):
    help = (
        "Copy the installation while it runs: DIR/data and DIR/keystore, to be kept apart. "
        "The root key is in neither."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dir", type=Path, help="a new or empty folder")
        parser.add_argument("--only", choices=["data", "keystore"], help="this part only")

    def handle(self, *args: Any, **options: Any) -> None:
        from config.keeping import backups

        parts = [options["only"]] if options["only"] else list(backups.PARTS)
        try:
            for one in backups.make(options["dir"], parts=parts, now=timezone.now()):
                self.stdout.write(
                    f"{options['dir'] / one.part}: {len(one.rows)} tables, "
                    f"{sum(one.rows.values()):,} rows, {len(one.files)} files, verified"
                )
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write("The root key is not in it: keep a copy of it somewhere else.")
