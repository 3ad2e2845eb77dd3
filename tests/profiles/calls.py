"""Tracking calls as the tests send them, and the merge they wait for."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from django.utils import timezone

from jobs.models import Job
from profiles.arrivals import Arrival
from profiles.events import merging, staging
from profiles.models import Event, EventStaging, EventVerdict, Identity
from tests import make


def track(name: str = "Product Viewed", **members: Any) -> dict[str, Any]:
    return {"type": "track", "event": name, "anonymousId": "visitor-1", **members}


def post(
    client: Client, *events: dict[str, Any], key: str = "", path: str = "/v1/batch", **body: Any
) -> Any:
    content = {"batch": list(events), **body} if path == "/v1/batch" else events[0]
    return client.post(
        path,
        json.dumps(content),
        content_type="application/json",
        headers={"Authorization": f"Bearer {key or make.write_key()}"},
    )


def staged() -> list[Arrival]:
    """The events that wait for the merge, the latest first."""
    return list(staging.newest(1000))


def merge() -> None:
    merging.merge(timezone.now())


def identify(user_id: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user_id, "traits": traits}


def stored_text() -> str:
    """Everything the tables of events hold."""
    models = (Event, EventStaging, EventVerdict, Identity, Job)
    return str([list(model._default_manager.values()) for model in models])


def order_event(name: str = "Order Completed", **properties: Any) -> dict[str, Any]:
    products = [
        {"product_id": "tv", "name": "TV", "category": "Screens", "price": 100.0, "quantity": 2},
        {"sku": "hdmi", "price": "9.99"},
    ]
    return {
        "type": "track",
        "event": name,
        "userId": "C-1",
        "properties": {"order_id": "1001", "currency": "EUR", "products": products} | properties,
    }
