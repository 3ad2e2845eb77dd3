"""Exports of other programs as they write them, turned into rows of our own fields.

A preset is known by some columns of its export. Rows that belong together (the items of an
order) are turned together, since some programs write what holds for all of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import groupby

from profiles import money
from profiles.files.reading import BadRow, Row, Table
from profiles.models import Upload

Cells = Mapping[str, str]
Group = Sequence[Cells]

ORDER_FIELDS = (
    "order", "customer", "customer_email", "product", "title", "quantity", "price", "discount",
    "placed_at", "currency", "country", "status",
)  # fmt: skip
PERSON_FIELDS = (
    "external_id", "full_name", "email", "phone", "locale", "country", "time_zone", "city",
)  # fmt: skip
MAX_GROUP = 1_000


@dataclass(frozen=True)
class Preset:
    """`turn` makes our fields of the rows of a group; they stay as many, in their order.

    A file is one of it if it has all `marks`. `together` names the rows of a group.
    """

    kind: str
    marks: Collection[str]
    fields: Sequence[str]
    turn: Callable[[Group], Sequence[Mapping[str, str]]]
    together: str = ""


class PresetTable(Table):
    """A table of an export, read as a table of our own fields."""

    def __init__(self, table: Table, preset: Preset) -> None:
        table.require(preset.marks)
        super().__init__(preset.fields, table.n_bytes)
        self._table = table
        self._preset = preset

    @property
    def n_bytes_read(self) -> int:
        return self._table.n_bytes_read

    def release(self) -> None:
        self._table.release()

    def _good_rows(self, after: int) -> Iterator[tuple[int, Row]]:
        # From the first row on: a group may have begun before the line.
        for group in self._groups():
            if len(group) == 1 and isinstance(group[0][1], BadRow):
                turned: Sequence[Row] = [group[0][1]]
            else:
                cells = [
                    dict(zip(self._table.columns, row, strict=True))
                    for _number, row in group
                    if not isinstance(row, BadRow)
                ]
                turned = [
                    [one.get(name, "") for name in self.columns] for one in self._preset.turn(cells)
                ]
            for (number, _row), one in zip(group, turned, strict=True):
                if number > after:
                    yield number, one

    def _groups(self) -> Iterator[list[tuple[int, Row]]]:
        at = self._table.index.get(self._preset.together, -1)

        def belongs(numbered: tuple[int, Row]) -> object:
            number, row = numbered
            if at < 0 or isinstance(row, BadRow) or not row[at]:
                return (number,)
            return row[at]

        for _name, rows in groupby(self._table.rows(), belongs):
            found = list(rows)
            for begin in range(0, len(found), MAX_GROUP):
                yield found[begin : begin + MAX_GROUP]


def find(kind: str, name: str) -> Preset | None:
    return PRESETS.get((kind, name))


def names(kind: str) -> list[str]:
    return [name for of_kind, name in PRESETS if of_kind == kind]


def guess(kind: str, columns: Collection[str]) -> str:
    """Return the name of the preset whose export has such columns, or nothing."""
    hits = (
        name
        for (of_kind, name), preset in PRESETS.items()
        if of_kind == kind and set(preset.marks) <= set(columns)
    )
    return next(hits, "")


def _bare(text: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from counting with it."""
    return text.strip().removeprefix("'")


def _person(one: Cells, *, name: Sequence[str], **fields: Sequence[str]) -> dict[str, str]:
    """A person's fields, each the first of its columns that holds anything."""
    found = {
        field: next((_bare(one[at]) for at in columns if _bare(one.get(at, ""))), "")
        for field, columns in fields.items()
    }
    return found | {"full_name": " ".join(one.get(at, "").strip() for at in name).strip()}


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text.strip().replace(",", "") or "0")
    except InvalidOperation:
        return Decimal(0)


def _shopify_customers(group: Group) -> list[dict[str, str]]:
    return [
        _person(
            one,
            name=("First Name", "Last Name"),
            external_id=("Customer ID",),
            email=("Email",),
            phone=("Phone", "Default Address Phone"),
            country=("Default Address Country Code",),
            city=("Default Address City",),
        )
        for one in group
    ]


def _shopify_orders(group: Group) -> list[dict[str, str]]:
    """Items of one order; what holds for all of it stands in its first row only.

    The order's own discount is what its subtotal lacks; it is spread over the items.
    """
    first = group[0]
    currency = first.get("Currency", "").strip()
    rest = _spread_rest(group, currency, _amount(first.get("Subtotal", "")))
    return [
        {
            "order": one["Name"].strip(),
            "customer_email": first.get("Email", "").strip(),
            "product": _bare(one.get("Lineitem sku", "")) or one["Lineitem name"].strip(),
            "title": one["Lineitem name"].strip(),
            "quantity": one["Lineitem quantity"].strip(),
            "price": one["Lineitem price"].strip(),
            "discount": f"{_amount(one.get('Lineitem discount', '')) + more:f}",
            "placed_at": first["Created at"].strip().replace(" +", "+").replace(" -", "-"),
            "currency": currency,
            "country": first.get("Shipping Country") or first.get("Billing Country", ""),
            "status": _shopify_status(first),
        }
        for one, more in zip(group, rest, strict=True)
    ]


def _spread_rest(group: Group, currency: str, subtotal: Decimal) -> list[Decimal]:
    worth = [
        _amount(one["Lineitem price"]) * _amount(one["Lineitem quantity"])
        - _amount(one.get("Lineitem discount", ""))
        for one in group
    ]
    rest = sum(worth) - subtotal
    if rest <= 0 or not group[0].get("Subtotal", "").strip() or currency not in money.EXPONENTS:
        return [Decimal(0)] * len(group)
    shares = money.spread(
        money.to_minor(Decimal(rest), currency), [money.to_minor(one, currency) for one in worth]
    )
    return [money.from_minor(share, currency) for share in shares]


def _shopify_status(first: Cells) -> str:
    paid = first.get("Financial Status", "").strip().lower()
    if first.get("Cancelled at", "").strip() or paid in {"voided", "refunded", "expired"}:
        return "cancelled"
    if first.get("Fulfillment Status", "").strip().lower() == "fulfilled":
        return "fulfilled"
    return "placed" if paid in {"pending", "authorized", "unpaid"} else "paid"


def _woo_customers(group: Group) -> list[dict[str, str]]:
    return [
        _person(
            one,
            name=("first_name", "last_name"),
            external_id=("customer_id",),
            email=("email", "billing_email"),
            phone=("billing_phone",),
            country=("billing_country", "shipping_country"),
            city=("billing_city", "shipping_city"),
        )
        for one in group
    ]


WOO_STATUSES = {
    "completed": "fulfilled",
    "processing": "paid",
    "pending": "placed",
    "on-hold": "placed",
    "cancelled": "cancelled",
    "failed": "cancelled",
    "refunded": "cancelled",
}


def _woo_orders(group: Group) -> list[dict[str, str]]:
    """One row per item; `item_subtotal` is before the coupon, `item_total` after it."""
    return [_woo_order(one) for one in group]


def _woo_order(one: Cells) -> dict[str, str]:
    quantity, before = _amount(one["item_quantity"]), _amount(one["item_subtotal"])
    status = one["status"].strip().lower().removeprefix("wc-")
    customer = one.get("customer_id", "").strip()
    price = (before / quantity).quantize(Decimal("0.000001")) if quantity else Decimal(0)
    return {
        "order": one["order_number"].strip(),
        "customer": "" if customer == "0" else customer,
        "customer_email": one.get("billing_email", "").strip(),
        "product": one.get("item_sku", "").strip() or one["item_product_id"].strip(),
        "title": one["item_name"].strip(),
        "quantity": one["item_quantity"].strip(),
        "price": f"{price:f}",
        "discount": f"{before - _amount(one['item_total']):f}",
        "placed_at": one["order_date"].strip(),
        "currency": one.get("order_currency", "").strip(),
        "country": one.get("shipping_country") or one.get("billing_country", ""),
        "status": WOO_STATUSES.get(status, status),
    }


def _klaviyo(group: Group) -> list[dict[str, str]]:
    return [
        _person(
            one,
            name=("First Name", "Last Name"),
            external_id=("External ID", "Klaviyo ID"),
            email=("Email",),
            phone=("Phone Number",),
            country=("Country",),
            city=("City",),
            locale=("Locale",),
        )
        for one in group
    ]


def _mautic(group: Group) -> list[dict[str, str]]:
    return [
        _person(
            one,
            name=("firstname", "lastname"),
            external_id=("id",),
            email=("email",),
            phone=("mobile", "phone"),
            country=("country",),
            city=("city",),
            locale=("preferred_locale",),
            time_zone=("timezone",),
        )
        for one in group
    ]


_ORDERS, _PEOPLE = Upload.Kind.ORDERS.value, Upload.Kind.CUSTOMERS.value
PRESETS: Mapping[tuple[str, str], Preset] = {
    (_PEOPLE, "shopify"): Preset(
        _PEOPLE,
        ("Customer ID", "First Name", "Last Name", "Email", "Total Spent"),
        PERSON_FIELDS,
        _shopify_customers,
    ),
    (_ORDERS, "shopify"): Preset(
        _ORDERS,
        ("Name", "Financial Status", "Created at", "Lineitem name", "Lineitem quantity", "Lineitem price"),
        ORDER_FIELDS,
        _shopify_orders,
        together="Name",
    ),
    (_PEOPLE, "woocommerce"): Preset(
        _PEOPLE,
        ("customer_id", "first_name", "last_name", "email", "date_registered"),
        PERSON_FIELDS,
        _woo_customers,
    ),
    (_ORDERS, "woocommerce"): Preset(
        _ORDERS,
        ("order_number", "order_date", "status", "item_product_id", "item_name", "item_quantity",
         "item_subtotal", "item_total"),
        ORDER_FIELDS,
        _woo_orders,
    ),
    (_PEOPLE, "klaviyo"): Preset(
        _PEOPLE, ("Klaviyo ID", "Email", "First Name", "Last Name"), PERSON_FIELDS, _klaviyo
    ),
    (_PEOPLE, "mautic"): Preset(
        _PEOPLE, ("id", "firstname", "lastname", "email", "points"), PERSON_FIELDS, _mautic
    ),
}  # fmt: skip
