from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from campaigns.models import Delivery
from jobs import running
from jobs.models import Job
from privacy import certificates, erasure, ledger, recipients, registry
from privacy.models import (
    AuditEntry,
    ConsentEntry,
    Disclosure,
    Erasure,
    LedgerEntry,
    Recipient,
    RecipientNotice,
    SubjectKey,
    Suppression,
)
from privacy.problems import DomainError
from profiles.identity import enrolling
from profiles.models import Customer, Order, OrderLine, Refund, StagedLine
from tests import make
from tests.make import NOW
from tests.privacy.persons import CANARIES, begun_job, erase, everything, world
from tests.profiles.calls import staged

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    settings.OUTBOX_DIR = tmp_path / "outbox"


def totals() -> dict[str, Any]:
    return {
        **Order.objects.aggregate(n=Sum("total_minor"), back=Sum("refunded_minor")),
        **OrderLine.objects.aggregate(lines=Sum("total_minor")),
        **Refund.objects.aggregate(refunds=Sum("amount_minor")),
        **StagedLine.objects.aggregate(staged=Sum("total_minor")),
    }


def test_after_an_erasure_nothing_of_the_person_is_left_anywhere() -> None:
    found = world()
    assert all(canary in everything() for canary in (CANARIES[0], CANARIES[1], CANARIES[5]))

    done = erase(found.person)

    assert done.state == Erasure.State.DONE
    left = everything()
    assert [canary for canary in CANARIES if canary in left] == []
    assert not found.message.exists()
    assert not SubjectKey.objects.filter(subject_uuid=found.person.subject_id).exists()


def test_the_books_hold_to_the_penny_with_a_guest_in_the_persons_place() -> None:
    found, before = world(), None
    before = totals()

    erase(found.person)

    assert totals() == before
    order = Order.objects.get(pk=found.order.pk)
    assert (order.customer, order.coupon) == (None, "")


def test_nothing_happens_to_the_neighbour() -> None:
    found = world()
    erase(found.person)

    neighbour = Customer.objects.get(external_id="neighbour")
    assert str(neighbour.email) == "n***@e***.com"
    assert neighbour.orders.count() == 1
    assert not neighbour.subject.restricted
    assert [one.customer_ref for one in staged()] == ["neighbour"]


def test_a_person_who_is_being_erased_is_written_to_no_more() -> None:
    found = world()

    erasure.begin(found.person.subject, actor="staff:1", now=NOW)

    assert not Customer.objects.for_purpose("campaign.email").filter(pk=found.person.pk).exists()


def test_an_erasure_waits_for_a_message_that_is_on_its_way() -> None:
    found = world()
    going = Delivery.objects.get(state="planned")
    Delivery.objects.filter(pk=going.pk).update(
        state="sending", lease_until=NOW + timedelta(minutes=1)
    )
    begun = erasure.begin(found.person.subject, actor="staff:1", now=NOW)

    job = running.run(begun_job(begun), clock=lambda: NOW)

    assert job is not None
    assert (job.state, job.error_code) == (Job.State.QUEUED, "StillOnItsWayError")
    assert Delivery.objects.filter(pk=going.pk).exists()
    job.not_before = NOW
    job.save()
    running.run(job.pk, clock=lambda: NOW + timedelta(minutes=2))
    assert Erasure.objects.get().state == Erasure.State.DONE


def test_the_address_stays_suppressed_when_the_person_is_brought_in_again() -> None:
    found = world()
    erase(found.person)

    again = enrolling.put("canary-shop-id", {"email": CANARIES[2]}, now=NOW)
    make.consent(again)

    assert not Customer.objects.for_purpose("campaign.email").filter(pk=again.pk).exists()
    assert set(Suppression.objects.values_list("reason", flat=True)) == {"erased"}


def test_what_came_in_while_the_tables_were_emptied_goes_with_the_rest() -> None:
    found = world()
    begun = erasure.begin(found.person.subject, actor="staff:1", now=NOW)
    job = Job.objects.get(pk=begun_job(begun))
    # As if an earlier attempt had emptied every table and was killed before its last step.
    job.cursor = {"steps": {n: ["-", 0] for n in ("freeze", "cancel", "suppress", "files")}}
    job.save()
    late = make.order(found.person, ("tv", "tv", 1, 100), number="late")

    running.run(job.pk, clock=lambda: NOW)

    late.refresh_from_db()
    assert (late.customer, late.total_minor) == (None, 100)


def test_an_erased_person_cannot_be_erased_again_and_a_running_one_is_the_same() -> None:
    found = world()
    first = erasure.begin(found.person.subject, actor="staff:1", now=NOW)
    assert erasure.begin(found.person.subject, actor="staff:2", now=NOW) == first
    running.run(begun_job(first), clock=lambda: NOW)
    found.person.subject.refresh_from_db()

    with pytest.raises(DomainError, match="erased already"):
        erasure.begin(found.person.subject, actor="staff:1", now=NOW)


def test_evidence_of_consent_and_the_audit_log_stay_and_name_nobody() -> None:
    found = world()
    uuid = found.person.subject.uuid
    ConsentEntry.objects.create(
        subject_id=uuid, purpose="campaign.email", channel="email", state="given",
        wording="Yes", source="shop", happened_at=NOW, recorded_at=NOW,
    )  # fmt: skip

    erase(found.person)

    assert ConsentEntry.objects.filter(subject__uuid=uuid).exists()
    assert AuditEntry.objects.filter(action="subject.erased").get().subjects == [str(uuid)]


# Recipients -------------------------------------------------------------------------------


def test_each_recipient_of_data_is_noted_to_be_told() -> None:
    found = world()
    Recipient.objects.create(name="Parcel service", since=NOW.date())
    Recipient.objects.create(name="From next year", since=NOW.date() + timedelta(days=300))

    erase(found.person)

    notice = RecipientNotice.objects.get()
    assert (notice.recipient.name, notice.state) == ("Parcel service", "pending")


def test_a_recipient_with_an_address_is_told_the_id_it_knows_the_person_by(
    settings: Any,
) -> None:
    make.shop(sender_email="shop@shop.test")
    found = world()
    Recipient.objects.create(name="Mailer", email="dpo@mailer.test", since=NOW.date())

    erase(found.person)

    (letter,) = (settings.OUTBOX_DIR / "letters").glob("*.eml")
    assert CANARIES[0] in letter.read_text()
    assert CANARIES[2] not in letter.read_text()
    assert RecipientNotice.objects.get().state == RecipientNotice.State.TOLD


def test_only_who_got_the_person_is_told_of_the_erasure() -> None:
    found = world()
    theirs, others = (
        recipients.named(name, Recipient.Kind.EXPORT, since=NOW.date())
        for name in ("Partner", "Stranger")
    )
    recipients.note(theirs, [found.person.subject_id, found.neighbour.subject_id], now=NOW)
    recipients.note(others, [found.neighbour.subject_id], now=NOW)

    erase(found.person)

    assert [notice.recipient for notice in RecipientNotice.objects.all()] == [theirs]


def test_who_was_given_a_person_twice_is_noted_once_with_both_moments() -> None:
    person = make.customer("c-1")
    partner = recipients.named("Partner", Recipient.Kind.EXPORT, since=NOW.date())
    assert recipients.named("Partner", Recipient.Kind.EXPORT, since=NOW.date()) == partner

    for days in (0, 2):
        recipients.note(partner, [person.subject_id] * 2, now=NOW + timedelta(days=days))

    noted = Disclosure.objects.get()
    assert (noted.first_at, noted.last_at) == (NOW, NOW + timedelta(days=2))


def test_noting_takes_as_many_queries_for_a_hundred_persons_as_for_three() -> None:
    partner = recipients.named("Partner", Recipient.Kind.EXPORT, since=NOW.date())

    def n_queries(n: int) -> int:
        persons = [make.subject().uuid for _ in range(n)]
        with CaptureQueriesContext(connection) as asked:
            recipients.note(partner, persons, now=NOW)
        return len(asked)

    assert n_queries(100) == n_queries(3)


@pytest.fixture
def _endpoint_of_an_app() -> Iterator[None]:
    registry.data_recipients("tests", lambda _subject: ["https://hook.example"])
    yield
    registry.data_recipients("tests", lambda _subject: [])


@pytest.mark.usefixtures("_endpoint_of_an_app")
def test_an_app_may_name_who_was_given_a_person() -> None:
    found = world()

    erase(found.person)

    told = RecipientNotice.objects.get(recipient__name="https://hook.example").recipient
    assert (told.kind, told.gets_everybody) == ("webhook", False)


# Certificates -----------------------------------------------------------------------------


def written(certificate: Any, folder: Path) -> str:
    path = folder / "certificate.json"
    path.write_text(json.dumps(certificate))
    return str(path)


def test_a_certificate_says_what_was_done_and_verifies_by_its_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = erase(world().person)

    call_command("verify_certificate", written(done.certificate, tmp_path))

    assert "holds" in capsys.readouterr().out
    document = done.certificate["document"]
    tables = {row["table"]: (row["action"], row["rows"]) for row in document["tables"]}
    assert tables["profiles.Customer"] == ("delete", 1)
    assert tables["profiles.Order"] == ("aggregate", 1)
    assert tables["profiles.Event"] == ("delete", 2)
    assert tables["privacy.SubjectKey"] == ("shred", 1)
    assert [step["step"] for step in document["steps"]][-2:] == ["key", "verify"]
    assert not any(canary in json.dumps(document) for canary in CANARIES)
    entry = AuditEntry.objects.get(pk=document["audit_head"]["entry"])
    assert bytes(entry.hash).hex() == document["audit_head"]["hash"]


@pytest.mark.parametrize("part", ["erasure", "tables", "signature", "public_key"])
def test_an_altered_certificate_is_refused(tmp_path: Path, part: str) -> None:
    certificate = erase(world().person).certificate
    if part in certificate:
        other = "A" if certificate[part][0] != "A" else "B"
        certificate[part] = other + certificate[part][1:]
    else:
        certificate["document"][part] = []

    with pytest.raises(CommandError):
        call_command("verify_certificate", written(certificate, tmp_path))


def test_a_certificate_that_another_key_signed_is_refused(tmp_path: Path) -> None:
    from base64 import b64encode

    from privacy.crypto import signing

    document = erase(world().person).certificate["document"]
    forged = {
        "document": document,
        "signature": b64encode(signing.sign(bytes(32), document)).decode(),
        "public_key": b64encode(signing.public_key(bytes(32))).decode(),
    }

    with pytest.raises(CommandError, match="another key"):
        call_command("verify_certificate", written(forged, tmp_path))
    # Who trusts that other key may say so: then no keystore is needed to check.
    call_command("verify_certificate", written(forged, tmp_path), public_key=forged["public_key"])


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"document": 1}', "\x00"])
def test_a_file_that_is_no_certificate_is_refused_in_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(CommandError):
        call_command("verify_certificate", str(path))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_certificate", str(tmp_path / "none.json"))


def test_the_public_key_is_the_installations_own() -> None:
    assert erase(world().person).certificate["public_key"] == certificates.public_key()


# After a restore --------------------------------------------------------------------------


def test_a_database_that_was_told_of_every_erasure_is_whole() -> None:
    erase(world().person)
    assert ledger.is_whole()
    assert len(ledger.entries()) == 1


def bring_back(found: Any, *, keystore_too: bool) -> None:
    """Erase, then put the databases back as they were before, as a restore would."""
    from django.core import serializers

    def taken(alias: str, *models: Any) -> list[str]:
        return [
            serializers.serialize("json", model._base_manager.using(alias).all())
            for model in models
        ]

    subject = found.person.subject
    before = taken("default", type(subject), Customer), taken("keystore", SubjectKey, LedgerEntry)
    erase(found.person)
    Erasure.objects.all().delete()
    Suppression.objects.all().delete()
    if keystore_too:
        LedgerEntry.objects.all().delete()
    for alias, texts in zip(("default", "keystore"), before, strict=True):
        for text in texts if alias == "default" or keystore_too else ():
            for row in serializers.deserialize("json", text, using=alias):
                row.save(using=alias)


@pytest.mark.parametrize("keystore_too", [False, True])
def test_a_restored_installation_serves_nobody_until_it_was_told(
    client: Any, capsys: pytest.CaptureFixture[str], *, keystore_too: bool
) -> None:
    found = world()
    bring_back(found, keystore_too=keystore_too)
    assert Customer.objects.filter(pk=found.person.pk).exists()

    refused = client.get("/admin/login/")
    assert refused.status_code == 503
    assert "restore_check" in refused.content.decode()
    assert client.get("/v1/schema").json()["code"] == "unavailable"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["erasures"]) == (503, "fail")
    with pytest.raises(CommandError, match="restore_check"):
        call_command("serve", *(["--beat"] if settings.REDIS_URL else []))

    call_command("restore_check")

    assert "1 persons were there again" in capsys.readouterr().out
    assert client.get("/admin/login/").status_code == 200
    left = everything()
    assert [canary for canary in CANARIES[:5] if canary in left] == []
    assert Erasure.objects.get().state == Erasure.State.REPLAYED
    assert Suppression.objects.filter(reason="erased").count() == 2
    assert not SubjectKey.objects.filter(subject_uuid=found.person.subject_id).exists()


def test_a_restore_without_the_person_is_whole_after_the_check() -> None:
    found = world()
    erase(found.person)
    Erasure.objects.all().delete()
    found.person.subject.delete()
    assert not ledger.is_whole()

    call_command("restore_check")

    assert ledger.is_whole()
    assert Erasure.objects.get().subject is None


def test_a_keystore_restored_alone_loses_the_key_again() -> None:
    found = world()
    keys = list(SubjectKey.objects.all())
    erase(found.person)
    LedgerEntry.objects.all().delete()
    SubjectKey.objects.all().delete()
    SubjectKey.objects.bulk_create(keys)
    assert not ledger.is_whole()

    call_command("restore_check")

    assert ledger.is_whole()
    assert not SubjectKey.objects.filter(subject_uuid=found.person.subject_id).exists()
    assert SubjectKey.objects.filter(subject_uuid=found.neighbour.subject_id).exists()


def test_a_torn_last_line_of_the_ledgers_file_is_mended_and_a_damaged_one_told() -> None:
    found = world()
    erase(found.person)
    with ledger.path().open("a") as file:
        file.write('{"erasure": "half')
    assert ledger.is_whole()
    erase(found.neighbour)
    assert len(ledger.path().read_text().splitlines()) == 2

    ledger.path().write_text("nonsense\n" + ledger.path().read_text())

    with pytest.raises(CommandError, match="line 1"):
        call_command("restore_check")
