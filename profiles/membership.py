"""Who is in a segment as of its last refresh, who entered and who left.

A refresh compares the rule with the open stays in two statements. Given the customers that
changed, it looks at these alone and at those whom the clock moved: whose purchase or event
has since left a window, reached a number of days, or waited long enough.

Marks (`changes`) tell of every change of a customer. A rule that asks for the brand of products,
which change by themselves, is refreshed in full, and so is every rule once a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from profiles import segment_rules, segmentation, trait_conditions
from profiles.bulk import learn_sizes, planned_for_many
from profiles.event_store import EVENTS
from profiles.features.vocabulary import Kind
from profiles.models import Customer, CustomerTraits, Order, Segment, SegmentMember
from profiles.segment_rules import Checked
from profiles.segment_sql import compiled, few, these
from profiles.segments.measures import spans
from profiles.segments.rules import Condition, conditions_of
from profiles.segments.vocabulary import Source

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
MOST_DAYS = 36_500
WRITTEN_AT_ONCE = 2_000
MOST_CHANGED = 100_000  # beyond it a refresh in full is as cheap


@dataclass(frozen=True)
class Moved:
    n_entered: int
    n_left: int


def refresh_all(now: datetime, *, customers: Iterable[int] | None = None) -> int:
    """Refresh every segment whose rule can be read; returns how many."""
    readable = [one for one in Segment.objects.order_by("pk") if not segmentation.unreadable(one)]
    changed = None if customers is None else list(customers)
    for segment in readable:
        refresh(segment, now=now, customers=changed)
    return len(readable)


def stays_of(customer: Customer) -> dict[int, SegmentMember]:
    """Return the customer's open stays by the key of their segment, with it."""
    stays = SegmentMember.objects.filter(customer=customer, left_at__isnull=True)
    return {stay.segment_id: stay for stay in stays.select_related("segment").order_by("pk")}


def refresh_changed(segment: Segment, *, now: datetime, changed: Collection[int]) -> Moved:
    """Bring the stays to `now` by those whom `changes` tells of, where that is enough.

    Raises DomainError (`invalid_rule`, `segment_circle`).
    """
    last = segment.refreshed_at
    is_first_today = last is None or last.date() != now.date()
    rule = segment_rules.checked(segment.rule, of=str(segment.uuid))
    is_told = not is_first_today and len(changed) <= MOST_CHANGED and _is_marked(rule)
    return refresh(segment, now=now, customers=changed if is_told else None)


def _is_marked(rule: Checked) -> bool:
    """Tell whether marks tell of all the rule asks; which brand a product is of they do not."""
    return all(
        condition.field.kind != Kind.BRAND and not condition.scope.brand
        for part in (rule.rule, *rule.rules.values())
        for condition in conditions_of(part)
    )


@planned_for_many()
def refresh(segment: Segment, *, now: datetime, customers: Iterable[int] | None = None) -> Moved:
    """Bring the stays to `now`; with `customers`, of these and of those whom the clock moved.

    Raises DomainError (`invalid_rule`, `segment_circle`).
    """
    row = Segment.objects.select_for_update().get(pk=segment.pk)
    rule = segment_rules.checked(row.rule, of=str(row.uuid))
    among = _looked_at(row, rule, customers, now)
    stays = SegmentMember.objects.filter(segment=row, left_at__isnull=True)
    if among is None:
        found = Customer.objects.for_purpose("profile.build").filter(compiled(rule, now))
        n_left = stays.exclude(customer__in=found.values("pk")).update(left_at=now)
        moved = Moved(_enter(stays, found, row, now), n_left)
        if moved.n_entered > WRITTEN_AT_ONCE:
            learn_sizes(SegmentMember)
    else:
        inside = few(rule, now, among=among)
        moved = _move(stays.filter(customer__in=these(among)), set(inside), row, now)
    Segment.objects.filter(pk=row.pk).update(refreshed_at=now, is_open_to_all=False)
    segment.refreshed_at = now
    return moved


def _looked_at(
    segment: Segment, rule: Checked, customers: Iterable[int] | None, now: datetime
) -> list[int] | None:
    """The keys of those who may have moved since the last refresh; None for anybody at all."""
    if customers is None or segment.refreshed_at is None or segment.is_open_to_all:
        return None
    if segment.refreshed_at > now:
        return None
    by_clock = crossed(rule, since=segment.refreshed_at, until=now)
    if by_clock is None:
        return None
    moved = (keys.values_list("customer", flat=True) for keys in by_clock)
    return sorted({*customers, *(key for keys in moved for key in keys.iterator())})


def _move(
    stays: QuerySet[SegmentMember], inside: set[int], segment: Segment, now: datetime
) -> Moved:
    """End and begin the stays of few: the rule was asked once, and the rest is compared here."""
    staying = dict(stays.values_list("customer", "pk"))
    ended = [pk for customer, pk in staying.items() if customer not in inside]
    n_left = SegmentMember.objects.filter(pk__in=these(ended)).update(left_at=now)
    new = sorted(inside - staying.keys())
    SegmentMember.objects.bulk_create(
        (SegmentMember(segment=segment, customer_id=pk, entered_at=now) for pk in new),
        batch_size=WRITTEN_AT_ONCE,
    )
    return Moved(len(new), n_left)


def _enter(
    staying: QuerySet[SegmentMember], found: QuerySet[Customer], segment: Segment, now: datetime
) -> int:
    new = found.exclude(pk__in=staying.values("customer")).order_by().values_list("id")
    sql, params = new.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO profiles_segmentmember (segment_id, customer_id, entered_at)"  # noqa: S608 -- Django's own statement  # nosec B608
            f" SELECT %s, found.id, %s FROM ({sql}) AS found",
            [segment.pk, connection.ops.adapt_datetimefield_value(now), *params],
        )
        return int(cursor.rowcount)


def crossed(rule: Checked, *, since: datetime, until: datetime) -> list[QuerySet[Any, Any]] | None:
    """Return who may have moved by the passing of time alone; None for anybody at all.

    A condition that looks back a number of days changes for whom something happened exactly
    that long ago: between `since` and `until`, both that number of days earlier.
    """
    wanted = [rule.rule, *rule.rules.values()]
    moved: list[QuerySet[Any, Any]] = []
    for condition in (one for part in wanted for one in conditions_of(part)):
        if condition.field.source == Source.AGE and since.year != until.year:
            return None
        moved += [
            CustomerTraits.objects.filter(**{f"{moment}__range": ends}).values("customer")
            for moment, ends in trait_conditions.crossed(condition, since, until)
        ]
        for back in _looking_back(condition):
            moved += _happened(condition, since - back, until - back)
    return moved


def _looking_back(condition: Condition) -> Iterator[timedelta]:
    """How long ago something must have happened to change the condition now."""
    if condition.field.source not in {
        Source.PURCHASE, Source.ORDERS, Source.EVENTS, Source.SEQUENCE,
    }:  # fmt: skip
        return
    yield timedelta(0)  # what was dated ahead of the last refresh
    for days in (condition.window.within_days, condition.window.before_days):
        if days:
            yield days * DAY
    if condition.within_hours:
        yield timedelta(hours=condition.within_hours)
    if condition.field.kind == Kind.DAYS and condition.value is not None:
        for first, last in spans(condition):
            yield min(first, MOST_DAYS) * DAY
            if last is not None:
                yield min(last + 1, MOST_DAYS) * DAY


def _happened(condition: Condition, after: datetime, until: datetime) -> list[QuerySet[Any, Any]]:
    """Who bought or did in that time what the condition looks at, under the name `customer`."""
    orders = Order.objects.filter(customer__isnull=False, placed_at__range=(after, until))

    def did(name: str) -> QuerySet[Any, Any]:
        return EVENTS.count_in(name, since=after, until=until + TICK).values("customer")

    match condition.field.source:
        case Source.PURCHASE | Source.ORDERS:
            return [orders.values("customer")]
        case Source.EVENTS:
            return [did(condition.scope.event)]
    return [did(condition.scope.event), did(str(condition.value)), orders.values("customer")]
