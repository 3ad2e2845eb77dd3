"""Train churn and value scores now, and say what they are worth."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs import console
from profiles import asking
from profiles.as_of import moment
from profiles.models import ScoreRun
from profiles.scoring import showing


class Command(BaseCommand):
    help = (
        "Train churn and value scores, judge them on the last 90 days, and use them if they"
        " foretell better than the recency rule."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as-of",
            metavar="DATE",
            help="use what happened before this moment only: 2010-10-31 (its first moment in the"
            " shop's time zone) or 2010-10-31T18:00; default: now",
        )

    def handle(self, *args: Any, as_of: str | None, verbosity: int, **options: Any) -> None:
        now = timezone.now()
        job = asking.ask_for_scores(
            now,
            as_of=moment(as_of, now=now) if as_of else None,
            way=console.here(self, clock=timezone.now, verbosity=verbosity),
        )
        if verbosity:
            runs = [ScoreRun.objects.get(pk=one["run"]) for one in job.result.values()]
            self.stdout.write("\n\n".join(map(showing.as_text, runs)))
