"""Who is who: shop ids, anonymous ids and the customers they lead to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from privacy import ages
from profiles import changes
from profiles.identity import identifiers, registering
from profiles.models import Customer, Identity

if TYPE_CHECKING:
    from profiles.arrivals import Arrival

# Who is being erased is waited for and then not found; nobody is erased before the events of a
# batch are stored. The event table has no foreign key, which would look once for every event.
KNOWN: Final = """
SELECT external_id, id FROM profiles_customer WHERE external_id = ANY(%s)
ORDER BY id FOR KEY SHARE
"""
# Field of the customer -> how long it may be, names of the trait.
OPEN_TRAITS: Final = {
    "locale": (12, ("language", "locale")),
    "country": (60, ("country",)),
    "city": (100, ("city",)),
    "time_zone": (64, ("timezone", "timeZone")),
    "gender": (6, ("gender",)),
    "occupation": (60, ("title", "occupation")),
}


def join(arrived: Sequence[Arrival], *, now: datetime) -> int | None:
    """Find every event's customer, whom nobody knew and whose device it was among them.

    Returns the highest identity there was before where some were added, so that the caller can
    find the new ones.
    """
    customers = _customers(arrived, now=now)
    devices = {one.anonymous_id for one in arrived} | {one.previous_ref for one in arrived} - {""}
    joined = _joined(devices)
    last = _add(_new_pairs(arrived, customers, joined), now=now)
    if last is not None:
        joined = _joined(devices)
    for one in arrived:
        whose = customers.get(one.customer_ref) if one.customer_ref else None
        one.customer_pk = whose if one.customer_ref else joined.get(one.anonymous_id)
    return last


def _customers(arrived: Sequence[Arrival], *, now: datetime) -> dict[str, int]:
    """Keys of the batch's customers by the shop's id; who is not there yet is added."""
    wanted = {one.customer_ref for one in arrived} - {""}
    found = _held(wanted)
    if missing := wanted - found.keys():
        known = identifiers.owners(missing, *identifiers.SHOP_IDS)
        for one in arrived:
            if (owner := known.get(one.customer_ref)) is not None:
                one.customer_ref = owner.external_id
        registering.register(missing - known.keys(), now=now)
        found |= _held({one.customer_ref for one in arrived} - found.keys() - {""})
    return found


def _held(external_ids: Collection[str]) -> dict[str, int]:
    """Keys by the shop's id, of customers whom nobody can delete before we are done."""
    if not external_ids:
        return {}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(KNOWN, [list(external_ids)])
            return dict(cursor.fetchall())
    found = Customer.objects.filter(external_id__in=external_ids)
    return dict(found.values_list("external_id", "pk"))


def _joined(anonymous_ids: Collection[str]) -> dict[str, int]:
    if not anonymous_ids:
        return {}
    found = Identity.objects.filter(anonymous_id__in=anonymous_ids)
    return dict(found.values_list("anonymous_id", "customer_id"))


def _new_pairs(
    arrived: Sequence[Arrival], customers: Mapping[str, int], joined: Mapping[str, int]
) -> dict[str, int]:
    """The first event to name both ids decides; two customers that are both known stay two."""
    pairs: dict[str, int] = {}
    for one in arrived:
        if not one.customer_ref:
            continue
        named = (one.anonymous_id, one.previous_ref if one.kind == "alias" else "")
        for device in named:
            if device and device not in joined:
                pairs.setdefault(device, customers[one.customer_ref])
    if not pairs:
        return {}
    known = Customer.objects.filter(external_id__in=pairs)
    for customer in known.values_list("external_id", flat=True):
        del pairs[customer]
    for former in identifiers.owners(pairs, *identifiers.SHOP_IDS):
        del pairs[former]
    return pairs


def _add(pairs: Mapping[str, int], *, now: datetime) -> int | None:
    if not pairs:
        return None
    last = Identity.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    Identity.objects.bulk_create(
        [
            Identity(anonymous_id=device, customer_id=customer, joined_at=now)
            for device, customer in sorted(pairs.items())
        ],
        ignore_conflicts=True,
    )
    return last


def learn(arrived: Sequence[Arrival], *, today: date) -> None:
    """Take the open traits of the batch's identify calls over to their customers.

    A year of birth decides who may be written to: a browser or app key may tell it of somebody
    whose year is not known, and changes none.
    """
    telling = [one for one in arrived if one.kind == "identify" and one.customer_ref]
    if not telling:
        return
    traits: dict[str, dict[str, Any]] = {}
    vouched: set[str] = set()
    for one in sorted(telling, key=lambda one: one.at):
        found = _open_traits(one.circumstances) | _open_traits(one.facts)
        if "birth_year" in found and one.parcel.is_confirmed:
            vouched.add(one.customer_ref)
        elif one.customer_ref in vouched:
            found.pop("birth_year", None)
        traits.setdefault(one.customer_ref, {}).update(found)
    customers = list(Customer.objects.filter(external_id__in=traits))
    for customer in customers:
        if customer.birth_year is not None and customer.external_id not in vouched:
            traits[customer.external_id].pop("birth_year", None)
        for name, value in traits[customer.external_id].items():
            setattr(customer, name, value)
    Customer.objects.bulk_update(customers, [*OPEN_TRAITS, "birth_year"], batch_size=500)
    changes.mark_told(customer.pk for customer in customers)
    births = {
        customer.subject_id: ages.of_year(customer.birth_year, customer.country)
        for customer in customers
        if customer.birth_year and "birth_year" in traits[customer.external_id]
    }
    ages.note(births, today=today)


def _open_traits(node: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field, (limit, names) in OPEN_TRAITS.items():
        for name in names:
            text = node.get(name)
            if isinstance(text, str) and 0 < len(text) <= limit:
                found[field] = text
    if found.get("gender", "").lower() not in Customer.Gender.values:
        found.pop("gender", None)
    if isinstance(year := node.get("birth_year"), int):
        found["birth_year"] = year
    return found
