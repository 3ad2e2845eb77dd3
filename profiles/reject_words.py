"""Why a row of a file or an event was not taken, in the reader's language, by its code."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from profiles.events import verdict_words

ROWS: Final[dict[str, str | Promise]] = {
    "address_invalid": _("It is neither an e-mail address nor a phone number with its +."),
    "birth_date_invalid": _("The birth date is no day written 1988-03-01, or cannot be."),
    "currency_differs": _("It names another currency than its order."),
    "currency_unknown": _("The currency is no code of ISO 4217."),
    "customer_differs": _("It names another customer than its order."),
    "customer_id_missing": _("It does not say whose it is."),
    "customer_is_personal": _("The customer id is an e-mail address or a phone number."),
    "customer_merged": _("The record of this id was merged into another customer's."),
    "customer_too_long": _("The customer id is too long."),
    "date_absurd": _("This lies before 2 January 1970, as a time that was lost does."),
    "date_in_future": _("This lies in the future."),
    "date_invalid": _("The time is not written 2026-01-05 or 2026-01-05 10:00."),
    "date_unreadable": _("The time cannot be read; tell the date format."),
    "discount_absurd": _("The discount is more than the line."),
    "discount_unreadable": _("The discount is no plain number."),
    "email_invalid": _("The e-mail address cannot be read."),
    "email_taken": _("Another customer has this e-mail address."),
    "field_count": _("It has another number of fields than the first line."),
    "field_too_long": _("A quote was never closed, or a field is too long."),
    "gender_unknown": _("The gender is none of female, male and other."),
    "id_is_personal": _("The number or the product id is an e-mail address or a phone number."),
    "id_too_long": _("An id is too long."),
    "in_the_future": _("A consent cannot be of the future."),
    "json_invalid": _("It is no JSON object."),
    "line_too_long": _("The line is longer than 1 MiB."),
    "locale_invalid": _("The language is not written like zh-CN."),
    "long_past": _("This lies before 2 January 1970, as a time that was lost does."),
    "member_unknown": _("It has a member that none of the first 1,000 lines had."),
    "nul_byte": _("It holds a NUL byte."),
    "order_event": _("It tells of an order; bring orders in as orders."),
    "order_missing": _("It lacks the order number."),
    "phone_invalid": _("The phone number cannot be read; without a + it needs the country."),
    "price_absurd": _("The price is over 100,000,000."),
    "price_negative": _("The price is below zero."),
    "price_unreadable": _("The price is no plain number."),
    "product_missing": _("It lacks the product id."),
    "quantity_absurd": _("The quantity is over 1,000,000."),
    "quantity_unreadable": _("The quantity is no plain number."),
    "quantity_zero": _("The quantity is 0."),
    "reason_unknown": _("The reason is none of those that a suppression has."),
    "refund_not_negative": _("It is marked as a refund but adds money."),
    "required": _("A consent needs its words and its source."),
    "status_unknown": _("There is no such status of an order."),
    "time_zone_unknown": _("The time zone is not written like Europe/London."),
    "undecodable": _("It is no text in the encoding of the file."),
    "unknown_channel": _("The purpose does not use this channel."),
    "unknown_customer": _("It is of somebody who is no customer; bring customers in first."),
    "unknown_purpose": _("This is no purpose that people agree to."),
    "unknown_state": _("There is no such state of a consent."),
    "value_masked": _("A mask such as A*** S*** stands where the value belongs."),
    "value_too_long": _("A value is longer than its field."),
}


def of_row(code: str) -> str:
    """Why a row of a file was not taken; rows of events have the codes of events, too."""
    return str(ROWS.get(code) or verdict_words.CODES.get(code) or code)


def of_event(code: str) -> str:
    return str(verdict_words.CODES.get(code) or code)
