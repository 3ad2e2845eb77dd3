"""What cannot be taken in is kept sealed for a week and can be read again."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import running
from jobs.models import Job
from privacy import files
from privacy.crypto.stream import AlteredStreamError
from privacy.purposes import PurposeDeniedError, purpose
from profiles.events import merging, rejected_events
from profiles.events.rejected_events import Refused
from profiles.models import Customer, Event, EventDay, EventName, EventVerdict, RejectedEvent
from tests import make
from tests.profiles.calls import identify, merge, post, track

pytestmark = pytest.mark.django_db


def work_off() -> dict[str, Any]:
    job = Job.objects.get(kind=rejected_events.REPLAY, state=Job.State.QUEUED)
    done = running.run(job.pk, clock=timezone.now)
    assert done is not None
    assert done.state == Job.State.DONE, done.error_detail
    result: dict[str, Any] = done.result
    return result


def kept_by_an_older_version(event: dict[str, Any]) -> RejectedEvent:
    """An event that we read today, as a version kept it that could not."""
    source = make.source("Shop of last week")
    rejected_events.keep(
        [Refused(json.dumps(event).encode(), "event_too_large")],
        key=make.key_of(source),
        kind=None,
        sent_at=None,
        ip="203.0.113.9",
        now=timezone.now() - timedelta(minutes=5),
    )
    return RejectedEvent.objects.get(source=source)


def test_a_rejected_event_is_kept_sealed_beside_its_verdict(client: Client) -> None:
    answer = post(client, track(), track(event="", userId="ann@example.com"))

    assert answer.json()["rejected"][0]["code"] == "missing_event_name"
    kept = RejectedEvent.objects.get()
    assert kept.code == "missing_event_name"
    assert b"ann@example.com" not in bytes(kept.body)
    with pytest.raises(PurposeDeniedError):
        files.plain({kept.uuid: bytes(kept.body)}, label="x")


def test_a_sealed_body_does_not_open_as_another_rows() -> None:
    one, other = (RejectedEvent(code="x").uuid for _n in range(2))
    sealed = files.sealed(b"{}", one)

    with purpose("import", actor="test", now=timezone.now()):
        assert files.plain({one: sealed}, label="x") == {one: b"{}"}
        with pytest.raises(AlteredStreamError):
            files.plain({other: sealed}, label="x")


def test_groups_count_by_source_and_reason(client: Client) -> None:
    post(client, track(), track(event=""), track(event=""), track(type="sing"))

    found = {(group.code, group.n_events) for group in rejected_events.groups()}

    assert found == {("missing_event_name", 2), ("unknown_type", 1)}


def test_what_can_be_read_by_now_is_taken_in_once_as_if_it_came_then(client: Client) -> None:
    moment = (timezone.now() - timedelta(hours=1)).isoformat()
    kept = kept_by_an_older_version(track(messageId="m-1", userId="c1", timestamp=moment))
    post(client, track(event="", userId="c2"))

    rejected_events.ask_for_replay(kept.source_id, kept.code, timezone.now())
    result = work_off()
    merge()

    assert result == {"n_taken": 1, "n_refused": 0}
    stored = Event.objects.get()
    assert (stored.message_id, stored.received_at) == ("m-1", kept.received_at)
    assert stored.happened_at.isoformat() == moment
    assert stored.context["ip"] == "203.0.113.0"
    assert not stored.is_confirmed
    assert set(RejectedEvent.objects.values_list("code", flat=True)) == {"missing_event_name"}


def test_what_still_cannot_be_read_stays_and_says_when_it_was_tried(client: Client) -> None:
    post(client, track(), track(event=""))
    kept = RejectedEvent.objects.get()

    rejected_events.ask_for_replay(kept.source_id, kept.code, timezone.now())

    assert work_off() == {"n_taken": 0, "n_refused": 1}
    kept.refresh_from_db()
    assert kept.tried_at is not None
    assert Event.objects.count() == 0


def test_traits_of_a_replayed_event_are_sealed() -> None:
    kept = kept_by_an_older_version(identify("c9", email="ann@example.com"))

    rejected_events.ask_for_replay(kept.source_id, kept.code, timezone.now())
    work_off()
    merge()

    assert str(Customer.objects.get(external_id="c9").email) == "a***@e***.com"


def test_nothing_is_kept_beyond_a_week_nor_of_test_keys(client: Client) -> None:
    post(client, track(), track(event=""))
    post(client, track(), track(event=""), key=make.write_key(is_test=True))
    assert RejectedEvent.objects.count() == 1
    assert EventVerdict.objects.filter(is_test=True).count() == 2

    merging.forget(timezone.now() + timedelta(days=1, minutes=1))
    assert not EventVerdict.objects.filter(is_test=True).exists()
    assert RejectedEvent.objects.exists()
    merging.forget(timezone.now() + timedelta(days=7, minutes=1))
    assert not RejectedEvent.objects.exists()


def test_a_source_cannot_fill_the_disk() -> None:
    key = make.key_of(make.source())
    many = [Refused(b"{}", "missing_id")] * 5
    facts: dict[str, Any] = {"kind": None, "sent_at": None, "ip": "", "now": timezone.now()}

    assert rejected_events.keep(many[:1], key=key, most=3, **facts) == 1
    assert rejected_events.keep(many, key=key, most=3, **facts) == 2
    assert rejected_events.keep(many, key=key, most=3, **facts) == 0


def test_the_page_shows_shapes_only_and_reads_again_by_one_click(client: Client) -> None:
    post(client, track(), track(event="", userId="ann@example.com", properties={"t": "Ann 07"}))
    kept = RejectedEvent.objects.get()
    client.force_login(make.staff(role="administrator"))
    there = f"/admin/profiles/eventname/rejected/{kept.source_id}/{kept.code}/"

    page = client.get(there).content.decode()
    listed = client.get("/admin/profiles/eventname/").content.decode()
    answer = client.post(f"{there}replay/")

    assert "ann@example.com" not in page
    assert "xxx 99" in page
    assert kept.code in listed
    assert answer.status_code == 302
    assert Job.objects.filter(kind=rejected_events.REPLAY).count() == 1


@pytest.mark.parametrize("role", ["viewer", "support", "approver"])
def test_who_brings_no_data_in_does_not_look_at_it(client: Client, role: str) -> None:
    post(client, track(), track(event=""))
    kept = RejectedEvent.objects.get()
    client.force_login(make.staff(role=role))
    there = f"/admin/profiles/eventname/rejected/{kept.source_id}/{kept.code}/"

    assert client.get(there).status_code == 403
    assert client.post(f"{there}replay/").status_code == 403


def test_names_are_learned_with_what_they_carry(client: Client) -> None:
    post(client, track(properties={"product_id": "p1"}), track("Shelf Turned", properties={"a": 1}))
    merge()
    post(client, track("Shelf Turned", properties={"b": 1, "a": 2}))
    merge()

    turned = EventName.objects.get(name="Shelf Turned")
    assert (turned.n_events, turned.carries) == (2, ["a", "b"])
    assert turned.first_at < turned.last_at
    client.force_login(make.staff(role="viewer"))
    page = client.get("/admin/profiles/eventname/").content.decode()
    assert "Stored, not read" in page
    assert "Never came" in page


def test_a_known_name_that_never_carried_what_it_needs_is_told(client: Client) -> None:
    post(client, track("Product Added", properties={"sku": "x"}))
    merge()
    client.force_login(make.staff(role="viewer"))

    assert "Never carried product_id" in client.get("/admin/profiles/eventname/").content.decode()

    post(client, track("Product Added", properties={"productId": "x"}))
    merge()

    assert "Never carried" not in client.get("/admin/profiles/eventname/").content.decode()


def test_made_up_property_names_do_not_grow_without_end(client: Client) -> None:
    facts = {f"p{n}": n for n in range(200)} | {"x" * 500: 1}
    post(client, track("Odd", properties=facts))
    merge()

    carries = EventName.objects.get(name="Odd").carries
    assert len(carries) == 60
    assert max(map(len, carries)) <= 60


def test_days_count_every_event_once(client: Client) -> None:
    post(client, track(messageId="a"), track(messageId="b"))
    merge()
    post(client, track(messageId="b"), track(messageId="c"))
    merge()

    day = EventDay.objects.get()
    assert (day.n_events, day.day) == (3, timezone.now().date())
    assert day.n_events == Event.objects.count()
