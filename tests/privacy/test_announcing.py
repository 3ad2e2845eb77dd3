"""Facts are told of in the transaction that makes them, by ids, to whom it concerns."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction

from jobs import queue, running, sweeping
from jobs.models import Job
from privacy import announcing, consent, erasure, ledger, opt_in, rights, suppression
from privacy.announcing import Fact
from privacy.models import (
    Erasure,
    Suppression,
    WebhookDelivery,
    WebhookMessage,
)
from privacy.suppression import Entry
from profiles.importing.uploads import finish
from profiles.models import Customer, Upload
from tests import make
from tests.jobs import kinds as _kinds  # noqa: F401 -- registers the kinds
from tests.make import NOW
from tests.privacy.persons import erase, everything

pytestmark = pytest.mark.django_db
JOB = {"jobId": "1", "kind": "k", "state": "done", "errorCode": ""}


def told(kind: str = "") -> list[dict[str, Any]]:
    found = WebhookMessage.objects.order_by("pk")
    return [message.data for message in (found.filter(type=kind) if kind else found)]


def declare(customer: Customer, state: str, *, hours: float = 0) -> None:
    consent.record(
        customer.subject,
        "campaign.email",
        "email",
        state,
        wording="Yes",
        source="form",
        happened_at=NOW + timedelta(hours=hours),
        now=NOW + timedelta(hours=hours),
    )


# Whom ---------------------------------------------------------------------------------------


def test_only_who_listens_is_told_and_nothing_is_kept_where_nobody_does() -> None:
    assert announcing.announce([Fact("job.finished", JOB)], now=NOW) == 0
    make.webhook("customers", events=["customer.erased"])
    assert announcing.announce([Fact("job.finished", JOB)], now=NOW) == 0
    for name in ("one", "two"):
        make.webhook(name)
    make.webhook("off", state="disabled")

    assert announcing.announce([Fact("job.finished", JOB)], now=NOW) == 1

    [message] = WebhookMessage.objects.all()
    names = message.deliveries.order_by("pk").values_list("webhook__name", flat=True)
    assert list(names) == ["one", "two"]


def test_what_a_failing_webhook_misses_is_kept_to_be_sent_once_it_is_well() -> None:
    make.webhook(state="failing")
    announcing.announce([Fact("job.finished", JOB)], now=NOW)
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.reason) == ("failed", "webhook_disabled")


def test_a_fact_that_is_rolled_back_was_never_told() -> None:
    make.webhook()
    with transaction.atomic():
        assert announcing.announce([Fact("job.finished", JOB)], now=NOW) == 1
        transaction.set_rollback(True)
    assert told() == []


@pytest.mark.django_db(transaction=True)
def test_a_fact_outside_a_transaction_is_a_fault_of_the_code() -> None:
    with pytest.raises(RuntimeError):
        announcing.announce([], now=NOW)


def test_data_that_the_catalogue_does_not_describe_is_a_fault_of_the_code() -> None:
    make.webhook()
    with pytest.raises(ValueError, match="errorCode"):
        announcing.announce([Fact("job.finished", {"jobId": "1", "email": "a@b.c"})], now=NOW)


def test_a_thousand_facts_are_written_in_a_few_statements(
    django_assert_max_num_queries: Any,
) -> None:
    make.webhook(events=["suppression.added"])
    subjects = [make.customer(f"c{n}").subject_id for n in range(1_000)]
    facts = [
        Fact("suppression.added", {"channel": "email", "reason": "bounced"}, subject)
        for subject in subjects
    ]
    # SQLite takes fewer parameters a statement.
    with django_assert_max_num_queries(8 if connection.vendor == "postgresql" else 25):
        assert announcing.announce(facts, now=NOW) == 1_000


# What ---------------------------------------------------------------------------------------


def test_a_consent_is_told_of_when_what_is_in_force_changes() -> None:
    make.webhook(events=["consent.changed"])
    ann, bob = make.customer("ann"), make.customer("bob")

    declare(ann, "given")
    declare(ann, "given")
    declare(ann, "given", hours=1)
    declare(ann, "withdrawn", hours=2)
    declare(bob, "given", hours=1)

    same = {"purpose": "campaign.email", "channel": "email"}
    assert told() == [
        {"customerId": "ann", "state": "given", **same},
        {"customerId": "ann", "state": "withdrawn", **same},
        {"customerId": "bob", "state": "given", **same},
    ]
    assert set(WebhookMessage.objects.values_list("subject_id", flat=True)) == {
        ann.subject_id,
        bob.subject_id,
    }


def test_a_late_entry_that_changes_nothing_is_not_told_of() -> None:
    make.webhook(events=["consent.changed"])
    ann = make.customer("ann")
    declare(ann, "withdrawn", hours=2)
    declare(ann, "given", hours=1)
    assert [data["state"] for data in told()] == ["withdrawn"]


def test_consents_taken_back_with_their_import_are_told_of() -> None:
    ann, bob, batch = make.customer("ann"), make.customer("bob"), uuid4()
    declare(bob, "withdrawn", hours=-1)
    imported = [
        consent.Declaration(
            one.subject_id, "campaign.email", "email", "given", "Yes", "file", NOW, batch=batch
        )
        for one in (ann, bob)
    ]
    make.webhook(events=["consent.changed"])

    consent.record_many(imported, now=NOW)
    consent.retract(batch, source="undo", now=NOW)

    assert sorted((data["customerId"], data["state"]) for data in told()) == [
        ("ann", "given"),
        ("ann", "retracted"),
        ("bob", "given"),
        ("bob", "withdrawn"),
    ]


def test_a_double_opt_in_is_told_of_once_confirmed() -> None:
    make.webhook(events=["consent.changed"])
    ann = make.customer("ann")
    asked = opt_in.ask(
        ann.subject, "campaign.email", "email", wording="Yes", source="form", now=NOW
    )
    assert told() == []
    token = opt_in.link(asked).rpartition("/")[2]
    opt_in.confirm(token, now=NOW)
    opt_in.confirm(token, now=NOW)
    assert [data["state"] for data in told()] == ["given"]


def test_a_suppression_names_the_customers_of_the_address_and_nobody_for_a_strangers() -> None:
    make.webhook(events=["suppression.added"])
    make.reader("ann", email="ann@example.com")
    for address in ("Ann@Example.com", "ann@example.com", "stranger@example.com"):
        suppression.suppress("email", address, reason=Suppression.Reason.BOUNCED, now=NOW)

    assert told() == [{"customerId": "ann", "channel": "email", "reason": "bounced"}]
    assert Suppression.objects.count() == 2


def test_suppressions_of_a_file_are_told_of_once() -> None:
    make.webhook(events=["suppression.added"])
    for name in ("ann", "bob"):
        make.reader(name, email=f"{name}@example.com", phone="+447700900123")
    entries = [
        Entry(channel, suppression.tag_of(channel, address), "imported")
        for channel, address in (
            ("email", "ann@example.com"),
            ("email", "ann@example.com"),
            ("sms", "+447700900123"),
            ("email", "stranger@example.com"),
        )
    ]
    for n_new in (3, 0):
        fresh = suppression.unknown(entries)
        assert len(fresh) == n_new
        suppression.suppress_many(fresh, now=NOW)

    assert sorted((data["channel"], data["customerId"]) for data in told()) == [
        ("email", "ann"),
        ("sms", "ann"),
        ("sms", "bob"),
    ]


def test_rights_that_are_set_or_lifted_are_told_of() -> None:
    make.webhook(events=["customer.rights_changed"])
    ann = make.customer("ann")
    for on in (True, True, False):
        rights.switch(ann.subject, rights.Right.NO_PROFILING, on=on, actor="staff:1", now=NOW)
    assert told() == [
        {"customerId": "ann", "right": "no_profiling", "isSet": True},
        {"customerId": "ann", "right": "no_profiling", "isSet": False},
    ]


def test_jobs_are_told_of_however_they_end_and_those_of_every_few_seconds_are_not() -> None:
    make.webhook()
    done = queue.enqueue("tests.count", {"to": 1}, now=NOW)
    refused = queue.enqueue("tests.count", {"to": 1, "refuse_at": 0}, now=NOW)
    for job in (done, refused, queue.enqueue("profiles.merge_events", now=NOW)):
        running.run(job.pk, clock=lambda: NOW)
    cancelled = queue.enqueue("tests.count", {"to": 1}, now=NOW)
    queue.cancel(cancelled, NOW)
    lost = queue.enqueue("tests.count", {"to": 1}, now=NOW)
    running.claim(lost.pk, now=NOW)
    Job.objects.filter(pk=lost.pk).update(n_attempts=5)
    sweeping.sweep(NOW + timedelta(hours=1))

    found = [(data["jobId"], data["state"], data["errorCode"]) for data in told()]

    assert found == [
        (str(done.uuid), "done", ""),
        (str(refused.uuid), "dead", "too_far"),
        (str(cancelled.uuid), "cancelled", "cancelled"),
        (str(lost.uuid), "dead", "worker_lost"),
    ]


def test_an_import_is_told_of_at_its_end_and_a_preview_is_not() -> None:
    make.webhook(events=["import.finished"])
    for options in ({}, {"preview": True}):
        upload = Upload.objects.create(
            kind="orders", filename="a.csv", options=options, created_at=NOW
        )
        finish(upload, {}, n_rejected=3, now=NOW)
    first = Upload.objects.order_by("pk")[0]
    assert told() == [{"uploadId": str(first.uuid), "kind": "orders", "rejected": 3}]


# Erasure ------------------------------------------------------------------------------------


@pytest.fixture
def _own_folder(settings: Any, tmp_path: Any) -> None:
    settings.VAR_DIR = tmp_path
    settings.OUTBOX_DIR = tmp_path / "outbox"


@pytest.mark.usefixtures("_own_folder")
def test_an_erasure_takes_what_was_told_of_the_person_and_tells_of_itself() -> None:
    events = ["consent.changed", "customer.erased", "suppression.added"]
    make.webhook(events=events)
    ann, bob = make.reader("ann-canary"), make.reader("bob")
    for one in (ann, bob):
        declare(one, "withdrawn")
    assert "ann-canary" in everything()

    done = erase(ann)

    assert [data["customerId"] for data in told("consent.changed")] == ["bob"]
    assert told("suppression.added") == []
    assert told("customer.erased") == [{"customerId": "ann-canary", "erasureId": str(done.uuid)}]
    assert WebhookDelivery.objects.count() == 2
    assert erasure.left_over(ann.subject_id) == {}


@pytest.mark.usefixtures("_own_folder")
def test_an_erasure_that_a_restore_makes_necessary_again_is_told_of_again() -> None:
    ann = make.reader("ann")
    subject = ann.subject
    done = Erasure.objects.create(
        subject=subject, subject_tag=b"x" * 16, actor="staff:1", started_at=NOW
    )
    make.webhook(events=["customer.erased"])
    entry = ledger.Entry(done.uuid, ledger.tag_of(subject.uuid), NOW)
    erasure.replay(entry, now=NOW)
    assert told() == [{"customerId": "ann", "erasureId": str(done.uuid)}]
