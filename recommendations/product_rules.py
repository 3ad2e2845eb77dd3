"""Rules over products: which ones a placement keeps, takes away, or moves up and down.

A list of `{"effect": "keep" | "drop" | "boost", "factor": 2, "when": {tree}}`; the tree has the
form and the grammar of a segment's rule, with the fields below. What is not known of a product
makes its condition false, whichever way round it is asked; texts are compared without regard
to case. Pure: nothing is read but the product given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from profiles.features.vocabulary import Kind
from profiles.segments.compile import fold
from profiles.segments.evaluate import COMPARE
from profiles.segments.rules import Condition, Rule, RuleError, Scalar, parse
from profiles.segments.vocabulary import Field, Source

if TYPE_CHECKING:
    from datetime import datetime

    from recommendations.models import Product

MAX_RULES: Final = 20
LEAST_FACTOR: Final = 0.1
MOST_FACTOR: Final = 10.0
KEYS: Final = ("effect", "factor", "when")
CONDITIONS: Final = ("new", "refurbished", "used")
AVAILABILITIES: Final = ("in_stock", "out_of_stock", "preorder", "backorder")
NUMBER: Final = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)")
# What the fields below read of a product; a shelf for them holds these columns.
COLUMNS: Final = (
    "brand", "family", "tags", "condition", "availability", "stock", "specs",
    "list_price_minor", "cost_minor", "created_at",
)  # fmt: skip


class Effect(StrEnum):
    KEEP = "keep"
    DROP = "drop"
    BOOST = "boost"


FIELDS: Final[dict[str, Field]] = {
    one.name: one
    for one in (
        Field("brand", Kind.TEXT, Source.PRODUCT),
        Field("category", Kind.TEXT, Source.PRODUCT),
        Field("product", Kind.TEXT, Source.PRODUCT),
        Field("family", Kind.TEXT, Source.PRODUCT),
        Field("tag", Kind.TEXT, Source.TAG),
        Field("condition", Kind.CHOICE, Source.PRODUCT, CONDITIONS),
        Field("price", Kind.MONEY, Source.PRODUCT),
        Field("list_price", Kind.MONEY, Source.PRODUCT),
        Field("discount", Kind.SHARE, Source.PRODUCT),
        Field("margin", Kind.SHARE, Source.PRODUCT),
        Field("stock", Kind.COUNT, Source.PRODUCT),
        Field("availability", Kind.CHOICE, Source.PRODUCT, AVAILABILITIES),
        Field("age_days", Kind.DAYS, Source.PRODUCT),
        Field("spec_number", Kind.DECIMAL, Source.SPEC),
        Field("spec_text", Kind.TEXT, Source.SPEC),
    )
}


@dataclass(frozen=True)
class ProductRule:
    """What happens to the products of which `when` is true; only a boost has a factor."""

    effect: Effect
    when: Rule
    factor: float = 1.0


def parsed(told: object) -> tuple[ProductRule, ...]:
    """Return the rules a decoded JSON list means; raises RuleError naming place and fix."""
    if not isinstance(told, list):
        raise RuleError("", "a list of rules is expected")
    if len(told) > MAX_RULES:
        raise RuleError("", f"{len(told)} rules are too many; at most {MAX_RULES} are allowed")
    return tuple(_rule(one, f"/{n}") for n, one in enumerate(told))


def _rule(told: object, pointer: str) -> ProductRule:
    if not isinstance(told, Mapping):
        raise RuleError(pointer, f"an object with {', '.join(KEYS)} is expected")
    if strange := sorted(map(str, told.keys() - set(KEYS))):
        raise RuleError(pointer, f"the key {strange[0][:60]!r} is not known")
    if told.get("effect") not in set(Effect):
        raise RuleError(f"{pointer}/effect", f"one of {', '.join(Effect)} is expected")
    effect = Effect(told["effect"])
    try:
        when = parse(told.get("when"), FIELDS)
    except RuleError as error:
        raise RuleError(f"{pointer}/when{error.pointer}", error.message) from error
    if not when.parts:
        detail = "no condition stands here: add one or remove the rule"
        raise RuleError(f"{pointer}/when/rules", detail)
    factor = _factor(told.get("factor"), f"{pointer}/factor") if effect == Effect.BOOST else 1.0
    return ProductRule(effect, when, factor)


def _factor(told: object, pointer: str) -> float:
    try:
        factor = math.nan if isinstance(told, bool) else float(str(told)[:40])
    except ValueError:
        raise RuleError(pointer, "a number is expected") from None
    if not (math.isfinite(factor) and LEAST_FACTOR <= factor <= MOST_FACTOR):
        raise RuleError(pointer, f"a factor from {LEAST_FACTOR} to {MOST_FACTOR:.0f} is expected")
    return factor


@dataclass
class Ruling:
    """The rules of a placement at a moment; each product is judged once."""

    rules: Sequence[ProductRule]
    now: datetime
    _judged: dict[str, tuple[int | None, float]] = field(default_factory=dict)

    @property
    def lifts(self) -> bool:
        return any(rule.effect == Effect.BOOST for rule in self.rules)

    def takes_away(self, product: Product) -> int | None:
        """Which rule, counted from 0, speaks against a product; None if none does."""
        return self._verdict(product)[0] if self.rules else None

    def factor(self, product: Product) -> float:
        """What its score is multiplied by: all boosts that hold for it, within the bounds of one."""
        return self._verdict(product)[1] if self.rules else 1.0

    def holds_for(self, product: Product) -> list[bool]:
        """Of which rules the condition holds."""
        truth = _Truth(product, self.now)
        return [fold(rule.when, truth) for rule in self.rules]

    def _verdict(self, product: Product) -> tuple[int | None, float]:
        if product.product_id not in self._judged:
            self._judged[product.product_id] = self._judge(product)
        return self._judged[product.product_id]

    def _judge(self, product: Product) -> tuple[int | None, float]:
        taken, factor = None, 1.0
        for n, (rule, holds) in enumerate(zip(self.rules, self.holds_for(product), strict=True)):
            if rule.effect == Effect.BOOST:
                factor *= rule.factor if holds else 1.0
            elif taken is None and holds != (rule.effect == Effect.KEEP):
                taken = n
        return taken, min(max(factor, LEAST_FACTOR), MOST_FACTOR)


@dataclass(frozen=True)
class _Truth:
    """The algebra of true and false for one product."""

    product: Product
    now: datetime

    def all_of(self, parts: Sequence[bool]) -> bool:
        return all(parts)

    def any_of(self, parts: Sequence[bool]) -> bool:
        return any(parts)

    def negate(self, part: bool) -> bool:  # noqa: FBT001 -- the value of the algebra
        return not part

    def condition(self, condition: Condition) -> bool:
        known = [one for one in self._known(condition) if one is not None and one != ""]
        match condition.operator:
            case "null" | "notNull":
                return bool(known) == (condition.operator == "notNull")
        wanted = _folded(condition.value)
        compare = COMPARE[condition.operator]
        if condition.operator in {"!=", "notIn"}:
            is_known = bool(known) or condition.field.source == Source.TAG
            return is_known and all(compare(_folded(one), wanted) for one in known)
        return any(compare(_folded(one), wanted) for one in known)

    def _known(self, condition: Condition) -> Sequence[Scalar | None]:
        match condition.field.source:
            case Source.TAG:
                return self.product.tags if isinstance(self.product.tags, list) else []
            case Source.SPEC:
                return _spec(self.product.specs, condition)
        return [_VALUES[condition.field.name](self.product, self.now)]


def _folded(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_folded, value))
    return value.strip().casefold() if isinstance(value, str) else value


def _spec(specs: Any, condition: Condition) -> list[Scalar]:
    """A specification's value or values; "65 W" is the number 65."""
    told = specs.get(condition.scope.spec) if isinstance(specs, dict) else None
    values = told if isinstance(told, list) else [told]
    if condition.field.kind == Kind.TEXT:
        return [_text(one) for one in values if isinstance(one, str | int | float)]
    return [number for one in values if (number := _number(one)) is not None]


def _text(value: str | float) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _number(value: object) -> float | None:
    if isinstance(value, str) and (found := NUMBER.match(value)):
        return float(found[1])
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def _share(part: int | None, whole: int | None) -> float | None:
    """The share by which `part` is below `whole`."""
    return None if part is None or not whole else (whole - part) / whole


def _discount(product: Product, _now: datetime) -> float | None:
    """How much the price is reduced; 0 of a product with a price that is not."""
    price = product.price_minor
    reduced = _share(price, product.list_price_minor)
    return 0.0 if reduced is None and price is not None else reduced


def _availability(product: Product, _now: datetime) -> str:
    if product.availability or product.stock is None:
        return product.availability
    return "in_stock" if product.stock else "out_of_stock"


_VALUES: Final[dict[str, Callable[[Product, datetime], Scalar | None]]] = {
    "brand": lambda product, _now: product.brand,
    "category": lambda product, _now: product.category,
    "product": lambda product, _now: product.product_id,
    "family": lambda product, _now: product.family,
    "condition": lambda product, _now: product.condition,
    "price": lambda product, _now: product.price_minor,
    "list_price": lambda product, _now: product.list_price_minor,
    "discount": _discount,
    "margin": lambda product, _now: _share(product.cost_minor, product.price_minor),
    "stock": lambda product, _now: product.stock,
    "availability": _availability,
    "age_days": lambda product, now: (now - product.created_at).days,
}
