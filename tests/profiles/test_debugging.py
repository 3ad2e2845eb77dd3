"""The event debugger: every event with its verdict, the newest first, and nobody to be seen."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from privacy import doors
from privacy.models import ApiKey, Staff
from profiles.events import debugging, verdict_words
from profiles.events.debugging import Line, Wanted
from profiles.models import Event, EventStaging, EventVerdict
from tests import make
from tests.profiles.calls import identify, merge, post, track

pytestmark = pytest.mark.django_db
PAGE = "/admin/events/"


def lines(limit: int = 50, hours: float = 0, **wanted: Any) -> list[Line]:
    now = timezone.now() + timedelta(hours=hours)
    return debugging.lines(Wanted(**wanted), now=now, limit=limit)


def key_of_another_source() -> str:
    return doors.issue(make.source("App"), kind=ApiKey.Kind.APP, now=make.NOW)[1]


def test_every_event_stands_there_with_its_verdict_newest_first(client: Client) -> None:
    post(client, track(messageId="kept"))
    merge()
    post(client, track(messageId="kept"), {"type": "track", "messageId": "bad", "userId": "1"})
    merge()
    post(client, track(messageId="new"))

    told = [(line.message_id, line.verdict, line.codes) for line in lines()]

    assert told[0] == ("new", "waiting", ())
    assert set(told[1:3]) == {
        ("bad", "rejected", ("missing_event_name",)),
        ("kept", "duplicate", ("duplicate",)),
    }
    assert told[3:] == [("kept", "accepted", ())]
    assert [line.message_id for line in lines(limit=1)] == ["new"]


def test_an_event_that_is_merged_while_the_page_is_made_stands_there_once(client: Client) -> None:
    post(client, track(messageId="kept"))
    parcel = EventStaging.objects.get()
    merge()
    parcel.save(force_insert=True)  # as the question before the merge found it

    (line,) = lines()

    assert (line.message_id, line.verdict) == ("kept", "accepted")


def test_a_warning_stands_on_the_line_of_its_event(client: Client) -> None:
    post(client, track(properties={"email": "ann@shop.example", "product_id": "tv"}))
    (waiting,) = lines()
    merge()
    (accepted,) = lines()

    assert (waiting.verdict, waiting.codes) == ("waiting", ("personal_data_dropped",))
    assert (accepted.verdict, accepted.codes) == ("accepted", ("personal_data_dropped",))
    assert [line.verdict for line in lines(verdict="warned")] == ["warned"]


def test_lines_are_narrowed_by_source_verdict_and_name(client: Client) -> None:
    post(client, track("Product Viewed"), track("Product Added"), track(""))
    post(client, track("Product Viewed"), key=key_of_another_source())
    merge()

    shop = make.source().pk
    assert len(lines()) == 4
    assert len(lines(source_id=shop)) == 3
    assert [line.name for line in lines(source_id=shop, name="added")] == ["Product Added"]
    assert [line.codes for line in lines(verdict="rejected")] == [("missing_event_name",)]
    assert lines(verdict="waiting") == []


@pytest.mark.postgres
def test_a_name_is_found_in_capitals_of_any_language(client: Client) -> None:
    post(client, track("Menü geöffnet"))
    merge()

    assert [line.verdict for line in lines(name="MENÜ")] == ["accepted"]


def test_test_keys_are_marked_and_gone_after_a_day_whatever_the_verdict(client: Client) -> None:
    key = make.write_key(is_test=True)
    twice = track(messageId="m", properties={"email": "ann@shop.example"})
    post(client, twice, twice, track(""), key=key)

    shown = lines()
    assert {line.verdict for line in shown} == {"test", "duplicate", "rejected"}
    assert all(line.is_test for line in shown)
    assert lines(hours=24.1) == []  # though nothing was swept


def test_what_looks_personal_is_never_shown(client: Client) -> None:
    post(client, track(properties={"note": "fine", "product_id": "tv"}), identify("C-1"))
    merge()
    Event.objects.filter(kind="track").update(
        properties={"note": "call 13800138000, ann@b.example"}
    )

    shown = next(line for line in lines() if line.kind == "track")
    assert shown.carries == '{"note":"call [phone], [email]"}'


def test_lines_are_found_by_few_questions(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    post(client, *(track(messageId=f"m{n}") for n in range(60)))
    with django_assert_max_num_queries(4):
        assert len(lines()) == 50


def test_every_code_of_the_reference_has_words() -> None:
    page = Path("docs/reference/events.md").read_text(encoding="utf-8")
    table = page.partition("## Codes of an event")[2].partition("\n## ")[0]
    named = {
        code
        for row in re.findall(r"^\| (`[a-z_`, ]+) \|", table, re.MULTILINE)
        for code in re.findall(r"`([a-z_]+)`", row)
    }
    assert len(named) > 20
    assert named == set(verdict_words.CODES)
    assert set(verdict_words.VERDICTS) == set(debugging.VERDICTS)


def test_the_page_shows_the_lines_and_asks_only_for_what_is_new(client: Client) -> None:
    make.shop()
    client.force_login(make.staff(Staff.Role.VIEWER))
    post(client, track("Looked at"), track("", messageId="b"))

    page = client.get(PAGE).content.decode()
    assert page.index("missing_event_name") != page.index("Looked at")
    assert "A track call needs an event." in page
    again = re.search(r'hx-get="([^"]+seen=[^"]+)"', page)
    assert again
    address = again[1].replace("&amp;", "&")
    polling = {"HX-Request": "true"}
    assert client.get(address, headers=polling).status_code == 204

    post(client, track("Bought"))
    rows = client.get(address, headers=polling)
    assert rows.status_code == 200
    assert "Bought" in rows.content.decode()
    assert "<html" not in rows.content.decode()
    assert "no-store" in rows["Cache-Control"]


@pytest.mark.parametrize(
    "query", ["source=x", "source=99999999999999999999", "verdict=no", "name=%00", "seen=%F0"]
)
def test_a_filter_that_makes_no_sense_does_not_narrow(client: Client, query: str) -> None:
    make.shop()
    client.force_login(make.staff())
    post(client, track("Looked at"))

    answer = client.get(f"{PAGE}?{query}")
    assert answer.status_code == 200
    assert "Looked at" in answer.content.decode()


def test_who_is_not_staff_sees_nothing(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    assert not EventVerdict.objects.exists()
