"""Why a row of a feed is not taken, or is taken with a remark: a code, and what to do about it."""

from __future__ import annotations

from typing import Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FIXES: Final[dict[str, str | Promise]] = {
    "id_missing": _("Give the product an id."),
    "id_too_long": _("Use an id of at most 100 signs."),
    "id_invalid": _("Use an id without control characters."),
    "duplicate_id": _("The id stands earlier in the file; the first row is taken. Give each its own."),
    "title_missing": _("Give the product a title."),
    "title_too_long": _("Shorten the title to 200 signs."),
    "value_too_long": _("Shorten the value."),
    "price_invalid": _("Write an amount and a currency, such as 15.00 EUR."),
    "price_negative": _("A price cannot be below zero."),
    "price_too_large": _("Write a price below ten thousand million."),
    "currency_unknown": _("Use a code of ISO 4217 such as EUR, USD or CNY."),
    "currency_missing": _("Write the currency behind the amount, such as 15.00 EUR."),
    "currency_other": _(
        "This is not the shop's currency; bring it in as a feed of the country that pays in it."
    ),
    "sale_price_above_price": _("The sale price is above the price and was left out."),
    "sale_dates_invalid": _("Write two times with a slash between; the sale price was left out."),
    "availability_unknown": _("Write in_stock, out_of_stock, preorder or backorder."),
    "condition_unknown": _("Write new, refurbished or used."),
    "quantity_invalid": _("Write a whole number from 0 on."),
    "link_invalid": _("Write an address that begins with https:// and has at most 500 signs."),
    "gtin_invalid": _("The check digit is wrong; the GTIN was left out."),
    "flag_invalid": _("Write yes or no."),
    "spec_unreadable": _("The specification cannot be read, so it decides nothing."),
    "spec_invalid": _("Write section:name:value."),
    "undecodable": _("The row is not text of the file's encoding."),
    "nul_byte": _("The row holds a zero byte."),
    "line_too_long": _("The line is longer than 1 MiB."),
    "field_too_long": _("A field is too long, or a quote is never closed."),
    "field_count": _("The row has more or fewer fields than there are columns."),
    "json_invalid": _("The line is no JSON object."),
    "member_unknown": _("The object has a member that the first one has not."),
    "xml_invalid": _("The item is not well-formed XML; write & as &amp; and < as &lt;."),
    "item_too_long": _("The item is longer than 1 MiB."),
    "item_unfinished": _("The item has no end."),
}  # fmt: skip


class Fault(NamedTuple):
    """What is wrong with a value; `field` and `value` are as the feed has them."""

    code: str
    field: str = ""
    value: str = ""


class RowError(Exception):
    """The row cannot be taken, and all that is wrong with it."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__(", ".join(fault.code for fault in faults))
        self.faults = faults
