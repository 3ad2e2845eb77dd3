"""One customer's values in plain, for a program that says what for."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext as _

from privacy import purposes
from privacy.fields import reveal_columns, sealed_fields
from privacy.problems import DomainError
from privacy.purposes import PurposeDeniedError, UnknownPurposeError, purpose
from profiles.models import Customer


def opened(customer: Customer, name: str, *, actor: str, now: datetime) -> dict[str, Any]:
    """Return, by field, what the purpose covers of the customer; audited as one opening.

    Raises DomainError `unknown_purpose`, and `purpose_denied` (403) where the purpose does not
    reach the person or covers nothing, has ended, or no use rule lets the actor.
    """
    try:
        covered = purposes.find(name)
    except UnknownPurposeError:
        detail = _("No purpose of this name is known; the purposes page lists them.")
        raise DomainError("unknown_purpose", detail) from None
    fields = [one.name for one in sealed_fields(Customer) if one.data_class in covered.data_classes]
    asked = Customer.objects.filter(pk=customer.pk)
    try:
        with purpose(name, actor=actor, now=now, reason="api"):
            if covered.is_limited:
                channel = next(iter(covered.channels), None)
                asked = Customer.objects.for_purpose(name, channel=channel).filter(pk=customer.pk)
            found = reveal_columns(asked, fields, name) if fields else {}
    except PurposeDeniedError:
        found = {}
    if customer.pk not in found:
        detail = _("The purpose, the person or the use rules do not allow this key to open it.")
        raise DomainError("purpose_denied", detail, status=HTTPStatus.FORBIDDEN)
    return found[customer.pk]
