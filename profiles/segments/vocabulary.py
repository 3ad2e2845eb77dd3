"""The fields a segment's rule may name, and the operators each takes.

Rules over products (`recommendations.product_rules`) have fields of their own, of the sources
PRODUCT, TAG and SPEC, under the same grammar and the same null semantics.

Null semantics, the same in SQL and in memory: every condition is true or false, never
unknown. A comparison with a value that is not known (no traits yet, an empty city) is
false, whichever way round it is asked: `city = Paris` and `city != Paris` are both false
for a customer without a city. `null` and `notNull` ask just that. A `not` group turns
true and false round, so `not (city = Paris)` does hold for that customer. What can be
counted is always known: without an order `bought_product != X` is true and `bought_times`
is 0, and without a consent in force `consent != P` is true. Days since the first or last
purchase or event are not known where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from profiles.features.vocabulary import AGE_BANDS, TRAITS, Kind


class Source(StrEnum):
    """Where the value of a field comes from."""

    TRAIT = "trait"
    CUSTOM = "custom"
    CUSTOMER = "customer"
    AGE = "age"
    PERSONA = "persona"
    PURCHASE = "purchase"
    ORDERS = "orders"
    EVENTS = "events"
    SEQUENCE = "sequence"
    CONSENT = "consent"
    SEALED = "sealed"
    SEGMENT = "segment"
    LIST = "list"
    PRODUCT = "product"
    TAG = "tag"
    SPEC = "spec"


PRESENCE = ("null", "notNull")
NUMERIC = ("=", "!=", "<", "<=", ">", ">=", "between", "notBetween", *PRESENCE)
TEXTUAL = ("=", "!=", "in", "notIn", *PRESENCE)
MEMBERSHIP = ("=", "!=")
COUNTING = ("=", "!=", "<", "<=", ">", ">=", "between", "notBetween")
FOLLOWING = ("then", "thenNot")
GROUPING = ("=", "!=", "in", "notIn")

# What narrows the purchases or events a condition looks at, its window of days first, and
# the name of the shop's own trait that it compares.
OF_WINDOWS = ("within_days", "before_days", "from_date", "to_date")
OF_PURCHASES = ("product", "category", "brand")
OF_EVENTS = ("event", "property", "equals")
OF_CUSTOM = ("trait",)
OF_SPECS = ("spec",)
OF_SUMS = ("event", "summed", "property", "equals")
OF_SEQUENCES = ("event", "property", "equals", "within_hours")

WHOLE_KINDS = frozenset({Kind.COUNT, Kind.DAYS, Kind.HOUR, Kind.WEEKDAY, Kind.MONEY, Kind.PERSONA})
FRACTION_KINDS = frozenset({Kind.DECIMAL, Kind.SHARE})


@dataclass(frozen=True)
class Field:
    """One field of the vocabulary; `choices` is empty where any value is allowed."""

    name: str
    kind: Kind
    source: Source
    choices: tuple[str, ...] = ()

    @property
    def operators(self) -> tuple[str, ...]:
        if self.source in _OPERATORS:
            return _OPERATORS[self.source]
        if self.is_measure:
            return NUMERIC if self.kind == Kind.DAYS else COUNTING
        if self.kind in WHOLE_KINDS | FRACTION_KINDS and self.kind != Kind.PERSONA:
            return NUMERIC
        return TEXTUAL

    @property
    def is_measure(self) -> bool:
        """Tell whether it is a figure made of a customer's purchases or events."""
        return self.source in {Source.ORDERS, Source.EVENTS}

    @property
    def takes_window(self) -> bool:
        """Tell whether a window of days may stand beside the value."""
        return self.is_measure or self.source in {Source.PURCHASE, Source.SEQUENCE}

    @property
    def keys(self) -> tuple[str, ...]:
        """The further keys a condition on this field may have."""
        return OF_SUMS if self.name == "event_sum" else _KEYS.get(self.source, ())


_OPERATORS = {
    Source.PURCHASE: MEMBERSHIP,
    Source.CONSENT: MEMBERSHIP,
    Source.SEQUENCE: FOLLOWING,
    Source.SEGMENT: GROUPING,
    Source.LIST: GROUPING,
    Source.TAG: GROUPING,
}
_KEYS = {
    Source.CUSTOM: OF_CUSTOM,
    Source.ORDERS: OF_PURCHASES,
    Source.EVENTS: OF_EVENTS,
    Source.SEQUENCE: OF_SEQUENCES,
    Source.SPEC: OF_SPECS,
}

FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        *(Field(trait.name, trait.kind, Source.TRAIT) for trait in TRAITS),
        Field("custom_number", Kind.DECIMAL, Source.CUSTOM),
        Field("custom_text", Kind.TEXT, Source.CUSTOM),
        Field("bought_product", Kind.PRODUCT, Source.PURCHASE),
        Field("bought_category", Kind.CATEGORY, Source.PURCHASE),
        Field("bought_brand", Kind.BRAND, Source.PURCHASE),
        Field("bought_times", Kind.COUNT, Source.ORDERS),
        Field("bought_units", Kind.COUNT, Source.ORDERS),
        Field("bought_money", Kind.MONEY, Source.ORDERS),
        Field("bought_first_days", Kind.DAYS, Source.ORDERS),
        Field("bought_last_days", Kind.DAYS, Source.ORDERS),
        Field("event_times", Kind.COUNT, Source.EVENTS),
        Field("event_sum", Kind.DECIMAL, Source.EVENTS),
        Field("event_first_days", Kind.DAYS, Source.EVENTS),
        Field("event_last_days", Kind.DAYS, Source.EVENTS),
        Field("event_followed", Kind.EVENT, Source.SEQUENCE),
        Field("consent", Kind.CONSENT, Source.CONSENT),
        Field("persona", Kind.PERSONA, Source.PERSONA),
        Field("age_band", Kind.CHOICE, Source.AGE, tuple(AGE_BANDS)),
        Field("gender", Kind.CHOICE, Source.CUSTOMER, ("female", "male", "other")),
        Field("country", Kind.TEXT, Source.CUSTOMER),
        Field("city", Kind.TEXT, Source.CUSTOMER),
        Field("locale", Kind.TEXT, Source.CUSTOMER),
        Field("occupation", Kind.TEXT, Source.CUSTOMER),
        Field("email", Kind.SEALED, Source.SEALED),
        Field("phone", Kind.SEALED, Source.SEALED),
        Field("segment", Kind.SEGMENT, Source.SEGMENT),
        Field("list", Kind.LIST, Source.LIST),
    )
}
