"""The pages of a segment: over time, versions taken up again, why somebody is in, lists."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any, cast

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from privacy.models import Staff
from profiles import membership, segmentation
from profiles.models import Segment, StaticList
from tests import make

pytestmark = pytest.mark.django_db
SEGMENTS = "/admin/profiles/segment/"


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.shop()


def browser(role: str = Staff.Role.MARKETER) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


def living_in(city: str) -> dict[str, Any]:
    return {
        "combinator": "and",
        "not": False,
        "rules": [{"field": "city", "operator": "=", "value": city}],
    }


def test_days_tell_size_and_who_entered_and_left() -> None:
    now = timezone.now()
    segment = segmentation.create("Romans", living_in("Rome"), now=now - timedelta(days=3))
    ann, _bob = make.customer("ann", city="Rome"), make.customer("bob", city="Rome")
    membership.refresh(segment, now=now - timedelta(days=2))
    ann.city = "Paris"
    ann.save(update_fields=["city"])
    membership.refresh(segment, now=now)
    segmentation.recount(segment, now=now)

    page = browser().get(f"{SEGMENTS}{segment.pk}/over-time/")

    told = [(day.n_customers, day.n_entered, day.n_left) for day in page.context["days"]]
    assert told == [(1, 0, 1), (None, 2, 0), (0, 0, 0)]
    assert page.context["sizes"] == [0, 1]


def test_an_earlier_version_is_taken_up_again_as_the_next_one() -> None:
    segment = segmentation.create("Romans", living_in("Rome"), now=timezone.now(), actor="eve")
    make.customer(city="Rome")
    segmentation.change(segment, name="Romans", rule=living_in("Paris"), now=timezone.now())
    client = browser()

    client.post(f"{SEGMENTS}{segment.pk}/restore/1/")
    page = client.get(f"{SEGMENTS}{segment.pk}/over-time/").content.decode()

    segment.refresh_from_db()
    assert (segment.version, segment.rule, segment.n_customers) == (3, living_in("Rome"), 1)
    assert "city is Paris" in page
    assert "eve" in page


def test_a_viewer_takes_up_no_version_and_brings_in_no_list() -> None:
    segment = segmentation.create("Romans", living_in("Rome"), now=timezone.now())
    viewer = browser(Staff.Role.VIEWER)

    assert viewer.post(f"{SEGMENTS}{segment.pk}/restore/1/").status_code == 403
    assert viewer.get(f"{SEGMENTS}list/").status_code == 403
    assert viewer.get(f"{SEGMENTS}{segment.pk}/over-time/").status_code == 200


def test_the_id_of_whoever_is_asked_for_is_not_in_the_address() -> None:
    segment = segmentation.create("Romans", living_in("Rome"), now=timezone.now())
    ann = make.customer("ann", city="Paris")
    client = browser()

    answer = client.post(f"{SEGMENTS}{segment.pk}/why/", {"customer": " ann "})
    page = client.get(answer["Location"]).content.decode()
    nobody = client.post(f"{SEGMENTS}{segment.pk}/why/", {"customer": "zoe"}).content.decode()

    assert answer["Location"] == f"{SEGMENTS}{segment.pk}/why/{ann.pk}/"
    assert "ann is not in the segment" in page
    assert "Paris" in page
    assert "No customer has this id." in nobody


@pytest.mark.parametrize(
    "content",
    [
        b"name,customer id\nAnn,ann\n,\nZoe,zoe-1\nBob,bob\n",
        b'{"customer id": "ann"}\n{"customer id": ""}\n{"customer id": "zoe-1"}\n{"customer id": "bob"}',
    ],
    ids=["csv", "jsonl"],
)
def test_a_list_is_brought_in_and_what_is_not_taken_is_told_by_line(content: bytes) -> None:
    for name in ("ann", "bob"):
        make.customer(name)
    file = SimpleUploadedFile("ids", content)

    staff = browser()
    page = staff.post(f"{SEGMENTS}list/", {"name": "Testers", "file": file})

    assert page.context["listed"].n_added == 2
    rejected = [(one.reason, one.shape) for one in page.context["rejected"]]
    assert rejected == [("The id is empty.", ""), ("No customer has this id.", "xxx-9")]
    listed = StaticList.objects.get()
    assert listed.members.count() == 2
    assert Segment.objects.get(name="Testers").n_customers == 2
    answer = staff.get(f"{SEGMENTS}list/{listed.uuid}/rejects/")
    file_of_them = b"".join(cast("Any", answer)).decode().splitlines()
    assert file_of_them[0] == "line,reason,shape"
    assert [line.split(",", 1)[1] for line in file_of_them[1:]] == [
        "The id is empty.,", "No customer has this id.,xxx-9",
    ]  # fmt: skip


def test_a_file_without_a_name_for_its_column_is_ids_from_the_first_line_on() -> None:
    make.customer("ann")

    page = browser().post(
        f"{SEGMENTS}list/", {"name": "Testers", "file": SimpleUploadedFile("ids", b"ann\n")}
    )

    assert page.context["listed"].n_added == 1


def test_a_file_that_is_none_is_told_in_words() -> None:
    file = SimpleUploadedFile("ids", b"[1, 2]")

    page = browser().post(f"{SEGMENTS}list/", {"name": "Testers", "file": file})

    assert "without a list around them" in page.content.decode()
    assert not StaticList.objects.exists()


def test_a_preview_tells_size_channels_words_and_masked_samples() -> None:
    ann = make.customer("ann", city="Rome", email="ann@example.com")
    make.consent(ann, "campaign.email", "email")
    rule = {"rule": json.dumps(living_in("Rome"))}

    told = browser().post(f"{SEGMENTS}preview/", rule).json()

    assert (told["ok"], told["text"]) == (True, "1 customer")
    assert "1 reachable by E-mail" in told["channels"]
    assert told["words"] == "Customers: city is Rome."
    assert [one[0] for one in told["samples"]] == ["ann"]
    assert "ann@example.com" not in str(told)


def test_a_preview_says_that_a_rule_leads_back_to_its_own_segment() -> None:
    first = segmentation.create("Romans", living_in("Rome"), now=timezone.now())
    named = {"rules": [{"field": "segment", "operator": "=", "value": str(first.uuid)}]}
    second = segmentation.create("All of them", named, now=timezone.now())
    circle = {"rules": [{"field": "segment", "operator": "=", "value": str(second.uuid)}]}
    staff = browser()
    page = staff.get(f"{SEGMENTS}{first.pk}/change/").content.decode()
    found = re.search(r'data-preview="([^"]+)"', page)
    assert found is not None

    told = staff.post(found[1], {"rule": json.dumps(circle)}).json()
    elsewhere = staff.post(f"{SEGMENTS}preview/", {"rule": json.dumps(circle)}).json()
    form = {"name": first.name, "rule": json.dumps(circle)}
    saved = staff.post(f"{SEGMENTS}{first.pk}/change/", form).content.decode()

    assert told["ok"] is False
    assert "Romans → All of them → Romans" in told["text"]
    assert elsewhere["ok"] is True
    assert "Romans → All of them → Romans" in saved
    assert "/rule/rules/0" not in saved


@pytest.mark.parametrize(
    ("field", "value", "told"), [("n_orders", "", "缺少值"), ("city", "", "请填写文本")]
)
def test_a_rule_that_is_not_finished_is_told_in_the_readers_words(
    field: str, value: str, told: str
) -> None:
    rule = json.dumps({"rules": [{"field": field, "operator": "=", "value": value}]})
    staff, chinese = browser(), {"Accept-Language": "zh-hans"}

    shown = staff.post(f"{SEGMENTS}preview/", {"rule": rule}, headers=chinese).json()
    saved = staff.post(f"{SEGMENTS}add/", {"name": "x", "rule": rule}, headers=chinese)

    assert (shown["ok"], shown["text"]) == (False, told)
    assert told in saved.content.decode()


def test_without_script_the_rule_stands_in_words() -> None:
    segment = segmentation.create("Romans", living_in("Rome"), now=timezone.now())

    page = browser().get(f"{SEGMENTS}{segment.pk}/change/").content.decode()

    assert "Customers: city is Rome." in page
    assert "<noscript>" in page
