"""The fields a segment's rule may name, and the operators each takes.

Null semantics, the same in SQL and in memory: every condition is true or false, never
unknown. A comparison with a value that is not known (no traits yet, an empty city) is
false, whichever way round it is asked: `city = Paris` and `city != Paris` are both false
for a customer without a city. `null` and `notNull` ask just that. A `not` group turns
true and false round, so `not (city = Paris)` does hold for that customer. What can be
counted is always known: without an order `bought_product != X` is true, and without a
consent in force `consent != P` is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from profiles.features.vocabulary import AGE_BANDS, TRAITS, Kind


class Source(StrEnum):
    """Where the value of a field comes from."""

    TRAIT = "trait"
    CUSTOMER = "customer"
    AGE = "age"
    PERSONA = "persona"
    PURCHASE = "purchase"
    CONSENT = "consent"


PRESENCE = ("null", "notNull")
NUMERIC = ("=", "!=", "<", "<=", ">", ">=", "between", "notBetween", *PRESENCE)
TEXTUAL = ("=", "!=", "in", "notIn", *PRESENCE)
MEMBERSHIP = ("=", "!=")

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
        if self.source in {Source.PURCHASE, Source.CONSENT}:
            return MEMBERSHIP
        if self.kind in WHOLE_KINDS | FRACTION_KINDS and self.kind != Kind.PERSONA:
            return NUMERIC
        return TEXTUAL

    @property
    def takes_window(self) -> bool:
        """Tell whether `within_days` may stand beside the value."""
        return self.source == Source.PURCHASE


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        *(Field(trait.name, trait.kind, Source.TRAIT) for trait in TRAITS),
        Field("bought_product", Kind.PRODUCT, Source.PURCHASE),
        Field("bought_category", Kind.CATEGORY, Source.PURCHASE),
        Field("consent", Kind.CONSENT, Source.CONSENT),
        Field("persona", Kind.PERSONA, Source.PERSONA),
        Field("age_band", Kind.CHOICE, Source.AGE, tuple(AGE_BANDS)),
        Field("gender", Kind.CHOICE, Source.CUSTOMER, ("female", "male", "other")),
        Field("country", Kind.TEXT, Source.CUSTOMER),
        Field("city", Kind.TEXT, Source.CUSTOMER),
        Field("locale", Kind.TEXT, Source.CUSTOMER),
        Field("occupation", Kind.TEXT, Source.CUSTOMER),
    )
}
