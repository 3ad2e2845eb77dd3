"""Several statements about one order, field by field: which one holds, whichever comes first.

A field takes the value that is stated with the most strength, of equal strength the newest, of
equally new ones the greater: what holds depends on what was said, never on when it arrived.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles.models import Order

MAX_TOTAL_MINOR: Final = 10**15


class Strength(IntEnum):
    """How a field came to be stated; a file never outdoes what a shop's server said."""

    IMPLIED = 0
    FILE = 1
    STATED = 2


@dataclass(frozen=True)
class LineState:
    """One item: `unit_price_minor` net of tax, `discount_minor` on the whole line."""

    product_id: str
    quantity: int
    unit_price_minor: int
    discount_minor: int = 0
    title: str = ""
    category: str = ""


@dataclass(frozen=True)
class RefundState:
    """Money given back; without a product it concerns the order as a whole.

    Without an amount it gives back all that is left of what it concerns. `key` is the shop's
    own id of the refund or, unless it `is_named`, one of the message that tells of it.
    """

    key: str
    refunded_at: datetime
    amount_minor: int | None = None
    product_id: str = ""
    quantity: int = 0
    is_named: bool = True


@dataclass(frozen=True)
class OrderState:
    """An order as its source states it at `stated_at`; money in minor units of `currency`.

    None, no lines and an empty `customer_id` say nothing of their field; what is `implied`
    gives way to whatever is stated. `discount_minor` is what is taken off beyond the discounts
    of the lines; it is spread over them, so that the lines add up to the order's total.
    """

    number: str
    stated_at: datetime
    placed_at: datetime
    currency: str
    lines: tuple[LineState, ...]
    customer_id: str = ""
    status: str | None = Order.Status.FULFILLED
    country: str | None = ""
    tax_minor: int | None = 0
    shipping_minor: int | None = 0
    discount_minor: int = 0
    coupon: str | None = ""
    refunds: tuple[RefundState, ...] = ()
    implied: frozenset[str] = frozenset()
    strength: Strength = Strength.STATED

    def __post_init__(self) -> None:
        """Raise DomainError `discount_absurd` or `total_absurd` for money that no order has."""
        nets = [line.quantity * line.unit_price_minor - line.discount_minor for line in self.lines]
        below = next((index for index, net in enumerate(nets) if net < 0), None)
        pointer = "/discount" if below is None else f"/lines/{below}/discount"
        if below is not None or (nets and self.discount_minor > sum(nets)):
            detail = _("A discount cannot be more than what it is taken off.")
            raise DomainError("discount_absurd", detail, pointer=pointer)
        if sum(nets) > MAX_TOTAL_MINOR:
            detail = _("The lines add up to more than an order can cost.")
            raise DomainError("total_absurd", detail, pointer="/lines")

    def stated(self) -> dict[str, Any]:
        """What the statement says, by field; of the lines a digest."""
        said = {field: getattr(self, field) for field in COLUMNS}
        said["customer"] = self.customer_id or None
        if self.lines:
            text = repr((self.lines, self.discount_minor))
            said["lines"] = hashlib.sha256(text.encode()).hexdigest()[:16]
        return {field: value for field, value in said.items() if value is not None}


COLUMNS: Final = (
    "status", "placed_at", "country", "currency", "tax_minor", "shipping_minor", "coupon",
)  # fmt: skip
FIELDS: Final = ("customer", *COLUMNS, "lines")
# What a file of orders tells of an order.
FILED: Final = frozenset({"customer", "status", "placed_at", "country", "currency", "lines"})
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Stamp(NamedTuple):
    """When and how strongly a field was stated; `text` decides between equals."""

    strength: int
    moment: datetime
    text: str


class Draft:
    """An order while statements are brought to it; `lines` is the one whose lines win.

    `former` is the key of the customer whose order it was.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.lines: OrderState | None = None
        self.former: int | None = order.customer_id
        self._held = _held(order)

    def take(self, state: OrderState, *, customers: Mapping[str, int], source_id: int) -> None:
        """Set every field in which the statement outdoes what holds; nothing is saved."""
        for field, value in state.stated().items():
            strength = Strength.IMPLIED if field in state.implied else state.strength
            stamp = Stamp(strength, state.stated_at, _text(value))
            held = self._held.get(field)
            if held is not None and _weight(field, stamp) <= _weight(field, held):
                continue
            self._held[field] = stamp
            if field == "customer":
                self.order.customer_id = customers.get(value)
            elif field == "lines":
                self.lines, self.order.source_id = state, source_id
            else:
                setattr(self.order, field, value)
        if state.strength != Strength.FILE:
            self.order.stated_at = max(self.order.stated_at or state.stated_at, state.stated_at)
        self._stamp()

    def has_lines(self) -> bool:
        return "lines" in self._held

    def _stamp(self) -> None:
        """Write the stamps down; a field without one was stated at the order's `stated_at`."""
        order = self.order
        usual = Stamp(Strength.STATED, order.stated_at or EPOCH, "")
        order.stamps = {
            field: _written(field, self._held.get(field))
            for field in FIELDS
            if field == "lines" or self._held.get(field, usual)[:2] != usual[:2]
            or field not in self._held
        }  # fmt: skip
        strengths = {self._held[field].strength for field in FILED if field in self._held}
        order.is_partial = min(strengths) < Strength.FILE or not self._held.keys() >= FILED


def _held(order: Order) -> dict[str, Stamp]:
    """The stamp of every field that is stated; what files brought in has none of its own."""
    if not order.pk:
        return {}
    held = {}
    for field in FIELDS:
        text = _text(_value(order, field))
        if field in order.stamps:
            if (written := order.stamps[field]) is not None:
                strength, moment, *digest = written
                text = digest[0] if digest else text
                held[field] = Stamp(strength, datetime.fromisoformat(moment), text)
        elif order.stated_at is not None:
            held[field] = Stamp(Strength.STATED, order.stated_at, text)
        else:
            held[field] = Stamp(Strength.FILE, order.placed_at, text)
    if order.customer_id is None:
        held.pop("customer", None)
    return held


def _value(order: Order, field: str) -> Any:
    if field == "customer":
        return order.customer.external_id if order.customer else ""
    return "" if field == "lines" else getattr(order, field)


def _written(field: str, stamp: Stamp | None) -> list[Any] | None:
    if stamp is None:
        return None
    written = [int(stamp.strength), stamp.moment.isoformat()]
    return [*written, stamp.text] if field == "lines" else written


def _text(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _weight(field: str, stamp: Stamp) -> tuple[int, int, str]:
    """Of moments at which an order is only implied to be placed, the earliest counts."""
    moment = (stamp.moment - EPOCH) // timedelta(microseconds=1)
    if field == "placed_at" and stamp.strength == Strength.IMPLIED:
        moment = -moment
    return stamp.strength, moment, stamp.text
