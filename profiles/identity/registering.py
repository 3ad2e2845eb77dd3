"""Customers by the shop's own id: the ones known, and new ones in bulk."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from privacy.models import Subject
from profiles import changes
from profiles.identity import identifiers
from profiles.models import Customer


@transaction.atomic
def register(external_ids: Iterable[str], *, now: datetime) -> tuple[dict[str, int], int]:
    """Return the primary key of every id and how many customers were added for it.

    Another id of a known customer, such as one from before a merge, leads to that customer.
    A new customer holds no personal data yet, so its subject needs no key. Who registers an
    id at the same moment as another waits for that one and gets the same customer.
    """
    wanted = set(external_ids)
    keys = _keys(wanted)
    missing = sorted(wanted - keys.keys())
    if missing:
        known = identifiers.owners(missing, *identifiers.SHOP_IDS)
        keys |= {external_id: customer.pk for external_id, customer in known.items()}
        missing = sorted(wanted - keys.keys())
    if not missing:
        return keys, 0
    subjects = Subject.objects.bulk_create([Subject() for _ in missing])
    Customer.objects.bulk_create(
        [
            Customer(subject=subject, external_id=external_id, created_at=now)
            for subject, external_id in zip(subjects, missing, strict=True)
        ],
        ignore_conflicts=True,
    )
    rows = Customer.objects.filter(external_id__in=missing).values_list(
        "external_id", "pk", "subject"
    )
    there = list(rows)
    changes.mark(pk for _id, pk, _subject in there)
    unused = {subject.uuid for subject in subjects} - {subject for _id, _pk, subject in there}
    if unused:
        Subject.objects.filter(uuid__in=unused).delete()
    return keys | {external_id: pk for external_id, pk, _ in there}, len(missing) - len(unused)


def _keys(external_ids: set[str]) -> dict[str, int]:
    found = Customer.objects.filter(external_id__in=external_ids)
    return dict(found.values_list("external_id", "pk"))
