"""Event files: each row is one call, cleaned as the event door cleans it, once."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from profiles.events import merging
from profiles.files.rejects import path_of
from profiles.models import Customer, Event, EventKey, Order, Upload
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
HEAD = "event,timestamp,user id,anonymous id,sku,colour\n"
GOOD = "Product Viewed,2026-01-05 10:30:00,c-1,,HP-200,black\n"


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def load(path: Path, text: str, **options: Any) -> Upload:
    path.write_text(text, encoding="utf-8")
    call_command("import_events", str(path), stdout=io.StringIO(), **options)
    merging.merge(NOW)
    return Upload.objects.latest("pk")


def test_an_event_comes_in_with_its_customer_and_what_is_left_as_properties(tmp_path: Path) -> None:
    customer = make.customer("c-1")

    upload = load(tmp_path / "e.csv", HEAD + GOOD)

    event = Event.objects.get()
    assert upload.summary["counts"] == {"rows": 1, "added": 1}
    assert (event.name, event.customer, event.product_id) == ("Product Viewed", customer, "HP-200")
    assert event.properties == {"colour": "black", "product_id": "HP-200"}
    assert event.source.name == "Event files"


def test_an_order_by_another_trackers_name_is_an_order_too(tmp_path: Path) -> None:
    purchase = {
        "event": "purchase", "timestamp": "2026-01-05T10:00:00Z", "userId": "c-1",
        "properties": {"transaction_id": "9", "currency": "EUR", "items": [
            {"item_id": "tv", "quantity": 1, "price": 999}
        ]},
    }  # fmt: skip

    upload = load(tmp_path / "e.jsonl", json.dumps(purchase) + "\n")

    assert upload.summary["reasons"] == {"order_event": 1}
    assert not Order.objects.exists()


def test_the_same_events_again_add_nothing_however_late(tmp_path: Path) -> None:
    load(tmp_path / "e.csv", HEAD + GOOD)
    EventKey.objects.update(seen_at=NOW - timedelta(days=30))
    merging.forget(NOW)

    again = load(tmp_path / "more.csv", HEAD + GOOD + GOOD.replace("black", "white"))

    assert again.summary["counts"] == {"rows": 2, "added": 1, "same": 1}
    assert Event.objects.count() == 2


def test_calls_as_trackers_write_them_come_in_from_json_lines(tmp_path: Path) -> None:
    calls = [
        {"type": "track", "event": "Product Viewed", "userId": "c-1", "messageId": "m-1",
         "timestamp": "2026-01-05T10:30:00Z", "properties": {"product_id": "p", "price": 5}},
        {"type": "identify", "userId": "c-1", "messageId": "m-2",
         "timestamp": "2026-01-05T10:31:00Z", "traits": {"email": "ann@example.com"}},
    ]  # fmt: skip

    load(tmp_path / "e.jsonl", "".join(json.dumps(call) + "\n" for call in calls))

    viewed, identified = Event.objects.order_by("message_id")
    assert (viewed.message_id, viewed.properties) == ("m-1", {"product_id": "p", "price": 5})
    assert identified.kind == "identify"
    assert Customer.objects.get(email="ann@example.com").external_id == "c-1"


def test_personal_data_in_properties_is_left_out_and_counted(tmp_path: Path) -> None:
    text = HEAD + GOOD.replace("black", "ann@example.com")

    upload = load(tmp_path / "e.csv", text)

    assert Event.objects.get().properties == {"product_id": "HP-200"}
    assert upload.summary["counts"]["masked"] == 1


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("Product Viewed,yesterday,c-1,,,\n", "date_invalid"),
        ("Product Viewed,2026-01-05,,,,\n", "missing_id"),
        (",2026-01-05,c-1,,,\n", "missing_event_name"),
        ("Order Completed,2026-01-05,c-1,,,\n", "order_event"),
        ("Product Viewed,1970-01-01,c-1,,,\n", "timestamp_too_old"),
    ],
)
def test_a_row_that_cannot_be_an_event_says_why_and_the_rest_is_kept(
    tmp_path: Path, row: str, code: str
) -> None:
    upload = load(tmp_path / "e.csv", HEAD + row + GOOD)

    assert path_of(upload).read_text().splitlines()[1].split(",")[:2] == ["2", code]
    assert Event.objects.count() == 1
