from __future__ import annotations

from typing import Any

from django.core.management import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from campaigns import attribution
from campaigns.models import Campaign


class Command(BaseCommand):
    help = (
        "Deal a campaign's customers into its arms anew, many times, and print how often the "
        "report calls an effect where there is none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--campaign", required=True, help="the campaign's name; planned")
        parser.add_argument("--salts", type=int, default=200, help="how many deals (200)")

    def handle(self, *args: Any, campaign: str, salts: int, **options: Any) -> None:
        from campaigns import false_calls

        found = Campaign.objects.filter(name=campaign).first()
        if found is None or not found.deliveries.exists():
            raise CommandError(f"--campaign: no campaign {campaign!r} with planned customers")
        if salts < 1 or found.holdout_ppm == 0:
            raise CommandError("--salts must be at least 1, and the campaign needs a holdout")
        now = timezone.now()
        attribution.attribute(found, now)
        calls = false_calls.count(found, now, salts=salts)
        self.stdout.write(
            f"{calls.n_customers} customers, {calls.n_buyers} of them bought, "
            f"{found.holdout_ppm / 10_000:g} % held out, {calls.n_deals} deals"
        )
        for code, n in calls.codes.most_common():
            self.stdout.write(f"{code:16} {n:5}")
        for what, n in (
            ("false verdicts", calls.n_false),
            ("buyers alone", calls.buyers),
            ("money alone", calls.net),
            ("money by Welch", calls.welch),
        ):
            self.stdout.write(f"{what:16} {n:5} {n / calls.n_deals:7.1%}")
