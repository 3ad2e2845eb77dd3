"""The several ids of a customer: found by keyed tags, each leading to one customer only."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from privacy.crypto import blind_index
from privacy.problems import DomainError
from privacy.sealed import keys
from profiles.models import Customer, Identifier

Kind = Identifier.Kind
SHOP_IDS = (Kind.CUSTOMER_ID, Kind.CARD)


def tag(kind: str, value: str) -> bytes:
    """The keyed tag of a value. Raises NotAnAddressError for what is no e-mail address."""
    text = blind_index.normalise_email(value) if kind == Kind.EMAIL else value.strip()
    return keys().tagger("other", f"identifier.{kind}").tag(text)


def owners(values: Collection[str], *kinds: str) -> dict[str, Customer]:
    """Customers by the values of these kinds that lead to them; what is unknown is left out."""
    wanted = Identifier.objects.filter(kind__in=kinds)
    if not values or not wanted.exists():  # most shops never merge anybody
        return {}
    tags: dict[tuple[str, bytes], str] = {}
    for value in set(values):
        for kind in kinds:
            try:
                tags[kind, tag(kind, value)] = value
            except blind_index.NotAnAddressError:
                continue
    found = wanted.filter(tag__in=[one for _kind, one in tags])
    return {
        tags[row.kind, bytes(row.tag)]: row.customer
        for row in found.select_related("customer").order_by("-kind", "pk")
        if (row.kind, bytes(row.tag)) in tags
    }


def find(external_id: str) -> Customer | None:
    """The customer of that id, or of that further id."""
    direct = Customer.objects.filter(external_id=external_id).first()
    return direct or owners([external_id], *SHOP_IDS).get(external_id)


def add(customer: Customer, kind: str, value: str, *, now: datetime) -> Identifier:
    """Let another id lead to the customer.

    Raises DomainError `identifier_taken` (409) if it leads to somebody else, or
    `invalid_email`.
    """
    try:
        tagged = tag(kind, value)
    except blind_index.NotAnAddressError:
        detail = _("This cannot be read; it has the form %(form)s.") % {"form": "name@example.com"}
        raise DomainError("invalid_email", detail, pointer="/value") from None
    if _leads_elsewhere(customer, kind, value):
        raise _taken()
    try:
        with transaction.atomic():
            row, _is_new = Identifier.objects.get_or_create(
                kind=kind, tag=tagged, defaults={"customer": customer, "added_at": now}
            )
    except IntegrityError:
        raise _taken() from None
    if row.customer_id != customer.pk:
        raise _taken()
    return row


def _leads_elsewhere(customer: Customer, kind: str, value: str) -> bool:
    others = Customer.objects.exclude(pk=customer.pk)
    if kind == Kind.EMAIL:
        return others.filter(email=value).exists()
    return others.filter(external_id=value.strip()).exists()


def _taken() -> DomainError:
    detail = _("This leads to another customer; merge the two if they are one person.")
    return DomainError("identifier_taken", detail, status=409, pointer="/value")
