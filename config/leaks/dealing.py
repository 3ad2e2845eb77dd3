"""What a shop does with the people it knows: carts, segments, lists, merges, webhooks, an erasure.

Values stand where they belong and, as people will, where they do not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from config.leaks.calling import Api
from config.leaks.canaries import Canary
from privacy import suppression
from privacy.models import Channel, Suppression

LINE = {"productId": "p1", "quantity": 1, "unitPrice": "19.99"}


class NotTakenError(Exception):
    """A call that the sweep needs was refused, so nothing of it was looked for."""


def deal(people: tuple[Canary, ...], api: Api, now: datetime) -> None:
    first, second, third, fourth, *_rest = people
    _carts(first, api)
    _segments(first, second, api)
    _one_of_two(first, second, api)
    _taken(api, "POST", "/v1/customers/batch", {"customers": [_facts(third)]})
    suppression.suppress(Channel.EMAIL, third.email, reason=Suppression.Reason.BOUNCED, now=now)
    api.send("DELETE", f"/v1/customers/{fourth.external_id}", "")


def listen(api: Api) -> None:
    """A webhook for every event; its address leads nowhere, so its messages wait in their rows."""
    events = [
        "consent.changed",
        "customer.erased",
        "customer.rights_changed",
        "job.finished",
        "suppression.added",
        "suppression.lifted",
    ]
    url = "https://hooks.invalid/candor"
    _taken(api, "POST", "/v1/webhooks", {"name": "ERP", "url": url, "eventTypes": events})


def _carts(person: Canary, api: Api) -> None:
    cart = {"customerId": person.external_id, "currency": "EUR", "lines": [LINE]}
    _taken(api, "PUT", "/v1/carts/cart-1", cart)
    _taken(api, "POST", "/v1/carts/cart-1/restore-token", "")
    api.send("PUT", f"/v1/carts/{person.email}", cart)
    order = {"customerId": person.external_id, "currency": "EUR", "lines": [LINE]}
    api.send("PUT", f"/v1/orders/{person.email}", order)
    refund = {"id": person.email, "refundedAt": "2026-03-01T08:00:00Z"}
    api.send("POST", "/v1/orders/batch", {"orders": [order | {"number": person.email}]})
    api.send("PUT", "/v1/orders/returned", order | {"refunds": [refund]})
    api.send("PUT", "/v1/carts/cart-2", cart | {"customerId": person.email})
    api.send("PUT", "/v1/carts/cart-2", cart | {"lines": [LINE | {"quantity": person.phone}]})


def _segments(first: Canary, second: Canary, api: Api) -> None:
    rule = {
        "combinator": "or",
        "rules": [
            {"field": "email", "operator": "=", "value": first.email},
            {"field": "phone", "operator": "in", "value": [first.phone, second.phone]},
        ],
    }
    wrong = {"rules": [{"field": "country", "operator": first.email, "value": first.phone}]}
    _taken(api, "POST", "/v1/segments", {"name": "Two of them", "rule": rule})
    _taken(api, "POST", "/v1/segments/preview", {"rule": rule})
    api.send("POST", "/v1/segments/preview", {"rule": wrong})
    ids = [first.external_id, second.external_id]
    _taken(api, "POST", "/v1/lists", {"name": "Guests", "customerIds": ids})


def _one_of_two(first: Canary, second: Canary, api: Api) -> None:
    """Another record of the first, made one with it and taken apart; ids that lead to them."""
    own = f"/v1/customers/{first.external_id}"
    _taken(api, "PUT", "/v1/customers/twin", {"phone": first.phone, "fullName": first.full_name})
    merged = _taken(api, "POST", f"{own}/merges", {"absorb": "twin", "reason": "the same person"})
    _taken(api, "POST", f"{own}/merges/{merged.json()['id']}/undo", {"reason": "they are two"})
    _taken(api, "POST", f"{own}/identifiers", {"kind": "card", "value": "card-0001"})
    api.send("POST", f"{own}/identifiers", {"kind": "email", "value": second.email})
    api.send("POST", f"{own}/merges", {"absorb": second.email, "reason": first.phone})


def _facts(person: Canary) -> dict[str, Any]:
    return {
        "id": person.external_id,
        "email": person.email,
        "phone": person.phone,
        "fullName": person.full_name,
    }


def _taken(api: Api, method: str, path: str, body: Any) -> Any:
    answer = api.send(method, path, body)
    if answer.status_code >= 300:  # noqa: PLR2004 -- no success
        raise NotTakenError(f"{method} {path}: {answer.content.decode()}")
    return answer
