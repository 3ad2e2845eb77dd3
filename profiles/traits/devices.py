"""The devices customers own: how old, until when under warranty, when due for an upgrade."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils.translation import get_language

from profiles import registry
from profiles.models import CategoryNorm, OwnedDevice

if TYPE_CHECKING:
    from profiles.models import Customer

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Owned:
    """A device seen from a moment.

    `upgrade_at` is None where nothing is usual yet, or a newer one of the category is owned.
    """

    product_id: str
    title: str
    category: str
    brand: str
    quantity: int
    bought_at: datetime
    age_days: int
    warranty_ends_at: datetime | None
    under_warranty: bool
    upgrade_at: datetime | None
    is_upgrade_due: bool


def owned_by(customer: Customer, now: datetime) -> list[Owned]:
    """Return the customer's devices, the newest first."""
    devices = OwnedDevice.objects.filter(customer=customer).order_by("-bought_at", "-pk")
    usual = dict(
        CategoryNorm.objects.filter(
            category__in=devices.values("category"), replaced_days__isnull=False
        ).values_list("category", "replaced_days")
    )
    newest: set[str] = set()
    found = []
    for device in devices:
        days = usual.get(device.category) if device.category not in newest else None
        newest.add(device.category)
        found.append(_seen(device, now, days))
    return found


def _seen(device: OwnedDevice, now: datetime, replaced_days: int | None) -> Owned:
    upgrade_at = device.bought_at + DAY * replaced_days if replaced_days else None
    return Owned(
        product_id=device.product_id,
        title=device.title or device.product_id,
        category=device.category,
        brand=device.brand,
        quantity=device.quantity,
        bought_at=device.bought_at,
        age_days=(now - device.bought_at) // DAY,
        warranty_ends_at=device.warranty_ends_at,
        under_warranty=device.warranty_ends_at is not None and device.warranty_ends_at > now,
        upgrade_at=upgrade_at,
        is_upgrade_due=upgrade_at is not None and upgrade_at <= now,
    )


def panel(customer: Customer, now: datetime) -> dict[str, Any]:
    """What the customer's page shows of the devices, in the catalogue's words of the language."""
    devices, language = owned_by(customer, now), get_language() or "en"
    titles = registry.titles_in(language, [one.product_id for one in devices])
    categories = registry.categories_in(language) if devices else {}
    told = [
        replace(
            one,
            title=titles.get(one.product_id, one.title),
            category=categories.get(one.category, one.category),
        )
        for one in devices
    ]
    return {"devices": told}
