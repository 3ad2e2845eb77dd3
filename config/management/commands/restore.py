from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone


class Command(BaseCommand):
    help = "Put a backup in the place of this installation's data; stop all its processes before."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dir", type=Path, help="the folder that `backup` wrote")
        parser.add_argument("--only", choices=["data", "keystore"], help="this part only")
        parser.add_argument(
            "--replace", action="store_true", help="though this installation holds data"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from config.keeping import backups

        parts = [options["only"]] if options["only"] else backups.found_parts(options["dir"])
        if not parts:
            raise CommandError(f"{options['dir']} holds no backup")
        try:
            found = backups.restore(
                options["dir"], parts=parts, replace=options["replace"], now=timezone.now()
            )
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        for one in found:
            self.stdout.write(
                f"{one.part} of {one.made_at}: {sum(one.rows.values()):,} rows, as in the backup"
            )
        self.stdout.write(
            "Put the newest ledger/erasures.jsonl you have into VAR_DIR, then run: manage.py "
            "migrate; manage.py migrate --database keystore; manage.py restore_check. Campaigns "
            "that were sending are paused: what they sent since the backup looks unsent."
        )
