"""`/v1/segments`: rules in; sizes, members and masked samples out."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from profiles import membership, segmentation
from profiles.models import Segment, SegmentMember, StaticList
from tests import make
from tests.profiles.test_orders_api import call

pytestmark = pytest.mark.django_db

ROME = {
    "combinator": "and",
    "not": False,
    "rules": [{"field": "city", "operator": "=", "value": "Rome"}],
}
BY_EMAIL = {
    "combinator": "and",
    "not": False,
    "rules": [{"field": "email", "operator": "=", "value": "c1@example.com"}],
}


def test_a_segment_is_made_read_changed_and_keeps_its_versions(client: Client) -> None:
    make.reader("c1", city="Rome")
    make.customer("c2", city="Rome")

    status, made = call(client, "POST", "/v1/segments", {"name": "Romans", "rule": ROME})

    assert status == 200
    assert (made["nCustomers"], made["reachable"], made["version"]) == (
        2,
        {"email": 1, "push": 0, "sms": 0},
        1,
    )
    assert made["filledAt"] is None  # no list, but a rule
    assert made["words"] == {"en": "Customers: city is Rome.", "zh-hans": "客户：城市是Rome。"}
    path = f"/v1/segments/{made['id']}"
    assert call(client, "GET", path) == (200, made)

    status, changed = call(client, "PUT", path, {"name": "One", "rule": BY_EMAIL})

    assert (status, changed["version"], changed["nCustomers"]) == (200, 2, 1)
    assert "example" not in json.dumps(changed)
    segment = Segment.objects.get()
    assert [row.number for row in segment.versions.order_by("number")] == [1, 2]
    assert list(segment.sizes.order_by("pk").values_list("version", "n_customers")) == [
        (1, 2),
        (2, 1),
    ]


def test_segments_come_in_pages(client: Client) -> None:
    for name in ("a", "b", "c"):
        segmentation.create(name, ROME, now=make.NOW)

    _status, first = call(client, "GET", "/v1/segments?limit=2")
    _status, rest = call(client, "GET", f"/v1/segments?limit=2&cursor={first['next']}")

    assert [one["name"] for one in first["data"] + rest["data"]] == ["c", "b", "a"]
    assert rest["next"] is None


def test_a_preview_counts_and_shows_masks(client: Client) -> None:
    make.reader("c1", city="Rome")

    status, told = call(client, "POST", "/v1/segments/preview", {"rule": BY_EMAIL})

    assert (status, told["nCustomers"], told["isComplete"]) == (200, 1, True)
    assert told["samples"][0]["id"] == "c1"
    text = json.dumps(told, ensure_ascii=False)
    assert "c1@example.com" not in text
    assert "Ann Lee" not in text
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    ("rule", "code", "pointer"),
    [
        ({"rules": [{"field": "shoe", "operator": "=", "value": 1}]}, "invalid_rule", "/rule/rules/0/field"),
        ({"rules": 3}, "invalid_rule", "/rule/rules"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_its_place(
    client: Client, rule: dict[str, Any], code: str, pointer: str
) -> None:
    for path in ("/v1/segments", "/v1/segments/preview"):
        status, told = call(client, "POST", path, {"name": "x", "rule": rule})

        assert (status, told["code"], told["errors"][0]["pointer"]) == (400, code, pointer)


def test_a_circle_is_refused(client: Client) -> None:
    first = segmentation.create("First", ROME, now=make.NOW)
    again = {"rules": [{"field": "segment", "operator": "=", "value": str(first.uuid)}]}

    status, told = call(
        client, "PUT", f"/v1/segments/{first.uuid}", {"name": "First", "rule": again}
    )

    assert (status, told["code"]) == (400, "segment_circle")
    first.refresh_from_db()
    assert first.rule == ROME


def test_a_name_is_taken_once(client: Client) -> None:
    segmentation.create("Romans", ROME, now=make.NOW)

    status, told = call(client, "POST", "/v1/segments", {"name": "Romans", "rule": ROME})

    assert (status, told["errors"][0]["pointer"]) == (400, "/name")


def test_members_come_in_pages_with_the_moment_they_entered(client: Client) -> None:
    segment = segmentation.create("Romans", ROME, now=timezone.now())
    make.customer("old", city="Rome")
    membership.refresh(segment, now=make.NOW)
    make.customer("new", city="Rome")
    path = f"/v1/segments/{segment.uuid}/members?limit=1"

    _status, first = call(client, "GET", path)
    _status, second = call(client, "GET", f"{path}&cursor={first['next']}")

    assert first["data"] == [{"id": "new", "enteredAt": None}]
    assert second == {"data": [{"id": "old", "enteredAt": "2026-03-02T09:00:00Z"}], "next": None}


def test_a_list_is_made_of_ids_with_a_segment_that_means_it(client: Client) -> None:
    make.customer("c1")
    make.customer("c2")
    body = {"name": "VIP", "customerIds": ["c1", " c2 ", "c1", "nobody"]}

    status, told = call(client, "POST", "/v1/lists", body)
    _status, again = call(client, "POST", "/v1/lists", body)

    assert (status, told["added"], told["unknown"]) == (200, 2, ["nobody"])
    assert (again["added"], again["segmentId"]) == (0, told["segmentId"])
    segment = call(client, "GET", f"/v1/segments/{told['segmentId']}")[1]
    filled_at = StaticList.objects.get().filled_at
    assert filled_at is not None
    assert datetime.fromisoformat(segment["filledAt"]) == filled_at
    assert Segment.objects.get(uuid=told["segmentId"]).n_customers == 2
    assert StaticList.objects.get().members.count() == 2
    assert call(client, "POST", "/v1/lists", {"name": "VIP", "customerIds": [" "]})[1]["code"] == (
        "list_empty"
    )


def test_keys_without_the_scope_are_kept_out(client: Client) -> None:
    reader = make.secret_key(["segments:read"])

    assert call(client, "GET", "/v1/segments", key=reader)[0] == 200
    assert call(client, "POST", "/v1/segments", {"name": "x", "rule": ROME}, key=reader)[1][
        "code"
    ] == ("missing_scope")
    assert call(client, "GET", "/v1/segments", key=make.write_key())[0] == 403


def test_a_member_deleted_leaves_no_stay() -> None:
    segment = segmentation.create("Romans", ROME, now=make.NOW)
    one = make.customer("c1", city="Rome")
    membership.refresh(segment, now=make.NOW + timedelta(hours=1))
    one.delete()

    assert not SegmentMember.objects.exists()
