"""Segments: who is in a rule, how many, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count as count_from
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import translation
from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles import changes, counting, registry, segment_rules, segment_words
from profiles.bulk import planned_for_many
from profiles.features.vocabulary import LAPSED_DAYS
from profiles.models import (
    Customer,
    CustomerTraits,
    OrderLine,
    Segment,
    SegmentSize,
    SegmentVersion,
)
from profiles.segment_rules import Tree, checked, parsed
from profiles.segment_sql import compiled, few
from profiles.segments import explain
from profiles.segments.rules import Rule

if TYPE_CHECKING:
    from profiles.models import CustomerQuerySet

EVERYBODY: Tree = {"combinator": "and", "not": False, "rules": []}
NAME_LENGTH = 100
USERS_SHOWN = 5
LONGEST_NUMBER = 6  # of " 2" and so on behind a name that is taken
HIGH_VALUE_SHARE = 10  # the tenth of customers who spent most


def members(rule: Rule | Tree, as_of: datetime) -> CustomerQuerySet:
    """Return the customers a rule means, of those who may be profiled.

    `as_of` bounds purchases, events, age and days since; other traits and personas are of the last
    `build_profiles`, consents and lists as they stand. To be evaluated `planned_for_many`. Raises
    DomainError (`invalid_rule`, `segment_circle`) with the place of the fault for a tree that is
    not valid.
    """
    return Customer.objects.for_purpose("profile.build").filter(condition_of(rule, as_of))


def of_these(keys: Sequence[int], rule: Rule | Tree, as_of: datetime) -> list[int]:
    """Return the members among a few customers, at the cost of these alone; else as `members`."""
    return few(checked(rule), as_of, among=keys)


def condition_of(rule: Rule | Tree, as_of: datetime) -> Q:
    """Return the rule as a condition on `Customer`; never NULL in SQL, so it can be negated."""
    return compiled(checked(rule), as_of)


@transaction.atomic
def delete(segment: Segment) -> None:
    """Delete a segment that nothing uses; raises DomainError `segment_in_use` with what does."""
    Segment.objects.select_for_update().get(pk=segment.pk)
    if users := registry.users_of_segments([segment.pk]):
        raise DomainError("segment_in_use", in_use(users), status=409)
    segment.delete()


def in_use(users: Sequence[str]) -> str:
    """Say what keeps a segment from being deleted."""
    shown = ", ".join(f"“{name}”" for name in users[:USERS_SHOWN])
    more = len(users) - USERS_SHOWN
    if more > 0:
        shown = _("%(shown)s and %(n)s more") % {"shown": shown, "n": more}
    return _("The segment is used by %(users)s; take it out there first.") % {"users": shown}


def unreadable(segment: Segment) -> DomainError | None:
    """Return what is wrong with a stored rule: the vocabulary may have changed under it."""
    try:
        checked(segment.rule, of=str(segment.uuid))
    except DomainError as error:
        return error
    return None


@planned_for_many()
def count(rule: Rule | dict[str, Any], as_of: datetime) -> int:
    return members(rule, as_of).count()


@transaction.atomic
def create(name: str, rule: Tree, *, now: datetime, actor: str = "") -> Segment:
    """Store a segment with its size; raises DomainError (`invalid_rule`, `segment_circle`)."""
    rule = segment_rules.stored(rule)
    checked(rule)
    segment = Segment.objects.create(name=name, rule=rule, created_at=now)
    _keep_version(segment, actor=actor, now=now)
    recount(segment, now=now)
    return segment


@transaction.atomic
def change(segment: Segment, *, name: str, rule: Tree, now: datetime, actor: str = "") -> Segment:
    """Rename a segment or give it another rule, which is its next version, and count it anew.

    Raises DomainError (`invalid_rule`, `segment_circle`).
    """
    rule = segment_rules.stored(rule)
    checked(rule, of=str(segment.uuid))
    row = Segment.objects.select_for_update().get(pk=segment.pk)
    is_other = row.rule != rule
    if is_other and not row.versions.exists():
        _keep_version(row, actor="", now=row.created_at)  # the one from before versions were kept
    segment.version = row.version + is_other
    segment.name, segment.rule = name, rule
    if is_other:
        segment.refreshed_at = None  # whoever is in by the rule before may be out by this one
    segment.save(update_fields=["name", "rule", "version", "refreshed_at"])
    if is_other:
        changes.mark_all()  # other segments may name this one
        _keep_version(segment, actor=actor, now=now)
    recount(segment, now=now)
    return segment


def restore(segment: Segment, number: int, *, now: datetime, actor: str) -> Segment:
    """Give a segment the rule of an earlier version again, as its next version.

    Raises SegmentVersion.DoesNotExist, and DomainError as `change` does.
    """
    version = segment.versions.get(number=number)
    return change(segment, name=segment.name, rule=version.rule, now=now, actor=actor)


def _keep_version(segment: Segment, *, actor: str, now: datetime) -> None:
    SegmentVersion.objects.create(
        segment=segment, number=segment.version, rule=segment.rule, made_by=actor, made_at=now
    )


def free_name(wanted: str) -> str:
    """Return a name no segment has: the one wanted, else with a number behind it, cut to fit."""
    root = wanted[: NAME_LENGTH - LONGEST_NUMBER].rstrip()
    taken = set(Segment.objects.filter(name__startswith=root).values_list("name", flat=True))
    if (whole := wanted[:NAME_LENGTH]) not in taken:
        return whole
    return next(name for n in count_from(2) if (name := f"{root} {n}") not in taken)


def recount(segment: Segment, *, now: datetime) -> int | None:
    """Count a segment anew, keep size and history; None if its rule is read no more."""
    try:
        counted = counting.size(checked(segment.rule, of=str(segment.uuid)), now)
    except DomainError:
        segment.n_customers, segment.reachable = None, {}
    else:
        segment.n_customers, segment.reachable = counted.n_customers, counted.reachable
        SegmentSize.objects.create(
            segment=segment,
            version=segment.version,
            n_customers=counted.n_customers,
            reachable=counted.reachable,
            counted_at=now,
        )
    segment.counted_at = now
    segment.save(update_fields=["n_customers", "reachable", "counted_at"])
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
    lines = OrderLine.objects.countable().exclude(category="").values("category")
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
    of: Segment | Tree, language: str, *, currency: str, names: Mapping[str, str] | None = None
) -> str:
    """Return a stored rule in plain words, or what is wrong with one that is read no more."""
    try:
        rule = of.rule if isinstance(of, Segment) else of
        return describe(rule, language, currency=currency, names=names)
    except DomainError as fault:
        with translation.override(language):
            text = _("This rule can no longer be read; put it together anew. %(where)s: %(why)s")
            return text % {"where": fault.pointer, "why": fault.detail}
