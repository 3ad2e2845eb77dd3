"""Bounces, complaints and proofs of arrival: what they do to deliveries and to addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns import feedback, mailbox
from campaigns.bounces.codes import Kind
from campaigns.composing import message_id
from campaigns.feedback import SOFT_STREAK, Notice
from campaigns.models import Delivery, Feedback, Hit, Mailbox
from jobs import running
from jobs.models import Job
from privacy import consent, suppression
from privacy.models import Suppression
from profiles.models import Customer
from tests import make
from tests.campaigns.imap_server import imap
from tests.campaigns.test_returned_mail import sample
from tests.make import NOW

pytestmark = pytest.mark.django_db

State = Delivery.State
LATER = NOW + timedelta(hours=1)


def sent(name: str = "ann", *, state: str = "sent", campaign: str = "Spring") -> Delivery:
    found = Customer.objects.filter(external_id=name).first() or make.reader(name)
    of = make.campaign(campaign)
    return make.delivery(of, found, state=state, token=f"{of.pk:x}{name}".ljust(43, "t"))


def notice(of: Delivery, kind: Kind, **facts: Any) -> Notice:
    told: dict[str, Any] = {"source": "test", "event_id": str(uuid4()), "at": LATER}
    return Notice(kind=kind, **told | {"token": of.token} | facts)


def reason(name: str = "ann") -> str | None:
    tag = suppression.tag_of("email", f"{name}@example.com")
    found = Suppression.objects.filter(channel="email", address_tag=tag).first()
    return found.reason if found else None


def test_an_address_that_is_nobodys_is_never_written_to_again() -> None:
    row = sent()

    feedback.take([notice(row, Kind.HARD, code="5.1.1")], now=LATER)

    row.refresh_from_db()
    assert (row.state, row.reason) == (State.SENT, "bounce_hard")
    assert reason() == "bounced"
    assert Feedback.objects.values_list("kind", "code").get() == ("hard", "5.1.1")


def test_what_is_told_twice_counts_once() -> None:
    row = sent()
    same = notice(row, Kind.SOFT, event_id="e1")

    for _ in range(SOFT_STREAK + 1):
        feedback.take([same], now=LATER)

    assert Feedback.objects.count() == 1
    assert reason() is None


def test_a_full_mailbox_counts_as_dead_after_five_messages_in_a_row() -> None:
    for number in range(SOFT_STREAK):
        assert reason() is None
        feedback.take([notice(sent(campaign=f"c{number}"), Kind.SOFT)], now=LATER)

    assert reason() == "bounced"


@pytest.mark.parametrize("sign", ["delivered", "human", "machine"])
def test_a_sign_of_life_begins_the_streak_anew(sign: str) -> None:
    rows = [sent(campaign=f"c{number}") for number in range(SOFT_STREAK)]
    for row in rows[:-1]:
        feedback.take([notice(row, Kind.SOFT)], now=LATER)
    at = LATER + timedelta(minutes=1)
    if sign == "delivered":
        feedback.take([notice(rows[0], Kind.DELIVERED, at=at)], now=at)
    else:
        machine = sign == "machine"
        Hit.objects.create(delivery=rows[0], kind="open", at=at, by_machine=machine)
    last = at + timedelta(minutes=1)

    feedback.take([notice(rows[-1], Kind.SOFT, at=last)], now=last)

    assert (reason() is None) == (sign != "machine")


def test_a_refused_sender_says_nothing_of_the_address() -> None:
    for number in range(SOFT_STREAK + 2):
        feedback.take([notice(sent(campaign=f"c{number}"), Kind.BLOCKED)], now=LATER)

    assert reason() is None


@pytest.mark.parametrize("kind", [Kind.COMPLAINT, Kind.UNSUBSCRIBE])
def test_a_complaint_suppresses_and_takes_the_consent_back(kind: Kind) -> None:
    row = sent()

    feedback.take([notice(row, kind)], now=LATER)
    feedback.take([notice(row, kind)], now=LATER)

    assert reason() == {"complaint": "complained", "unsubscribe": "unsubscribed"}[kind]
    assert not consent.is_in_force(row.customer.subject, "campaign.email")
    assert consent.standing().filter(subject=row.customer.subject).count() == 1


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Kind.DELIVERED, State.SENT),
        (Kind.COMPLAINT, State.SENT),
        (Kind.HARD, State.FAILED),
        (Kind.SOFT, State.FAILED),
        (Kind.UNSUBSCRIBE, State.UNKNOWN),
    ],
)
def test_an_unknown_message_becomes_what_is_told_of_it(kind: Kind, state: str) -> None:
    row = sent(state="unknown")

    feedback.take([notice(row, kind)], now=LATER)

    row.refresh_from_db()
    assert row.state == state


def test_a_visit_proves_that_an_unknown_message_arrived(client: Client) -> None:
    row = sent(state="unknown", campaign="seen")
    Delivery.objects.filter(pk=row.pk).update(intended_at=NOW)

    client.get(f"/o/{row.token}", headers={"User-Agent": "curl/8"})

    row.refresh_from_db()
    assert (row.state, row.sent_at) == (State.SENT, NOW)


def test_an_id_alone_is_believed_only_with_the_address_it_was_sent_to() -> None:
    row = sent()
    named = {"token": "", "message_id": message_id(row.campaign, row.pk)}

    for recipient in ("", "eve@example.com", "not an address"):
        assert feedback.take([notice(row, Kind.HARD, recipient=recipient, **named)], now=LATER) == 0
    other = {"token": "", "message_id": message_id(make.campaign("Other"), row.pk)}
    assert feedback.take([notice(row, Kind.HARD, is_trusted=True, **other)], now=LATER) == 0
    assert reason() is None
    assert (
        feedback.take([notice(row, Kind.HARD, recipient="Ann@example.com", **named)], now=LATER)
        == 1
    )
    assert reason() == "bounced"


def test_many_notices_cost_as_many_queries_as_one() -> None:
    def cost(n: int) -> int:
        of = make.campaign(f"of {n}")
        rows = [
            make.delivery(of, make.reader(f"r{n}x{i}"), token=f"{n}x{i}".ljust(43, "_"))
            for i in range(n)
        ]
        kinds = [Kind.HARD, Kind.COMPLAINT, Kind.SOFT, Kind.DELIVERED]
        notices = [notice(row, kinds[i % 4]) for i, row in enumerate(rows)]
        with CaptureQueriesContext(connection) as seen:
            feedback.take(notices, now=LATER)
        return len(seen)

    assert cost(8) == cost(100)


# The mailbox --------------------------------------------------------------------------------


def go() -> Job:
    mailbox.ask(LATER)
    job = Job.objects.open().get(kind=mailbox.JOB)
    running.run(job.pk, clock=lambda: LATER)
    job.refresh_from_db()
    return job


def test_a_mailbox_is_read_once_each_and_left_as_it_was(settings: Any) -> None:
    row = sent()
    told = {"token": row.token or "", "message_id": message_id(row.campaign, row.pk)}
    with imap(u4=sample("hard", **told), u7=sample("away"), u9=sample("human")) as folder:
        settings.BOUNCE_MAILBOX_URL = folder.url
        go()
        assert folder.fetched == [4, 7, 9]
        folder.mails[12] = sample("complaint", **told)
        go()
        go()

    assert folder.fetched == [4, 7, 9, 12]
    assert set(folder.commands) <= {"CAPABILITY", "LOGIN", "EXAMINE", "UID", "LOGOUT"}
    box = Mailbox.objects.get()
    assert (box.last_uid, box.n_reports, box.n_automatic, box.n_replies) == (12, 2, 1, 1)
    assert set(Feedback.objects.values_list("kind", flat=True)) == {"hard", "complaint"}


def test_a_lost_line_loses_no_report_and_counts_none_twice(settings: Any) -> None:
    rows = [sent(f"n{number}", campaign=f"m{number}") for number in range(3)]
    mails = {
        f"u{number}": sample("hard", token=row.token or "").replace(
            b"<hard.dsn", b"<%d.dsn" % number
        )
        for number, row in enumerate(rows, start=1)
    }
    with imap(**mails) as folder:
        folder.cut_after = 1
        settings.BOUNCE_MAILBOX_URL = folder.url
        assert go().state != Job.State.DONE
        assert not Feedback.objects.exists()
        assert Mailbox.objects.get().last_error == "connection_lost"
        Job.objects.all().delete()
        assert go().state == Job.State.DONE

    assert Feedback.objects.count() == 3
    assert Mailbox.objects.get().last_error == ""


def test_a_folder_made_anew_is_read_from_its_start_without_counting_twice(settings: Any) -> None:
    row = sent()
    with imap(u5=sample("hard", token=row.token or "")) as folder:
        settings.BOUNCE_MAILBOX_URL = folder.url
        go()
        folder.validity, folder.mails = 2, {1: folder.mails[5]}
        go()

    assert folder.fetched == [5, 1]
    assert Feedback.objects.count() == 1


def test_a_wrong_password_is_named_without_being_shown(settings: Any) -> None:
    with imap() as folder:
        folder.password = "another"
        settings.BOUNCE_MAILBOX_URL = folder.url
        job = go()

    assert Mailbox.objects.get().last_error == "login_refused"
    assert "login_refused" in str(job.__dict__)
    assert "secret" not in str(job.__dict__)


def test_without_a_mailbox_nothing_is_asked_for(settings: Any) -> None:
    settings.BOUNCE_MAILBOX_URL = ""

    assert mailbox.ask(NOW) is None
    assert not Job.objects.exists()
