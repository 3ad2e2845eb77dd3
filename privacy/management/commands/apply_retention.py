from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand
from django.utils import timezone

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    help = "Delete what was kept as long as its schedule says; --dry-run only tells."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would go, and delete nothing"
        )

    def handle(self, *args: Any, dry_run: bool, verbosity: int, **options: Any) -> None:
        from jobs import console
        from privacy import retention

        now = timezone.now()
        for one in retention.due(now):
            period = "no limit" if one.days is None else f"{one.days} days"
            self.stdout.write(f"{one.schedule.name:<16} {period:>10} {one.n_rows or 0:>9}")
        if dry_run:
            return
        done = console.run_here(
            retention.JOB,
            {"as_of": now.isoformat()},
            unique_key=retention.JOB,
            stdout=self.stdout,
            stderr=self.stderr,
            now=now,
            clock=timezone.now,
            verbosity=verbosity,
        )
        self.stdout.write(f"{sum(done.result.values())} rows deleted.")
