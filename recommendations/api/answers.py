"""A list as it is told: the members that the serializers of the views describe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

import msgspec
from django.http import HttpResponse
from django.utils import timezone

from privacy.models import Shop
from profiles.money import exponent, from_minor
from recommendations import served_lists
from recommendations.served_lists import Offered
from recommendations.serving import Recommended

CACHED: Final = "private, max-age=30"
_encode = msgspec.json.Encoder().encode


class Run(Protocol):
    """The training run whose lists are shown."""

    @property
    def pk(self) -> int: ...

    @property
    def engine(self) -> str: ...


def answer(
    items: Sequence[Recommended],
    run: Run | None,
    *,
    placement: str,
    filled_with: Sequence[str],
    currency: str = "",
    recommendation_id: UUID | None = None,
    is_noted: bool = False,
) -> HttpResponse:
    """The answer for one page, which its browser may keep for half a minute."""
    id_ = recommendation_id or uuid4()
    if is_noted:
        note([(id_, items, run)], placement=placement)
    currency = currency or Shop.current().currency
    body = told(id_, items, run, filled_with=filled_with, currency=currency)
    response = as_json({"placement": placement, **body})
    response["Cache-Control"] = CACHED
    return response


def note(
    lists: Iterable[tuple[UUID, Sequence[Recommended], Run | None]], *, placement: str
) -> None:
    """Write down what is offered where."""
    offered = [
        Offered(id_, run.pk if run else None, [item.product_id for item in items])
        for id_, items, run in lists
    ]
    served_lists.note(offered, placement=placement, now=timezone.now())


def as_json(body: dict[str, Any]) -> HttpResponse:
    """The members are those of the serializers: to copy each by them would take longer."""
    return HttpResponse(_encode(body), content_type="application/json")


def told(
    recommendation_id: UUID,
    items: Sequence[Recommended],
    run: Run | None,
    *,
    filled_with: Sequence[str],
    currency: str,
) -> dict[str, Any]:
    return {
        "recommendationId": recommendation_id,
        "model": {"name": run.engine, "version": str(run.pk)}
        if run
        else {"name": "popular", "version": ""},
        "items": [_item(item, position, currency) for position, item in enumerate(items, start=1)],
        "fallback": bool(filled_with),
        "filledWith": list(filled_with),
    }


def _item(item: Recommended, position: int, currency: str) -> dict[str, Any]:
    price, currency = item.price_minor, item.currency or currency
    return {
        "productId": item.product_id,
        "position": position,
        "score": float(f"{item.score:.6g}"),
        "reason": {
            "code": item.reason_code,
            "text": item.reason_text,
            "basedOn": item.based_on,
        },
        "product": {
            "title": item.title,
            "category": item.category,
            "price": None
            if price is None
            else f"{from_minor(price, currency):.{exponent(currency)}f}",
            "currency": currency,
            "imageUrl": item.image_url,
            "link": item.link,
        },
    }
