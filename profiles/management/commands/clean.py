from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from jobs import console
from profiles import asking, cleaning


class Command(BaseCommand):
    help = "Mark programs, impossible behaviour, test orders and outliers; nothing is deleted."

    def handle(self, *_args: Any, **options: Any) -> None:
        way = console.here(self, clock=timezone.now, verbosity=options["verbosity"])
        asking.ask_for_cleaning(timezone.now(), way=way)
        for line in cleaning.summary(cleaning.counts()):
            self.stdout.write(line)
