from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from jobs import console
from privacy import rotation


class Command(BaseCommand):
    help = (
        "Replace keys while the installation runs: of an epoch (wraps people's keys anew), of "
        "people (seals every value anew) or of the blind indexes. A killed run goes on with the "
        "same command."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=sorted(rotation.KINDS))

    def handle(self, *args: Any, what: str, verbosity: int, **options: Any) -> None:
        way = console.here(self, clock=timezone.now, verbosity=verbosity)
        job = rotation.ask_for(what, timezone.now(), way=way)
        n_done, n_old = job.result["n_done"], job.result["n_old"]
        self.stdout.write(f"{n_done} rows done, {n_old} rows on the old key")
        if n_old:
            raise CommandError(
                "Some values do not open, or another row has them too; the old key stays. "
                "Put those right and start this command again."
            )
