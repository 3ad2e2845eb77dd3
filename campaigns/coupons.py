"""Codes of their own for readers: one a delivery, the same at every try, good for one order."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime
from http import HTTPStatus
from typing import Final

from django.utils.translation import gettext as _

from campaigns.models import Coupon
from privacy.problems import DomainError

# No letter or digit that is read as another; 31 ** 12 is more than 2 ** 59.
LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXY"
PARTS, LENGTH = 3, 4


def of(deliveries: Collection[int]) -> dict[int, str]:
    """Return the code of each delivery, new ones made; three queries."""
    there = dict(_codes(deliveries))
    if missing := [pk for pk in deliveries if pk not in there]:
        made = [Coupon(delivery_id=pk, code=_drawn()) for pk in missing]
        Coupon.objects.bulk_create(made, ignore_conflicts=True)
        there |= dict(_codes(missing))
    return there


def _codes(deliveries: Collection[int]) -> list[tuple[int, str]]:
    rows = Coupon.objects.filter(delivery__in=list(deliveries))
    return list(rows.values_list("delivery_id", "code"))


def find(code: str) -> Coupon:
    """Return the coupon of that code, however it is written; raises DomainError."""
    told = code.strip().upper()
    rows = Coupon.objects.select_related("delivery__campaign", "delivery__customer")
    if (coupon := rows.filter(code=told).first()) is None:
        detail = _("There is no coupon of this code.")
        raise DomainError("coupon_unknown", detail, status=HTTPStatus.NOT_FOUND)
    return coupon


def redeem(code: str, *, order_number: str, now: datetime) -> Coupon:
    """Use the coupon for an order; again for the same order changes nothing.

    Raises DomainError `coupon_unknown`, `coupon_used`.
    """
    coupon = find(code)
    free = Coupon.objects.filter(pk=coupon.pk, redeemed_at__isnull=True)
    if free.update(redeemed_at=now, order_number=order_number):
        coupon.refresh_from_db()
        return coupon
    coupon.refresh_from_db()
    if coupon.order_number != order_number:
        detail = _("This coupon was used for another order.")
        raise DomainError("coupon_used", detail, status=HTTPStatus.CONFLICT)
    return coupon


def _drawn() -> str:
    return "-".join(
        "".join(secrets.choice(LETTERS) for _letter in range(LENGTH)) for _part in range(PARTS)
    )
