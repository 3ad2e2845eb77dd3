"""The fairness audits of recommendations: to whom expensive or popular products are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from inference.means import Moments
from privacy import fairness_audits
from privacy.fairness import exposure, popularity
from privacy.fairness_audits import Audit, Audited
from profiles.auditing import group_of
from profiles.models import OrderLine
from recommendations.models import CustomerListing, Product, TrainingRun

# As many lists say enough of all of them; uuids are random, so the first are a fair sample.
SAMPLE = 5_000
PLACES = 10
DEAR = 2 / 3
SOLD_LATELY = timedelta(days=90)


def of_prices(attribute: str, as_of: datetime) -> list[Audited]:
    """The part of a list's attention that goes to the dearest third of the products on sale."""
    priced = Product.objects.filter(is_active=True, price_minor__isnull=False)
    ranked = list(priced.order_by("price_minor", "product_id").values_list("product_id", flat=True))
    dear = set(ranked[int(len(ranked) * DEAR) :])
    return _compared(
        _("Attention to the dearest third"),
        attribute,
        as_of,
        lambda products: exposure.share([product in dear for product in products]),
    )


def of_popularity(attribute: str, as_of: datetime) -> list[Audited]:
    """How often the products shown were bought in the last 90 days, on average."""
    lines = OrderLine.objects.countable().filter(order__placed_at__gt=as_of - SOLD_LATELY)
    sold = dict(lines.order_by().values_list("product_id").annotate(n=Count("pk")))
    return _compared(
        _("Average popularity of the products shown"),
        attribute,
        as_of,
        lambda products: popularity.average_popularity(products, sold),
    )


def _compared(
    name: str, attribute: str, as_of: datetime, value: Callable[[Sequence[str]], float]
) -> list[Audited]:
    run = TrainingRun.objects.active()
    if run is None:
        return []
    lists = (
        CustomerListing.objects.filter(run=run)
        .order_by("customer__uuid")
        .values_list(group_of(attribute, as_of, prefix="customer__"), "products")[:SAMPLE]
    )
    id_of = dict(Product.objects.values_list("pk", "product_id"))
    values: defaultdict[str, list[float]] = defaultdict(list)
    for group, products in lists:
        if products:
            values[group].append(value([id_of[key] for key in products[:PLACES] if key in id_of]))
    groups = {group: Moments.of(found) for group, found in values.items()}
    return [Audited(name, exposure.parity(groups))] if groups else []


def declare() -> None:
    fairness_audits.enter(
        Audit(
            "recommendations.prices",
            gettext_lazy("Prices of recommended products"),
            gettext_lazy("Are expensive products shown to every group alike?"),
            of_prices,
            both_ways=True,
        )
    )
    fairness_audits.enter(
        Audit(
            "recommendations.popularity",
            gettext_lazy("Popularity of recommended products"),
            gettext_lazy("Is every group shown what suits it, and not just what sells best?"),
            of_popularity,
            both_ways=True,
            is_share=False,
        )
    )
