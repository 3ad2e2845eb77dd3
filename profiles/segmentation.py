"""Segments: who is in a rule, how many, and in which words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import translation
from django.utils.translation import gettext as _

from privacy.models import Consent, ConsentEntry
from privacy.problems import DomainError
from profiles import segment_words
from profiles.features.vocabulary import AGE_BANDS, LAPSED_DAYS, Kind
from profiles.models import Customer, CustomerTraits, Order, OrderLine, Segment
from profiles.segments import compile as compiling
from profiles.segments import explain
from profiles.segments.rules import Condition, Rule, RuleError, parse
from profiles.segments.vocabulary import FIELDS, WHOLE_KINDS, Field, Source

if TYPE_CHECKING:
    from profiles.models import CustomerQuerySet

EVERYBODY: dict[str, Any] = {"combinator": "and", "not": False, "rules": []}
HIGH_VALUE_SHARE = 10  # the tenth of customers who spent most


def members(rule: Rule | dict[str, Any], as_of: datetime) -> CustomerQuerySet:
    """Return the customers a rule means, of those who may be profiled.

    `as_of` bounds purchases and age; traits and personas are as of the last
    `build_profiles`, consents as they stand. Raises DomainError (`invalid_rule`) with the
    place of the fault for a tree that is not valid.
    """
    return Customer.objects.for_purpose("profile.build").filter(condition_of(rule, as_of))


def condition_of(rule: Rule | dict[str, Any], as_of: datetime) -> Q:
    """Return the rule as a condition on `Customer`; never NULL in SQL, so it can be negated."""
    return compiling.fold(parsed(rule), _Sql(as_of))


def parsed(rule: Rule | dict[str, Any]) -> Rule:
    """Return a rule's tree parsed; raises DomainError (`invalid_rule`)."""
    if isinstance(rule, Rule):
        return rule
    try:
        return parse(rule)
    except RuleError as error:
        pointer = f"/rule{error.pointer}"
        raise DomainError("invalid_rule", error.message, pointer=pointer) from error


def unreadable(segment: Segment) -> DomainError | None:
    """Return what is wrong with a stored rule: the vocabulary may have changed under it."""
    try:
        parsed(segment.rule)
    except DomainError as error:
        return error
    return None


def count(rule: Rule | dict[str, Any], as_of: datetime) -> int:
    return members(rule, as_of).count()


def create(name: str, rule: dict[str, Any], *, now: datetime) -> Segment:
    """Store a segment with its size; raises DomainError (`invalid_rule`)."""
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
    by_revenue = CustomerTraits.objects.order_by("-revenue_minor").values_list(
        "revenue_minor", flat=True
    )
    place = CustomerTraits.objects.count() // HIGH_VALUE_SHARE
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


def describe(rule: Rule | dict[str, Any], language: str, *, currency: str = "") -> str:
    """Return the rule read back in plain words; money in `currency`, else in bare numbers."""
    with translation.override(language):
        said = explain.say(parsed(rule), segment_words.Words(language, currency))
        return _("Customers: %(rule)s.") % {"rule": said} if said else _("All customers.")


def in_words(segment: Segment, language: str, *, currency: str) -> str:
    """Return a stored rule in plain words, or what is wrong with one that is read no more."""
    if (fault := unreadable(segment)) is None:
        return describe(segment.rule, language, currency=currency)
    with translation.override(language):
        text = _("This rule can no longer be read; put it together anew. %(where)s: %(why)s")
        return text % {"where": fault.pointer, "why": fault.detail}


@dataclass(frozen=True)
class FieldCard:
    """A field as a rule builder shows it; `unit` is "days", "money", "share" or empty."""

    name: str
    label: str
    group: str
    kind: str
    unit: str
    operators: tuple[tuple[str, str], ...]
    choices: tuple[tuple[str, str], ...]
    takes_window: bool


def fields(language: str) -> list[FieldCard]:
    """Return the vocabulary with labels in `language`, in the order a form shows it."""
    with translation.override(language):
        return [_card(field) for field in FIELDS.values()]


def _card(field: Field) -> FieldCard:
    return FieldCard(
        name=field.name,
        label=segment_words.label(field.name),
        group=segment_words.group_label(field.source),
        kind=field.kind,
        unit=field.kind if field.kind in {Kind.DAYS, Kind.MONEY, Kind.SHARE} else "",
        operators=tuple((sign, segment_words.operator_label(sign)) for sign in field.operators),
        choices=tuple((value, segment_words.choice(field, value)) for value in _choices(field)),
        takes_window=field.takes_window,
    )


def _choices(field: Field) -> Sequence[str]:
    if field.kind == Kind.WEEKDAY:
        return [str(day) for day in range(7)]
    if field.kind == Kind.CONSENT:
        return segment_words.consents()
    return field.choices


def known_values(name: str, *, limit: int = 50) -> list[str]:
    """Return the most frequent values of a free-text field, to offer while a rule is written."""
    field = FIELDS[name]
    rows: QuerySet[Any]
    if field.source == Source.PURCHASE:
        column = "product_id" if field.kind == Kind.PRODUCT else "category"
        rows = OrderLine.objects.all()
    elif field.kind == Kind.TEXT:
        column = f"traits__{name}" if field.source == Source.TRAIT else name
        rows = Customer.objects.for_purpose("profile.build")
    else:
        return list(field.choices)
    counted = rows.filter(**{f"{column}__gt": ""}).values_list(column).annotate(n=Count("pk"))
    return [value for value, _n in counted.order_by("-n", column)[:limit]]


@dataclass(frozen=True)
class _Sql:
    """Conditions as `Q` on `Customer`; each is false, not NULL, where the value is unknown."""

    as_of: datetime

    def all_of(self, parts: Sequence[Q]) -> Q:
        return Q(*parts)

    def any_of(self, parts: Sequence[Q]) -> Q:
        return Q(*parts, _connector=Q.OR)

    def negate(self, part: Q) -> Q:
        # An empty Q negated is still empty, that is everybody; nobody is meant.
        return ~part if part else Q(pk__in=[])

    def condition(self, condition: Condition) -> Q:
        match condition.field.source:
            case Source.PURCHASE:
                return _signed(condition, Q(pk__in=self._buyers(condition)))
            case Source.CONSENT:
                return _signed(condition, Q(subject__in=_consenting(str(condition.value))))
            case Source.AGE:
                return self._aged(condition)
            case Source.PERSONA:
                return _compared("traits__persona__number", condition)
            case Source.TRAIT:
                return _compared(f"traits__{condition.field.name}", condition)
            case _:
                return _compared(condition.field.name, condition)

    def _buyers(self, condition: Condition) -> QuerySet[OrderLine, Any]:
        by_product = condition.field.kind == Kind.PRODUCT
        lines = OrderLine.objects.filter(
            **{"product_id" if by_product else "category": condition.value},
            order__customer__isnull=False,
            order__placed_at__lt=self.as_of,
        ).exclude(order__status=Order.Status.CANCELLED)
        if condition.within_days:
            start = self.as_of - timedelta(days=condition.within_days)
            lines = lines.filter(order__placed_at__gte=start)
        return lines.values("order__customer")

    def _aged(self, condition: Condition) -> Q:
        known = self._born(0, 150)
        if condition.operator in {"null", "notNull"}:
            return known if condition.operator == "notNull" else ~known
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        bands = self.any_of([self._born(*AGE_BANDS[str(band)]) for band in values])
        return bands if condition.operator in {"=", "in"} else known & ~bands

    def _born(self, youngest: int, oldest: int) -> Q:
        this_year = self.as_of.year
        between = (max(this_year - oldest, 0), max(this_year - youngest, 0))
        return Q(birth_year__isnull=False) & Q(birth_year__range=between)


def _signed(condition: Condition, found: Q) -> Q:
    return found if condition.operator == "=" else ~found


def _consenting(value: str) -> QuerySet[Consent, Any]:
    purpose, _colon, channel = value.partition(":")
    given = Consent.objects.filter(state=ConsentEntry.State.GIVEN)
    return given.filter(purpose=purpose, channel=channel).values("subject")


def _compared(column: str, condition: Condition) -> Q:
    known = Q(**{f"{column}__isnull": False})
    if condition.field.kind not in WHOLE_KINDS | {Kind.DECIMAL, Kind.SHARE}:
        known &= Q(**{f"{column}__gt": ""})
    value = condition.value
    match condition.operator:
        case "null":
            return ~known
        case "notNull":
            return known
        case "!=":
            return known & ~Q(**{column: value})
        case "notIn":
            return known & ~Q(**{f"{column}__in": value})
        case "notBetween":
            return known & ~Q(**{f"{column}__range": value})
        case sign:
            return known & Q(**{column + LOOKUPS[sign]: value})


LOOKUPS = {
    "=": "",
    "<": "__lt",
    "<=": "__lte",
    ">": "__gt",
    ">=": "__gte",
    "in": "__in",
    "between": "__range",
}
