from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from campaigns import asking
from campaigns.models import Campaign
from jobs import console

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Launch a planned campaign and send all of its messages that are due."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("campaign", type=int, help="id of the campaign")

    def handle(self, *_args: Any, campaign: int, **options: Any) -> None:
        if not Campaign.objects.filter(pk=campaign).exists():
            raise CommandError(f"there is no campaign {campaign}")
        done = asking.ask_for_sending(
            campaign,
            timezone.now(),
            to_the_end=True,
            way=console.here(self, clock=timezone.now, verbosity=options["verbosity"]),
        )
        counts = ", ".join(f"{n} {state}" for state, n in done.result.items() if state != "status")
        self.stdout.write(f"campaign {campaign} is {done.result['status']}: {counts or 'nobody'}")
