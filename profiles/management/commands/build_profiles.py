"""Build traits and personas now, and print who the customers are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone, translation

from jobs import console
from profiles import asking, personas
from profiles.as_of import moment
from profiles.models import ClusteringRun


class Command(BaseCommand):
    help = "Build customers' traits from their orders and events, then clusters and personas."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as-of",
            metavar="DATE",
            help="use what happened before this moment only: 2010-10-31 (its first moment in the"
            " shop's time zone) or 2010-10-31T18:00; default: now",
        )
        parser.add_argument(
            "--everybody",
            action="store_true",
            help="make everybody's traits anew, not only those of changed customers",
        )
        parser.add_argument("--language", default="", help="of the personas: en or zh-hans")

    def handle(
        self,
        *args: Any,
        as_of: str | None,
        everybody: bool,
        language: str,
        verbosity: int,
        **options: Any,
    ) -> None:
        now = timezone.now()
        job = asking.ask_for_build(
            now,
            as_of=moment(as_of, now=now) if as_of else None,
            everybody=everybody,
            way=console.here(self, clock=timezone.now, verbosity=verbosity),
        )
        if verbosity:
            run = ClusteringRun.objects.get(pk=job.result["run"])
            chosen = language or translation.get_language()
            self.stdout.write(personas.as_text(run, chosen))
