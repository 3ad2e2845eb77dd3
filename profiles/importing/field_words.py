"""What the fields of files are called on pages; commands and mappings know them by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

FIELDS: Final[dict[str, StrPromise]] = {
    "address": _("E-mail or phone"),
    "anonymous_id": _("Anonymous id"),
    "birth_date": _("Birth date"),
    "category": _("Category"),
    "channel": _("Channel"),
    "city": _("City"),
    "context": _("Context"),
    "country": _("Country"),
    "currency": _("Currency"),
    "customer": _("Customer id"),
    "customer_email": _("E-mail of the customer"),
    "discount": _("Discount of the line"),
    "email": _("E-mail"),
    "event": _("Event name"),
    "external_id": _("Customer id"),
    "full_name": _("Name"),
    "gender": _("Gender"),
    "happened_at": _("Time"),
    "locale": _("Language"),
    "message_id": _("Message id"),
    "occupation": _("Occupation"),
    "order": _("Order number"),
    "phone": _("Phone"),
    "placed_at": _("Placed at"),
    "previous_id": _("Former id"),
    "price": _("Price of one"),
    "product": _("Product id"),
    "product_id": _("Product id"),
    "properties": _("Properties"),
    "purpose": _("Purpose"),
    "quantity": _("Quantity"),
    "reason": _("Reason"),
    "source": _("Source"),
    "state": _("State"),
    "status": _("Status"),
    "time_zone": _("Time zone"),
    "title": _("Title"),
    "traits": _("Traits"),
    "type": _("Call"),
    "wording": _("Wording"),
}


# What a look at a file says beside its fields.
BESIDE = {"total": _("Total")}


def label(name: str) -> str:
    """What a field is called; a name that is none of a field's as it is."""
    return str(FIELDS.get(name, BESIDE.get(name, name)))
