"""Feeds in the admin: made, filled by a file, watched, and asked about what they no longer hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy.models import Staff
from profiles.files.appended import FULL_BYTES
from recommendations.feeds.report import path_of
from recommendations.models import Feed, FeedImport, Product
from tests import make
from tests.recommendations.feeds import bring, row, tsv

pytestmark = pytest.mark.django_db
FEEDS = "/admin/recommendations/feed/"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    make.shop()
    with override_settings(VAR_DIR=tmp_path):
        yield tmp_path


def browser(role: str = Staff.Role.MARKETER) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


def facts(**more: Any) -> dict[str, Any]:
    return {"name": "main", "every_hours": 24, "encoding": "utf-8", "is_whole": "on", **more}


def run_all() -> None:
    for job in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        running.run(job.pk, clock=timezone.now)


def test_a_report_that_had_no_room_for_all_rows_says_so(folder: Path) -> None:
    brought = bring(folder, tsv(row("p1", price="much"), row("p2")))
    client, page = browser(), f"{FEEDS}import/{brought.pk}/"
    assert "as far as 32 MiB go" not in client.get(page).content.decode()

    os.truncate(path_of(brought), FULL_BYTES)

    assert "as far as 32 MiB go" in client.get(page).content.decode()


def test_a_feed_is_made_and_a_file_of_it_comes_in() -> None:
    client = browser()
    client.post(f"{FEEDS}add/", facts())
    feed = Feed.objects.get()

    content = tsv(row("1"), row("2", price="NaN"))
    told = client.post(
        f"{FEEDS}{feed.pk}/file/", {"file": SimpleUploadedFile("may.tsv", content)}, follow=True
    )
    assert told.status_code == 200
    run_all()

    brought = FeedImport.objects.get()
    page = client.get(f"{FEEDS}import/{brought.pk}/").content.decode()
    assert "price_invalid" in page
    assert "Write an amount and a currency" in page
    report = client.get(f"{FEEDS}import/{brought.pk}/report/")
    assert b"price_invalid" in b"".join(report)
    assert Product.objects.get().product_id == "1"
    assert "may.tsv" in client.get(f"{FEEDS}{feed.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"country": "D1"}, "country"),
        ({"language": "chinese!"}, "language"),
        ({"url": "http://shop.example/"}, "url"),
        ({"every_hours": 0}, "every_hours"),
        ({"encoding": "utf-16"}, "encoding"),
    ],
)
def test_a_feed_that_cannot_be_is_refused_at_its_field(wrong: dict[str, Any], field: str) -> None:
    answer = browser().post(f"{FEEDS}add/", facts(**wrong))

    assert answer.context["adminform"].form.errors.keys() == {field}


def test_another_address_is_fetched_from_now_on() -> None:
    client = browser()
    client.post(f"{FEEDS}add/", facts(url="https://shop.example/a.xml"))
    Feed.objects.update(etag='"1"', fingerprint="x", next_fetch_at=None)
    feed = Feed.objects.get()

    client.post(f"{FEEDS}{feed.pk}/change/", facts(url="https://shop.example/b.xml", country="de"))

    feed.refresh_from_db()
    assert (feed.etag, feed.fingerprint, feed.country) == ("", "", "DE")
    assert feed.next_fetch_at is not None


@pytest.mark.parametrize(("answer", "n_off"), [({}, 3), ({"leave": "1"}, 0)])
def test_what_a_feed_no_longer_holds_is_decided_on_its_page(
    folder: Path, answer: dict[str, str], n_off: int
) -> None:
    bring(folder, tsv(*(row(str(n)) for n in range(4))))
    brought = bring(folder, tsv(row("0")))
    client = browser()
    page = f"{FEEDS}import/{brought.pk}/"
    assert "Take them off sale" in client.get(page).content.decode()

    client.post(f"{page}decide/", answer)
    run_all()

    assert Product.objects.filter(is_active=False).count() == n_off
    assert "Take them off sale" not in client.get(page).content.decode()


def test_who_may_only_look_changes_nothing(folder: Path) -> None:
    bring(folder, tsv(*(row(str(n)) for n in range(4))))
    brought = bring(folder, tsv(row("0")))
    client = browser(Staff.Role.VIEWER)

    assert client.get(f"{FEEDS}import/{brought.pk}/").status_code == 200
    for path in (f"import/{brought.pk}/decide/", f"{brought.feed_id}/fetch/"):
        assert client.post(f"{FEEDS}{path}").status_code == 403
    assert client.get(f"{FEEDS}{brought.feed_id}/file/").status_code == 403
