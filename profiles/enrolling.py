"""Customers as the shop's server states them: who they are and what they agreed to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from privacy import ages, consent
from privacy.consent import Declaration
from privacy.crypto.blind_index import NotAnAddressError
from privacy.fields import MaskedValueError, sealed_field
from privacy.problems import DomainError
from profiles import registering
from profiles.bulk import again_if_overtaken
from profiles.models import Customer


@again_if_overtaken
@transaction.atomic
def put(external_id: str, changes: Mapping[str, Any], *, now: datetime) -> Customer:
    """Add the customer if there is none of that id, and set the columns that are given.

    Raises DomainError `invalid_email`, `invalid_phone`, `invalid_full_name`, or `email_taken`
    (409).
    """
    registering.register([external_id], now=now)
    customer = Customer.objects.select_for_update().get(external_id=external_id)
    for name, value in changes.items():
        _set(customer, name, value)
    birth_date: date | None = changes.get("birth_date")
    if "birth_date" in changes:
        customer.birth_year = birth_date.year if birth_date else None
    _refuse_taken(customer, changes.get("email"))
    customer.save()
    if birth_date:
        birth = ages.Birth(birth_date, customer.country)
        ages.note({customer.subject_id: birth}, today=now.date())
    return customer


def declare(
    customer: Customer, declarations: Sequence[Mapping[str, Any]], *, source: str, now: datetime
) -> None:
    """Write declarations into the consent ledger: all of them or, if one is wrong, none.

    Each has purpose, channel, state, wording, and happened_at unless it is of now. Raises
    DomainError with a pointer to the one that is wrong.
    """
    ledger = []
    for index, facts in enumerate(declarations):
        declaration = Declaration(
            subject=customer.subject_id,
            source=source,
            **{"happened_at": now, **facts},
        )
        try:
            consent.check(declaration, now=now)
        except DomainError as error:
            place = f"/consents/{index}{error.pointer}"
            raise DomainError(
                error.code, error.detail, status=error.status, pointer=place
            ) from error
        ledger.append(declaration)
    consent.record_many(ledger, now=now)


def _set(customer: Customer, name: str, value: Any) -> None:
    try:
        setattr(customer, name, value or None if name in {"email", "phone", "full_name"} else value)
    except MaskedValueError:
        detail = _("This is a mask, not a value; leave it out to keep what there is.")
        raise DomainError(f"invalid_{name}", detail, pointer=f"/{name}") from None
    except NotAnAddressError:
        # The error's text names the form, never the value.
        form = {"email": "name@example.com", "phone": "+8613800138000"}[name]
        detail = _("This cannot be read; it has the form %(form)s.") % {"form": form}
        raise DomainError(f"invalid_{name}", detail, pointer=f"/{name}") from None


def _refuse_taken(customer: Customer, email: str | None) -> None:
    if not email:
        return
    other = Customer.objects.filter(email=email).exclude(pk=customer.pk).first()
    if other is None:
        return
    if sealed_field(Customer, "email").holds(other, email):
        detail = _("Another customer has this e-mail address.")
        raise DomainError("email_taken", detail, status=409, pointer="/email")
    detail = _("The index takes this address for another one; have the index keys rotated.")
    raise DomainError("index_collision", detail, status=409, pointer="/email")
