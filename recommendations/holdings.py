"""What recommendations hold about persons, and what erasing one does to it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from privacy import registry
from recommendations import served_lists
from recommendations.models import (
    CustomerListing,
    FairnessRules,
    Feed,
    FeedImport,
    FeedItem,
    Offer,
    Product,
    ProductChange,
    ProductListing,
    Scenario,
    ScenarioVersion,
    ServedList,
    TrainingRun,
)


def declare() -> None:
    """Enter every model of this app.

    Neighbours of products were counted over all baskets, the person's among them: they are
    made anew without the person by the next nightly training.
    """
    registry.delete(CustomerListing, "customer__subject")
    registry.nobody(Product, Offer, ProductChange, reason=_("The catalogue."))
    registry.nobody(Feed, FeedImport, FeedItem, reason=_("Where the catalogue comes from."))
    registry.nobody(FairnessRules, reason=_("The shop's rules of what may serve."))
    registry.nobody(Scenario, ScenarioVersion, reason=_("The shop's rules of what is shown where."))
    registry.nobody(
        ProductListing, TrainingRun, reason=_("Figures of many customers, made anew nightly.")
    )
    registry.nobody(ServedList, reason=_("What was offered where; events say who saw it."))
    registry.retain(
        "served_lists",
        _("Lists that were served"),
        days=served_lists.KEPT_DAYS,
        old=lambda before: ServedList.objects.filter(served_at__lt=before),
        reason=_("A season, to judge another engine by what was seen and clicked."),
    )
    registry.retain(
        "recommendations",
        _("Recommendations"),
        days=None,
        reason=_("Made anew nightly; the lists of the last three trainings are kept."),
        of=(CustomerListing,),
    )
