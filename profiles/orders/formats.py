"""How shops write their orders: which column holds what, and which lines are no sale of goods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from privacy.problems import DomainError
from profiles import money
from profiles.files import presets
from profiles.models import Upload

REQUIRED = ("order", "product", "quantity", "price", "placed_at")
OPTIONAL = (
    "customer",
    "customer_email",
    "title",
    "category",
    "discount",
    "currency",
    "country",
    "status",
)
FIELDS = REQUIRED + OPTIONAL

ONLINE_RETAIL = "online-retail"
CSV = "csv"
FORMATS = (ONLINE_RETAIL, CSV, *presets.names(Upload.Kind.ORDERS))

SOME_DAY = datetime(2026, 3, 31, 14, 5, tzinfo=UTC)

# The column behind the last one, where the id of a customer told by address is put.
FOUND = "customer found"

# UCI Online Retail (I and II): invoice lines of a British shop, one row each.
ONLINE_RETAIL_COLUMNS = {
    "order": "Invoice",
    "product": "StockCode",
    "title": "Description",
    "quantity": "Quantity",
    "placed_at": "InvoiceDate",
    "price": "Price",
    "customer": "Customer ID",
    "country": "Country",
}
# Stock codes of that shop that are no goods, by what they are.
ONLINE_RETAIL_SET_ASIDE = {
    "postage": r"POST|DOT|C2|C3",
    "manual": r"M",
    "discount": r"D",
    "adjustment": r"ADJUST\d*",
    "bad_debt": r"B",
    "fee": r"AMAZONFEE|BANK CHARGES|CRUK",
    "sample": r"S",
    "test": r"TEST\d*",
    "voucher": r"GIFT(_\d+)*",
}


class ImportOptionError(DomainError):
    """An option of an import that cannot be; the text lists what can."""


@dataclass(frozen=True)
class OrderFormat:
    """`columns`: field to column name. A `refund_prefix` marks order numbers of refunds."""

    columns: Mapping[str, str]
    refund_prefix: str = ""
    upper_products: bool = False
    set_aside: Mapping[str, re.Pattern[str]] = field(default_factory=dict)

    def reason(self, product: str) -> str:
        """Return why lines of this product are no goods, or nothing if they are."""
        hits = (name for name, codes in self.set_aside.items() if codes.fullmatch(product))
        return next(hits, "")


@dataclass(frozen=True)
class OrderOptions:
    """What an import of orders is asked with; only values that can be.

    `currency` holds where the file has no such column, `time_zone` for times without an
    offset. `date_format` is of strptime, needed for anything but ISO 8601. `categories` is
    the path of a CSV file with the columns product and category.
    """

    currency: str
    time_zone: str
    format: str = CSV
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf-8"
    date_format: str = ""
    decimal_comma: bool = False
    categories: str = ""

    def __post_init__(self) -> None:
        money.exponent(self.currency)
        _check_zone(self.time_zone)
        _check_date_format(self.date_format)
        if self.format not in FORMATS:
            raise ImportOptionError(
                "format_unknown",
                _("The format %(name)s is not known; use one of %(known)s.")
                % {"name": self.format, "known": ", ".join(FORMATS)},
                pointer="/format",
            )
        if self.format == CSV:
            _check_columns(self.columns)

    def order_format(self) -> OrderFormat:
        if self.format == CSV:
            by_address = "customer_email" in self.columns and "customer" not in self.columns
            found = {"customer": FOUND} if by_address else {}
            return OrderFormat(columns={**self.columns, **found})
        if self.format != ONLINE_RETAIL:  # a preset gives rows of our own fields
            return OrderFormat(columns={name: name for name in presets.ORDER_FIELDS})
        return OrderFormat(
            columns=ONLINE_RETAIL_COLUMNS,
            refund_prefix="C",
            upper_products=True,
            set_aside={name: re.compile(code) for name, code in ONLINE_RETAIL_SET_ASIDE.items()},
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise ImportOptionError(
            "time_zone_unknown",
            _("The time zone %(name)s is not known; use a name such as Europe/London.")
            % {"name": name},
            pointer="/time_zone",
        ) from None


def _check_date_format(text: str) -> None:
    """A day that is written and read by it must be the same day."""
    try:
        read = datetime.strptime(SOME_DAY.strftime(text), text)  # noqa: DTZ007 -- its day counts
        is_right = not text or read.date() == SOME_DAY.date()
    except ValueError:
        is_right = False
    if not is_right:
        raise ImportOptionError(
            "date_format_unknown",
            _(
                "The date format %(text)s does not give a day: write day, month and year as %%d, "
                "%%m and %%Y, for example %%d/%%m/%%Y %%H:%%M for 31/03/2026 14:05."
            )
            % {"text": text},
            pointer="/date_format",
        )


def _check_columns(columns: Mapping[str, str]) -> None:
    if unknown := [name for name in columns if name not in FIELDS]:
        raise ImportOptionError(
            "field_unknown",
            _("%(unknown)s cannot be mapped; the fields are %(known)s.")
            % {"unknown": ", ".join(unknown), "known": ", ".join(FIELDS)},
            pointer="/columns",
        )
    if missing := [name for name in REQUIRED if not columns.get(name)]:
        raise ImportOptionError(
            "field_unmapped",
            _("Say which columns hold %(missing)s (--map FIELD=COLUMN); also possible: %(more)s.")
            % {
                "missing": ", ".join(missing),
                "more": ", ".join(name for name in OPTIONAL if name not in columns),
            },
            pointer="/columns",
        )
