"""Customers as the shop's server states them: who they are and what they agreed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from privacy import ages, consent
from privacy.consent import Declaration
from privacy.crypto.blind_index import NotAnAddressError
from privacy.fields import MaskedValueError, sealed_field, with_tags
from privacy.problems import DomainError
from profiles import changes as marks
from profiles.bulk import again_if_overtaken
from profiles.identity import identifiers, registering
from profiles.models import Customer


@again_if_overtaken
@transaction.atomic
def put(external_id: str, changes: Mapping[str, Any], *, now: datetime) -> Customer:
    """Add the customer if there is none of that id, and set the columns that are given.

    Raises DomainError `invalid_email`, `invalid_phone`, `invalid_full_name`, or `email_taken`
    (409).
    """
    pks, _n_added = registering.register([external_id], now=now)
    customer = Customer.objects.select_for_update().get(pk=pks[external_id])
    for name, value in changes.items():
        _set(customer, name, value)
    birth_date: date | None = changes.get("birth_date")
    if "birth_date" in changes:
        customer.birth_year = birth_date.year if birth_date else None
    _refuse_taken(customer, changes.get("email"))
    customer.save()
    marks.mark_told([customer.pk])
    if birth_date:
        birth = ages.Birth(birth_date, customer.country)
        ages.note({customer.subject_id: birth}, today=now.date())
    return customer


@again_if_overtaken
@transaction.atomic
def put_many(stated: Sequence[tuple[str, Mapping[str, Any]]], *, now: datetime) -> int:
    """Do what `put` does for many customers, each named once: all of them or, on an error, none.

    Raises DomainError as `put`, with the place in the list before the pointer.
    """
    registering.register([external_id for external_id, _changes in stated], now=now)
    wanted = Customer.objects.filter(external_id__in=[external_id for external_id, _ in stated])
    there = {row.external_id: row for row in wanted.select_for_update().order_by("pk")}
    births: dict[UUID, ages.Birth] = {}
    for index, (external_id, changes) in enumerate(stated):
        customer = there[external_id]
        with _pointing_to(f"/customers/{index}"):
            for name, value in changes.items():
                _set(customer, name, value)
        if birth_date := changes.get("birth_date"):
            customer.birth_year = birth_date.year
            births[customer.subject_id] = ages.Birth(birth_date, customer.country)
    _refuse_taken_of(stated)
    named = {name for _id, changes in stated for name in changes} | {"birth_year"}
    Customer.objects.bulk_create(
        there.values(),
        update_conflicts=True,
        unique_fields=["external_id"],
        update_fields=with_tags(Customer, sorted(named)),
    )
    marks.mark_told(row.pk for row in there.values())
    ages.note(births, today=now.date())
    return len(there)


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
        with _pointing_to(f"/consents/{index}"):
            consent.check(declaration, now=now)
        ledger.append(declaration)
    consent.record_many(ledger, now=now)


@contextmanager
def _pointing_to(place: str) -> Iterator[None]:
    """Say of an error in which of many it is."""
    try:
        yield
    except DomainError as error:
        pointer = f"{place}{error.pointer}"
        raise DomainError(error.code, error.detail, status=error.status, pointer=pointer) from error


def _set(customer: Customer, name: str, value: Any) -> None:
    try:
        setattr(customer, name, value or None if name in {"email", "phone", "full_name"} else value)
    except MaskedValueError:
        detail = _("This is a mask, not a value; leave it out to keep what there is.")
        raise DomainError(f"invalid_{name}", detail, pointer=_place(name)) from None
    except NotAnAddressError:
        # The error's text names the form, never the value.
        form = {"email": "name@example.com", "phone": "+8613800138000"}[name]
        detail = _("This cannot be read; it has the form %(form)s.") % {"form": form}
        raise DomainError(f"invalid_{name}", detail, pointer=_place(name)) from None


def _place(name: str) -> str:
    """Where a column stands in what was sent."""
    return "/fullName" if name == "full_name" else f"/{name}"


def _refuse_taken_of(stated: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Refuse an address that another customer has, in the shop or earlier in the list."""
    field = sealed_field(Customer, "email")
    emails = {external_id: email for external_id, facts in stated if (email := facts.get("email"))}
    written = field.written_tags(emails.values())
    held = Customer.objects.filter(**{f"{field.tag}__in": list(written)})
    owners = {
        written[bytes(tag)]: owner for tag, owner in held.values_list(field.tag, "external_id")
    }
    for index, (external_id, _facts) in enumerate(stated):
        if external_id not in emails:
            continue
        tag = field.tags_of(emails[external_id])[0]
        if owners.setdefault(tag, external_id) != external_id:
            detail = _("Another customer has this e-mail address.")
            pointer = f"/customers/{index}/email"
            raise DomainError("email_taken", detail, status=409, pointer=pointer)


def _refuse_taken(customer: Customer, email: str | None) -> None:
    if not email:
        return
    also = identifiers.owners([email], identifiers.Kind.EMAIL).get(email, customer)
    other = Customer.objects.filter(email=email).exclude(pk=customer.pk).first()
    if other is None and also.pk == customer.pk:
        return
    if other is None or sealed_field(Customer, "email").holds(other, email):
        detail = _("Another customer has this e-mail address.")
        raise DomainError("email_taken", detail, status=409, pointer="/email")
    detail = _("The index takes this address for another one; have the index keys rotated.")
    raise DomainError("index_collision", detail, status=409, pointer="/email")
