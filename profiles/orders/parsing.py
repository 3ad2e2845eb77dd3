"""One row of an order file to a line we can keep, to set aside with a reason, or to reject."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from privacy import finder, moments
from profiles import money
from profiles.identity import telling
from profiles.models import Order, StagedLine
from profiles.orders.formats import OrderOptions

MAX_QUANTITY = 1_000_000
MAX_PRICE = Decimal(100_000_000)
MAX_TEXT, MAX_TITLE, MAX_COUNTRY = 100, 200, 60
MAX_PRICE_TEXT = 20
REMEMBERED = 100_000

CANCELLED = Order.Status.CANCELLED.value
SALE, REFUND = StagedLine.Kind.SALE.value, StagedLine.Kind.REFUND.value
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
STATUSES = {
    "": Order.Status.FULFILLED,
    "placed": Order.Status.PLACED,
    "pending": Order.Status.PLACED,
    "paid": Order.Status.PAID,
    "processing": Order.Status.PAID,
    "fulfilled": Order.Status.FULFILLED,
    "shipped": Order.Status.FULFILLED,
    "delivered": Order.Status.FULFILLED,
    "complete": Order.Status.FULFILLED,
    "completed": Order.Status.FULFILLED,
    "cancelled": Order.Status.CANCELLED,
    "canceled": Order.Status.CANCELLED,
}


class RejectedError(Exception):
    """A row that cannot be kept; `amount` is (currency, minor units) where it could be read."""

    def __init__(self, code: str, amount: tuple[str, int] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.amount = amount


class Line(NamedTuple):
    """A line to keep; the columns of `StagedLine` behind the upload and the line number."""

    kind: str
    number: str
    customer: str
    product: str
    title: str
    category: str
    quantity: int
    price: str
    unit_price_minor: int
    discount_minor: int
    total_minor: int
    currency: str
    placed_at: Any
    country: str
    status: str


class SetAside(NamedTuple):
    """A line that is no sale of goods: why, and its signed amount."""

    reason: str
    currency: str
    total_minor: int


class Price(NamedTuple):
    """A unit price: as written without needless zeros, and rounded to minor units."""

    text: str
    value: Decimal
    sign: int
    minor: int
    is_whole: bool
    currency: str

    def times(self, quantity: int) -> int:
        """Return the amount of a line in minor units, rounded half to even once, at the line."""
        return money.to_minor(self.value * quantity, self.currency)

    def rounding(self, quantity: int) -> Decimal:
        """Return by how much a line as written is more than its amount in minor units."""
        exact = self.value * quantity
        return exact - money.from_minor(money.to_minor(exact, self.currency), self.currency)


class _Places(NamedTuple):
    """Where in a row each field stands."""

    order: int
    product: int
    quantity: int
    price: int
    placed_at: int
    customer: int
    title: int
    category: int
    discount: int
    currency: int
    country: int
    status: int


class Memo(dict[str, Any]):
    """Remembers what a text means; shops repeat themselves, so most rows parse nothing."""

    def __init__(self, meaning: Callable[[str], Any]) -> None:
        super().__init__()
        self._meaning = meaning

    def __missing__(self, text: str) -> Any:
        if len(self) >= REMEMBERED:
            self.clear()
        found = self[text] = self._meaning(text)
        return found


class LineParser:
    """Turns rows of one file into lines; counts what the file holds as it goes.

    `index` maps column names to places in a row. `adapt` makes an aware datetime what the
    database takes. Times later than `now` are rejected. `rounding` is by how much the amounts
    as written are more than those rounded at the line, in units of each currency. Personal
    data in titles, categories and countries is masked; `n_masked` counts such cells.
    """

    def __init__(
        self,
        options: OrderOptions,
        index: Mapping[str, int],
        *,
        now: datetime,
        adapt: Callable[[datetime], Any],
        categories: Mapping[str, str],
    ) -> None:
        self._format = options.order_format()
        self._now = now
        self._adapt = adapt
        self._categories = categories
        self._date_format = options.date_format
        self._decimal_comma = options.decimal_comma
        self._zone = ZoneInfo(options.time_zone)
        self._currency = options.currency
        # A field without a column reads the blank that `parse` puts behind the row.
        columns = self._format.columns
        self._at = _Places(
            **{name: index.get(columns.get(name, ""), -1) for name in _Places._fields}
        )
        self._numbers = Memo(self._order_number)
        self._products = Memo(self._product)
        self._customers = Memo(_customer)
        self._statuses = Memo(_status)
        self._quantities = Memo(self._quantity)
        self._prices = Memo(lambda currency: Memo(lambda text: self._price(text, currency)))
        self._discounts = Memo(lambda currency: Memo(lambda text: self._discount(text, currency)))
        self._moments = Memo(self._moment)
        self._titles = Memo(lambda text: self._free(text)[:MAX_TITLE])
        self._category_texts = Memo(lambda text: self._free(text)[:MAX_TEXT])
        self._countries = Memo(lambda text: self._free(text)[:MAX_COUNTRY])
        self.rounding: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.n_cancellations = 0
        self.n_without_customer = 0
        self.n_masked = 0
        self._masked: set[str] = set()

    def parse(self, row: list[str]) -> Line | SetAside:
        """Return the line of a row. Raises RejectedError with a code."""
        row.append("")
        at = self._at
        currency = row[at.currency].strip().upper() or self._currency
        quantity: int = self._quantities[row[at.quantity]]
        price: Price = self._prices[currency][row[at.price]]
        discount: int = self._discounts[currency][row[at.discount]]
        if price.is_whole:
            total = price.minor * quantity - discount
        else:
            total = price.times(quantity) - discount
            self.rounding[currency] += price.rounding(quantity)
        try:
            return self._judged(row, quantity, price, discount, total)
        except RejectedError as error:
            raise RejectedError(error.code, (currency, total)) from None

    def _judged(
        self, row: list[str], quantity: int, price: Price, discount: int, total: int
    ) -> Line | SetAside:
        at = self._at
        number, is_refund, number_fault = self._numbers[row[at.order]]
        product, category, reason, product_fault = self._products[row[at.product]]
        customer, customer_fault = self._customers[row[at.customer]]
        status, status_fault = self._statuses[row[at.status]]
        is_refund = is_refund or quantity < 0
        self.n_cancellations += is_refund and price.sign != 0
        self.n_without_customer += not customer
        if reason := reason or _no_sale(quantity, price, customer, status):
            return SetAside(reason, price.currency, total)
        fault = (
            number_fault
            or product_fault
            or customer_fault
            or status_fault
            or _money_fault(quantity, price, discount, total, is_refund=is_refund)
        )
        if fault:
            raise RejectedError(fault)
        found_category = category or self._category_texts[row[at.category]]
        title = self._titles[row[at.title]]
        if self._masked:
            self.n_masked += sum(
                row[place] in self._masked for place in (at.title, at.category, at.country)
            )
        # In the order of the fields: naming all fifteen takes a quarter of the parser's time.
        return Line(
            REFUND if is_refund else SALE,
            number,
            customer,
            product,
            title,
            found_category,
            abs(quantity),
            price.text,
            price.minor,
            discount,
            total,
            price.currency,
            self._moments[row[at.placed_at]],
            self._countries[row[at.country]],
            status,
        )

    def _order_number(self, text: str) -> tuple[str, bool, str]:
        """Return the order number, whether it is that of a refund, and what is wrong with it."""
        text, prefix = text.strip(), self._format.refund_prefix
        fault = _id_fault(text) if text else "order_missing"
        return text, bool(prefix) and text.startswith(prefix), fault

    def _product(self, text: str) -> tuple[str, str, str, str]:
        """Return the product's id, its category, why it is no goods, and what is wrong with it."""
        text = text.strip()
        if self._format.upper_products:
            text = text.upper()
        fault = _id_fault(text) if text else "product_missing"
        return text, self._categories.get(text, ""), self._format.reason(text), fault

    def _free(self, text: str) -> str:
        """Return what people wrote, without personal data."""
        if not finder.holds(text):
            return text.strip()
        self._masked.add(text)
        return finder.redact(text).strip()

    def _number(self, text: str) -> Decimal | None:
        text = text.strip()
        if self._decimal_comma:
            text = text.replace(",", ".")
        return Decimal(text) if NUMBER.fullmatch(text) else None

    def _quantity(self, text: str) -> int:
        number = self._number(text)
        if number is None or number != int(number):
            raise RejectedError("quantity_unreadable")
        if abs(number) > MAX_QUANTITY:
            raise RejectedError("quantity_absurd")
        return int(number)

    def _price(self, text: str, currency: str) -> Price:
        value = self._number(text)
        if value is None:
            raise RejectedError("price_unreadable")
        if abs(value) > MAX_PRICE or len(text) > MAX_PRICE_TEXT:
            raise RejectedError("price_absurd")
        try:
            minor = money.to_minor(value, currency)
        except money.UnknownCurrencyError as error:
            raise RejectedError(error.code) from None
        is_whole = money.from_minor(minor, currency) == value
        sign = (value > 0) - (value < 0)
        return Price(f"{value.normalize():f}", value, sign, minor, is_whole, currency)

    def _discount(self, text: str, currency: str) -> int:
        value = self._number(text or "0")
        if value is None:
            raise RejectedError("discount_unreadable")
        if abs(value) > MAX_PRICE:
            raise RejectedError("discount_absurd")
        return money.to_minor(value, currency)

    def _moment(self, text: str) -> Any:
        """Return the time as the database takes it; without an offset it is the shop's."""
        text = text.strip()
        try:
            if self._date_format:
                found = datetime.strptime(text, self._date_format)  # noqa: DTZ007 -- zone below
            else:
                found = datetime.fromisoformat(text)
            found = (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise RejectedError("date_unreadable") from None
        if found > self._now:
            raise RejectedError("date_in_future")
        if moments.is_lost(found):
            raise RejectedError("date_absurd")
        return self._adapt(found)


def _id_fault(text: str) -> str:
    """Return what is wrong with the id of an order or a product; plain digits may be one."""
    if len(text) > MAX_TEXT:
        return "id_too_long"
    return "id_is_personal" if telling.tells_personal(text) else ""


def _status(text: str) -> tuple[str, str]:
    """Return an order's status and what is wrong with it."""
    found = STATUSES.get(text.strip().lower())
    return (found.value, "") if found else ("", "status_unknown")


def _customer(text: str) -> tuple[str, str]:
    """Return the customer's id and what is wrong with it; 13085.0 is a spreadsheet's 13085."""
    text = text.strip()
    if text.endswith(".0") and text[:-2].isdigit():
        return text[:-2], ""
    if "@" in text or telling.looks_personal(text) or telling.tells_personal(text):
        return text, "customer_is_personal"
    return text, "customer_too_long" if len(text) > MAX_TEXT else ""


def _no_sale(quantity: int, price: Price, customer: str, status: str) -> str:
    """Return why a line of goods is no sale of them, or nothing if it is one."""
    if status == CANCELLED:
        return "cancelled"
    if price.sign == 0 and quantity:
        return "free_of_charge" if customer and quantity > 0 else "stock_adjustment"
    return ""


def _money_fault(quantity: int, price: Price, discount: int, total: int, *, is_refund: bool) -> str:
    if not quantity:
        return "quantity_zero"
    if price.sign < 0:
        return "price_negative"
    if is_refund:
        return "refund_not_negative" if quantity > 0 or total > 0 else ""
    return "discount_absurd" if discount < 0 or total < 0 else ""
