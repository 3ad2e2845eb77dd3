from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import asking
from campaigns.models import Campaign
from jobs import console
from profiles.as_of import moment

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Give every customer of an approved campaign's audience a message or the holdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", type=int, help="id of the campaign")
        parser.add_argument(
            "--as-of",
            default="",
            help="plan as if it were then: 2010-10-31 (its first moment in the shop's time zone)",
        )

    def handle(self, *_args: Any, campaign: int, as_of: str, **options: Any) -> None:
        if not Campaign.objects.filter(pk=campaign).exists():
            raise CommandError(f"there is no campaign {campaign}")
        now = timezone.now()
        then = moment(as_of, now=now) if as_of else now
        done = asking.ask_for_plan(
            campaign,
            now,
            as_of=then,
            way=console.here(self, clock=timezone.now, verbosity=options["verbosity"]),
        )
        counts = ", ".join(f"{n} {state}" for state, n in done.result.items() if state != "status")
        self.stdout.write(f"campaign {campaign} is {done.result['status']}: {counts or 'nobody'}")
