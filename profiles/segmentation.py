"""Segments: who is in a rule, how many, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q, Sum
from django.utils import translation
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles import featuring, segment_rules, segment_words
from profiles.features.vocabulary import LAPSED_DAYS
from profiles.models import Customer, CustomerTraits, OrderLine, Segment
from profiles.segment_rules import Checked, Tree, checked, parsed
from profiles.segment_sql import Sql
from profiles.segments import compile as compiling
from profiles.segments import explain
from profiles.segments.rules import Rule

if TYPE_CHECKING:
    from profiles.models import CustomerQuerySet

EVERYBODY: Tree = {"combinator": "and", "not": False, "rules": []}
HIGH_VALUE_SHARE = 10  # the tenth of customers who spent most


def members(rule: Rule | Tree, as_of: datetime) -> CustomerQuerySet:
    """Return the customers a rule means, of those who may be profiled.

    `as_of` bounds purchases, events, age and days since; other traits and personas are of the last
    `build_profiles`, consents and lists as they stand. Raises DomainError (`invalid_rule`,
    `segment_circle`) with the place of the fault for a tree that is not valid.
    """
    return Customer.objects.for_purpose("profile.build").filter(condition_of(rule, as_of))


def condition_of(rule: Rule | Tree, as_of: datetime) -> Q:
    """Return the rule as a condition on `Customer`; never NULL in SQL, so it can be negated."""
    return compiled(checked(rule), as_of)


def compiled(rule: Checked, as_of: datetime) -> Q:
    return compiling.fold(rule.rule, Sql(as_of, rule.rules, featuring.currency_in_use()))


def unreadable(segment: Segment) -> DomainError | None:
    """Return what is wrong with a stored rule: the vocabulary may have changed under it."""
    try:
        checked(segment.rule, of=str(segment.uuid))
    except DomainError as error:
        return error
    return None


def count(rule: Rule | dict[str, Any], as_of: datetime) -> int:
    return members(rule, as_of).count()


def create(name: str, rule: dict[str, Any], *, now: datetime) -> Segment:
    """Store a segment with its size; raises DomainError (`invalid_rule`, `segment_circle`)."""
    rule = segment_rules.stored(rule)
    n_customers = count(rule, now)
    return Segment.objects.create(
        name=name, rule=rule, n_customers=n_customers, counted_at=now, created_at=now
    )


def recount(segment: Segment, *, now: datetime) -> int | None:
    """Count a segment anew and keep the number on it; None if its rule is read no more."""
    segment.n_customers = None if unreadable(segment) else count(segment.rule, now)
    segment.counted_at = now
    segment.save(update_fields=["n_customers", "counted_at"])
    return segment.n_customers


def create_starters(*, language: str, now: datetime) -> list[Segment]:
    """Make the segments most shops begin with, named in `language`; existing names are left.

    Those the data cannot carry (no orders, no categories) are left out.
    """
    with translation.override(language):
        wanted = {name: rule for name, rule in _starters() if rule["rules"]}
    there = set(Segment.objects.filter(name__in=wanted).values_list("name", flat=True))
    return [create(name, rule, now=now) for name, rule in wanted.items() if name not in there]


def _starters() -> Iterator[tuple[str, dict[str, Any]]]:
    yield _("Lapsed customers"), _all_of(("recency_days", ">=", LAPSED_DAYS))
    buyers = CustomerTraits.objects.of_buyers()
    by_revenue = buyers.order_by("-revenue_minor").values_list("revenue_minor", flat=True)
    place = buyers.count() // HIGH_VALUE_SHARE
    high = by_revenue[place : place + 1].first()
    yield _("High-value customers"), _all_of(*[("revenue_minor", ">=", high)] if high else [])
    lines = OrderLine.objects.exclude(category="").values("category")
    best = lines.annotate(money=Sum("total_minor")).order_by("-money", "category").first()
    name = best["category"] if best else ""
    yield (
        _("Bought from %(category)s") % {"category": name},
        _all_of(*[("bought_category", "=", name)] if name else []),
    )
    yield _("Reachable by e-mail"), _all_of(("consent", "=", "campaign.email:email"))


def _all_of(*conditions: tuple[str, str, Any]) -> dict[str, Any]:
    rules = [{"field": name, "operator": sign, "value": value} for name, sign, value in conditions]
    return {"combinator": "and", "not": False, "rules": rules}


def describe(
    rule: Rule | Tree,
    language: str,
    *,
    currency: str = "",
    names: Mapping[str, str] | None = None,
) -> str:
    """Return the rule read back in plain words; money in `currency`, else in bare numbers.

    `names` are those of the segments and lists it names, for whoever describes many rules.
    """
    read = parsed(rule)
    known = segment_rules.names([read]) if names is None else names
    with translation.override(language):
        said = explain.say(read, segment_words.Words(language, currency, known))
        return _("Customers: %(rule)s.") % {"rule": said} if said else _("All customers.")


def in_words(
    segment: Segment, language: str, *, currency: str, names: Mapping[str, str] | None = None
) -> str:
    """Return a stored rule in plain words, or what is wrong with one that is read no more."""
    try:
        return describe(segment.rule, language, currency=currency, names=names)
    except DomainError as fault:
        with translation.override(language):
            text = _("This rule can no longer be read; put it together anew. %(where)s: %(why)s")
            return text % {"where": fault.pointer, "why": fault.detail}
