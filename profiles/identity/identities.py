"""Who is who: shop ids, anonymous ids and the customers they lead to."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from privacy import ages
from profiles import changes
from profiles.identity import identifiers, registering
from profiles.models import Customer, Identity

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

MISSING = """
SELECT DISTINCT m.customer_ref FROM profiles_merging m
WHERE m.customer_ref <> '' AND NOT EXISTS (
    SELECT 1 FROM profiles_customer c WHERE c.external_id = m.customer_ref
)
"""
# The first event to name both ids decides; two customers that are both known stay two.
JOIN = """
WITH pair AS (
    SELECT id, customer_ref, anonymous_id FROM profiles_merging
    WHERE customer_ref <> '' AND anonymous_id <> ''
    UNION
    SELECT id, customer_ref, previous_ref FROM profiles_merging
    WHERE customer_ref <> '' AND previous_ref <> '' AND kind = 'alias'
), earliest AS (
    SELECT anonymous_id, MIN(id) AS id FROM pair GROUP BY anonymous_id
)
INSERT INTO profiles_identity (anonymous_id, customer_id, joined_at)
SELECT pair.anonymous_id, c.id, %s
FROM earliest
JOIN pair ON pair.id = earliest.id AND pair.anonymous_id = earliest.anonymous_id
JOIN profiles_customer c ON c.external_id = pair.customer_ref
WHERE NOT EXISTS (
    SELECT 1 FROM profiles_customer known WHERE known.external_id = pair.anonymous_id
)
ON CONFLICT (anonymous_id) DO NOTHING
"""
IDENTIFIED = """
SELECT customer_ref, properties, context, is_confirmed FROM profiles_merging
WHERE kind = 'identify' AND customer_ref <> '' ORDER BY happened_at, id
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


def join(cursor: CursorWrapper, *, now: datetime) -> int:
    """Create the batch's unknown customers and join its anonymous ids to theirs.

    Returns the highest identity there was before, so that the caller can find the new ones.
    """
    cursor.execute(MISSING)
    missing = [ref for (ref,) in cursor.fetchall()]
    known = identifiers.owners(missing, *identifiers.SHOP_IDS)
    cursor.executemany(
        "UPDATE profiles_merging SET customer_ref = %s WHERE customer_ref = %s",
        [(customer.external_id, ref) for ref, customer in known.items()],
    )
    registering.register(set(missing) - known.keys(), now=now)
    last = Identity.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    cursor.execute(JOIN, [cursor.db.ops.adapt_datetimefield_value(now)])
    return last


def learn(cursor: CursorWrapper, *, today: date) -> None:
    """Take the open traits of the batch's identify calls over to their customers.

    A year of birth decides who may be written to: a browser or app key may tell it of somebody
    whose year is not known, and changes none.
    """
    cursor.execute(IDENTIFIED)
    traits: dict[str, dict[str, Any]] = {}
    vouched: set[str] = set()
    for customer_ref, properties, context, is_confirmed in cursor.fetchall():
        found = _open_traits(json.loads(context)) | _open_traits(json.loads(properties))
        if "birth_year" in found and is_confirmed:
            vouched.add(customer_ref)
        elif customer_ref in vouched:
            found.pop("birth_year", None)
        traits.setdefault(customer_ref, {}).update(found)
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
