"""Train the recommender now, and say what it is worth."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs import console
from profiles.as_of import moment
from recommendations import asking, evenness
from recommendations.models import TrainingRun


class Command(BaseCommand):
    help = (
        "Train recommendations from the orders, judge them on the last 28 days, and serve them"
        " if they are better than what is popular."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--as-of",
            metavar="DATE",
            help="use orders before this moment only: 2010-10-31 (its first moment in the shop's"
            " time zone) or 2010-10-31T18:00; default: now",
        )

    def handle(self, *args: Any, as_of: str | None, verbosity: int, **options: Any) -> None:
        now = timezone.now()
        job = asking.ask_for_training(
            now,
            as_of=moment(as_of, now=now) if as_of else None,
            way=console.here(self, clock=timezone.now, verbosity=verbosity),
        )
        if verbosity:
            self.stdout.write("\n".join(_card(TrainingRun.objects.get(pk=job.result["run"]))))


def _card(run: TrainingRun) -> list[str]:
    lines = [
        f"Run {run.pk}: {run.n_customers} customers, {run.n_guest_baskets} guest baskets",
        f"{run.n_products} products, {run.n_interactions} purchases",
    ]
    for name in run.metrics:
        ours, popular = run.metrics[name], run.baseline_metrics[name]
        lines.append(f"{name:12} {_figure(ours)}   28-day popularity {_figure(popular)}")
    if run.metrics:
        lines.append(
            f"difference in nDCG@10 from 28-day popularity {_figure(run.comparison['ndcg@10'])}"
        )
        lines.append(f"  from item-based    {_figure(run.comparison['item_based'])}")
    for kind, rows in run.fairness.get("quality", {}).items():
        told = [row for row in rows if row["ratio"]]
        if told:  # the lowest comes first
            low = told[0]
            group = evenness.group_words(kind, low["group"])
            lines.append(
                f"lowest nDCG@10 by {kind}: {group} ({low['n']} people), "
                f"{_figure(low['ratio'])} times everybody else's"
            )
    held_back = evenness.beyond(run)
    serves = "serving" if run.is_active else "held back" if held_back else "popular serves"
    lines += [f"{run.get_verdict_display()}; {serves}", *map(str, held_back)]
    lines.append(f"{run.cpu_seconds:.1f} CPU seconds, {run.peak_rss_mb:.0f} MB peak")
    return lines


def _figure(metric: dict[str, float]) -> str:
    interval = f" ({metric['low']:.4f} to {metric['high']:.4f})" if "low" in metric else ""
    return f"{metric['value']:.4f}{interval}"
