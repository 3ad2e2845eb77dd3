"""The page on data quality tells what is there, and each number stands in a table too."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from profiles import quality, reject_words
from profiles.models import EventDay, EventKey, EventVerdict, Order, Upload
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
PAGE = "/admin/profiles/cleaningstate/"


@pytest.fixture(autouse=True)
def shop() -> None:
    make.shop()


def rejected(n: int, code: str = "missing_id") -> None:
    EventVerdict.objects.bulk_create(
        EventVerdict(source=make.source(), verdict="rejected", code=code, received_at=NOW)
        for _ in range(n)
    )


def upload(n: int, code: str, **columns: object) -> None:
    Upload.objects.create(
        kind="customers",
        filename="c.csv",
        created_at=NOW,
        finished_at=NOW - timedelta(days=2),
        n_rejected=n,
        summary={"reasons": {code: n}},
        **columns,
    )


def test_completeness_is_the_share_of_rows_that_hold_something() -> None:
    make.customer("1", email="a@example.com", country="DE")
    make.customer("2", full_name="Ann Lee")
    make.order(None, ("tv", "", 1, 100))

    found = {
        (group, one.label): one.text
        for group, parts in quality.completeness().items()
        for one in parts
    }

    assert found["Customers", "E-mail"] == found["Customers", "Name"] == "50%"
    assert found["Customers", "Phone"] == found["Orders", "Customer"] == "0%"
    assert found["Order lines", "Category"] == "0%"


def test_rejects_are_counted_by_day_and_dry_runs_are_not() -> None:
    rejected(3)
    upload(5, "email_invalid")
    upload(7, "email_invalid", options={"preview": True})

    days = {day.on: (day.n_rows, day.n_events) for day in quality.rejects_by_day(NOW) if day.n}

    today = NOW.date()
    assert days == {today: (0, 3), today - timedelta(days=2): (5, 0)}


def test_the_most_frequent_reason_comes_first_with_its_source() -> None:
    rejected(3)
    upload(5, "email_invalid")
    upload(2, "email_invalid")

    found = [(one.code, one.where, one.value) for one in quality.top_reasons(NOW)]

    assert found == [("email_invalid", "File: Customers", 7), ("missing_id", "Web shop", 3)]


def test_every_reason_has_words() -> None:
    """What the references name as reasons of rows, the pages tell in words."""
    errors = Path("docs/reference/errors.md").read_text(encoding="utf-8")
    commands = Path("docs/reference/commands.md").read_text(encoding="utf-8")
    tables = [
        errors.partition("## Why a row of a file was set aside")[2].partition("\n## ")[0],
        commands.partition("| reject code | the row |")[2].partition("\n## ")[0],
    ]
    named = {
        code
        for row in re.findall(r"^\| (`[a-z_`, ]+) \|", "\n".join(tables), re.MULTILINE)
        for code in re.findall(r"`([a-z_]+)`", row)
    }

    assert len(named) > 40
    assert named == set(reject_words.ROWS)
    assert reject_words.of_row("timestamp_too_old") == "The timestamp lies before the year 2000."
    assert reject_words.of_row("of_tomorrow") == "of_tomorrow"


def test_events_are_counted_by_day_and_source() -> None:
    shop, app = make.source(), make.source("App")
    today = NOW.date()
    EventDay.objects.bulk_create(
        EventDay(source=source, day=day, kind="track", name=name, n_events=n)
        for source, day, name, n in [
            (shop, today, "Product Viewed", 3),
            (shop, today, "Product Added", 1),
            (app, today, "Product Viewed", 5),
            (shop, today - timedelta(days=29), "Product Viewed", 7),
            (shop, today - timedelta(days=30), "Product Viewed", 9),
        ]
    )

    days = quality.events_by_day(NOW)

    assert [(day.on, day.by_source) for day in days if day.n] == [
        (today - timedelta(days=29), (("Web shop", 7),)),
        (today, (("App", 5), ("Web shop", 4))),
    ]
    assert len(days) == 30


def test_a_source_shows_when_it_was_heard_of_and_how_much_of_it_was_rejected() -> None:
    rejected(1)
    order = make.order(None, ("tv", "", 1, 100), days_ago=3)

    (found,) = quality.freshness(NOW)

    assert (found.last_event_at, found.last_order_at) == (None, order.placed_at)
    assert found.rejected_rate == 1.0


def test_only_events_of_the_last_seven_days_are_counted_whenever_the_rest_is_forgotten() -> None:
    shop = make.source()
    for n, days in enumerate((0, 6, 8, 300)):
        EventKey.objects.create(
            source=shop, message_id=str(n), staging_id=1, seen_at=NOW - timedelta(days=days)
        )

    (found,) = quality.freshness(NOW)

    assert (found.n_events, found.last_event_at) == (2, NOW)


def test_the_page_shows_marks_and_reasons_to_who_may_see_them(client: Client) -> None:
    ann = make.customer("ann")
    make.order(ann, ("tv", "", 1, 100))
    Order.objects.update(quality="test")
    good = make.order(None, ("tv", "", 1, 100))
    EventVerdict.objects.create(
        source=make.source(), verdict="rejected", code="too_deep", received_at=timezone.now()
    )
    assert client.get(PAGE).status_code == 302
    client.force_login(make.staff())

    page = client.get(PAGE)

    assert ("Test", 0, 1, False) in page.context["marks"]
    assert [order.customer for order in page.context["marked_orders"]] == [ann]
    assert f"/admin/profiles/customer/{ann.pk}/change/" in page.content.decode()
    assert good.number not in page.content.decode()
    assert "The event is nested too deeply · Web shop" in page.content.decode()
    assert "too_deep" in page.content.decode()
