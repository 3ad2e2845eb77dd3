"""What the customers of each persona buy most, counted once at the build."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.db.models import Count, Max, Sum

from profiles.features.attributes import cohens_h
from profiles.features.facts import SMALL_CELL
from profiles.models import ClusteringRun, OrderLine

TOP = 5


def top_products(run: ClusteringRun) -> dict[int, list[dict[str, Any]]]:
    """Return for each persona of the run, by its key in the database, its top products.

    They are those with the most money that at least ten of its customers bought; each with
    the share of the persona and of everybody who bought it. One statement for all of them.
    """
    lines = OrderLine.objects.countable().filter(
        order__customer__traits__persona__run=run,
        order__placed_at__lt=run.as_of,
        order__currency=run.currency,
    )
    grouped: Any = (
        lines.order_by()
        .values("product_id", "order__customer__traits__persona")
        .annotate(
            n=Count("order__customer", distinct=True), money=Sum("total_minor"), title=Max("title")
        )
    )
    by_persona: dict[int, list[dict[str, Any]]] = defaultdict(list)
    buyers: dict[str, int] = defaultdict(int)
    for row in grouped:
        by_persona[row["order__customer__traits__persona"]].append(row)
        buyers[row["product_id"]] += row["n"]
    sizes = dict(run.personas.values_list("pk", "n_customers"))
    return {
        persona: [
            _told(row, n, buyers[row["product_id"]], run) for row in _most(by_persona[persona])
        ]
        for persona, n in sizes.items()
    }


def _most(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    many = [row for row in rows if row["n"] >= SMALL_CELL]
    return sorted(many, key=lambda row: (-row["money"], row["product_id"]))[:TOP]


def _told(row: dict[str, Any], n_members: int, n_buyers: int, run: ClusteringRun) -> dict[str, Any]:
    share, everyone = row["n"] / n_members, n_buyers / run.n_customers
    return {
        "product_id": row["product_id"],
        "title": row["title"],
        "n": row["n"],
        "share": round(share, 4),
        "everyone": round(everyone, 4),
        "effect": round(cohens_h(share, everyone), 4),
    }
