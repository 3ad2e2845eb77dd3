"""Consent by link: a page never acts when it is opened, a token works once, no is one click."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from privacy import consent, opt_in, preferences, suppression, tokens
from privacy.consent import Declaration
from privacy.models import Consent, ConsentEntry, OptIn, Subject, Suppression
from privacy.problems import DomainError
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def ask(subject: Subject, *, now: datetime = NOW) -> tuple[OptIn, str]:
    asked = opt_in.ask(
        subject,
        "campaign.email",
        "email",
        wording="Yes, write to me.",
        source="footer form",
        locale="de",
        now=now,
    )
    return asked, tokens.token(opt_in.USE, asked.uuid)


def path_of(link: str) -> str:
    return urlsplit(link).path


# Double opt-in --------------------------------------------------------------------------------


def test_a_consent_asked_for_holds_once_it_is_confirmed_and_keeps_its_evidence() -> None:
    ann = make.customer("ann", email="ann@example.com")
    asked, token = ask(ann.subject)
    assert not Customer.objects.for_purpose("campaign.email").exists()

    confirmed = opt_in.confirm(token, now=NOW + timedelta(hours=1))

    assert confirmed == asked
    assert Customer.objects.for_purpose("campaign.email").get() == ann
    entry = ConsentEntry.objects.get()
    assert entry.happened_at == NOW + timedelta(hours=1)
    assert (entry.source, entry.locale) == ("footer form", "de")
    assert entry.evidence == {"opt_in": str(asked.uuid), "asked_at": NOW.isoformat()}
    assert entry.wording_hash == consent.version_of("Yes,  write to\nme.")


def test_a_token_works_once() -> None:
    ann = make.customer("ann")
    _, token = ask(ann.subject)
    opt_in.confirm(token, now=NOW)
    consent.record(
        ann.subject,
        "campaign.email",
        "email",
        "withdrawn",
        wording="No.",
        source="x",
        happened_at=NOW + timedelta(hours=1),
        now=NOW + timedelta(hours=1),
    )

    opt_in.confirm(token, now=NOW + timedelta(hours=2))

    assert Consent.objects.get().state == "withdrawn"
    assert ConsentEntry.objects.filter(state="given").count() == 1


def test_an_old_question_does_not_undo_a_withdrawal_made_since() -> None:
    ann = make.customer("ann")
    _, token = ask(ann.subject)
    consent.record(
        ann.subject,
        "campaign.email",
        "email",
        "withdrawn",
        wording="No.",
        source="x",
        happened_at=NOW + timedelta(hours=1),
        now=NOW + timedelta(hours=1),
    )

    assert opt_in.confirm(token, now=NOW + timedelta(hours=2)) is None
    assert Consent.objects.get().state == "withdrawn"


@pytest.mark.parametrize("spoil", ["expired", "forged", "other use", "erased", "no token"])
def test_a_token_that_cannot_be_confirms_nothing(spoil: str) -> None:
    ann = make.customer("ann")
    asked, token = ask(ann.subject)
    now = NOW + (opt_in.VALID if spoil == "expired" else timedelta())
    if spoil == "forged":
        token = ("A" if token[-4] != "A" else "B").join([token[:-4], token[-3:]])
    if spoil == "other use":
        token = tokens.token(preferences.USE, asked.uuid)
    if spoil == "erased":
        Subject.objects.update(erased_at=NOW)
    if spoil == "no token":
        token = "?"

    assert opt_in.confirm(token, now=now) is None
    assert not ConsentEntry.objects.exists()


def test_who_unsubscribed_and_confirms_anew_is_written_to_and_a_bounced_address_is_not() -> None:
    ann = make.customer("ann", email="ann@example.com")
    bob = make.customer("bob", email="bob@example.com")
    suppression.suppress("email", "ann@example.com", reason="unsubscribed", now=NOW)
    suppression.suppress("email", "bob@example.com", reason="bounced", now=NOW)
    for customer in (ann, bob):
        opt_in.confirm(ask(customer.subject)[1], now=NOW)

    assert Customer.objects.for_purpose("campaign.email").get() == ann


def test_what_is_no_consent_cannot_be_asked_for() -> None:
    with pytest.raises(DomainError) as caught:
        opt_in.ask(make.subject(), "fun", "email", wording="x", source="x", now=NOW)

    assert caught.value.code == "unknown_purpose"


def test_opening_the_confirmation_page_confirms_nothing(client: Client) -> None:
    now = timezone.now()
    asked, _ = ask(make.customer("ann").subject, now=now)
    page = path_of(opt_in.link(asked))

    shown = client.get(page)
    client.head(page)

    assert "Yes, write to me." in shown.content.decode()
    assert shown["Cache-Control"].count("no-store") == 1
    assert not ConsentEntry.objects.exists()
    assert client.post(page).status_code == 200
    assert Consent.objects.get().state == "given"
    assert client.get("/y/" + "A" * 43).status_code == 404


# Preferences ----------------------------------------------------------------------------------


def test_saying_no_takes_one_click_and_counts_at_once(client: Client) -> None:
    ann = make.reader("ann")
    page = path_of(preferences.link(ann.subject_id))
    assert client.get(page).status_code == 200
    assert Customer.objects.for_purpose("campaign.email").exists(), "a look changes nothing"

    said = {"purpose": "campaign.email", "channel": "email", "on": "0"}
    assert client.post(page, said).status_code == 302

    assert not Customer.objects.for_purpose("campaign.email").exists()
    entry = ConsentEntry.objects.get()
    assert (entry.state, entry.source, entry.locale) == ("withdrawn", "preference page", "en")


def test_saying_yes_again_takes_one_click_too(client: Client) -> None:
    ann = make.customer("ann", email="ann@example.com")
    suppression.suppress("email", "ann@example.com", reason="unsubscribed", now=NOW)
    page = path_of(preferences.link(ann.subject_id))

    client.post(page, {"purpose": "campaign.email", "channel": "email", "on": "1"})

    assert Customer.objects.for_purpose("campaign.email").get() == ann


def test_each_purpose_is_refused_by_itself() -> None:
    ann = make.reader("ann")
    make.consent(ann, "campaign.sms", "sms")
    facts = {"wording": "No.", "locale": "en", "now": NOW}

    preferences.choose(ann.subject, "campaign.sms", "sms", on=False, **facts)  # type: ignore[arg-type]

    states = {choice.purpose: choice.is_on for choice in preferences.choices(ann.subject)}
    assert states == {
        "campaign.email": True,
        "campaign.email.existing": False,
        "campaign.push": False,
        "campaign.sms": False,
    }


def test_profiling_is_switched_off_and_on_by_one_click(client: Client) -> None:
    ann = make.reader("ann")
    page = path_of(preferences.link(ann.subject_id))

    client.post(page, {"profiling": "1", "on": "0"})
    assert not Customer.objects.for_purpose("recommend").exists()
    client.post(page, {"profiling": "1", "on": "1"})
    assert Customer.objects.for_purpose("recommend").exists()


@pytest.mark.parametrize(
    "said",
    [{}, {"purpose": "fun", "channel": "email", "on": "1"}, {"purpose": "campaign.email"},
     {"purpose": "campaign.email.existing", "channel": "email", "on": "1"}],
)  # fmt: skip
def test_what_the_page_does_not_offer_is_refused(client: Client, said: dict[str, str]) -> None:
    ann = make.customer("ann")

    answer = client.post(path_of(preferences.link(ann.subject_id)), said)

    assert answer.status_code == 400
    assert not ConsentEntry.objects.exists()


def test_a_page_opens_by_its_own_token_only(client: Client) -> None:
    ann = make.customer("ann")
    token = tokens.token(preferences.USE, ann.subject_id)
    assert tokens.read(preferences.USE, token) == ann.subject_id

    for other in (token[:-2] + "AA", tokens.token("x", ann.subject_id), str(uuid4()), "é" * 43):
        assert client.get(f"/p/{other}").status_code == 404
    Subject.objects.update(erased_at=NOW)
    for gone in (
        client.get(f"/p/{token}"),
        client.post(f"/p/{token}", {"purpose": "campaign.email"}),
    ):
        assert (gone.status_code, gone.cookies) == (200, {})
        assert "Nothing is held any more" in gone.content.decode()


# The ledger -------------------------------------------------------------------------------------


def test_the_database_refuses_to_change_the_ledger() -> None:
    opt_in.confirm(ask(make.customer("ann").subject)[1], now=NOW)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ConsentEntry.objects.update(state="withdrawn")
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        ConsentEntry.objects.all().delete()


def declared(subject: Subject, state: str, days_ago: int, **facts: object) -> Declaration:
    at = NOW - timedelta(days=days_ago)
    text = ("campaign.email", "email", state, "Yes.", "form", at)
    return Declaration(subject.uuid, *text, **facts)  # type: ignore[arg-type]


def test_an_import_taken_back_leaves_what_would_be_without_it() -> None:
    batch = uuid4()
    before, fresh, later = make.subject(), make.subject(), make.subject()
    consent.record_many([declared(before, "given", 9)], now=NOW)
    imported = [
        declared(before, "withdrawn", 5, batch=batch),
        declared(fresh, "given", 5, batch=batch),
        declared(later, "given", 5, batch=batch),
    ]
    consent.record_many(imported, now=NOW)
    consent.record_many([declared(later, "withdrawn", 1)], now=NOW)

    n_done = [consent.retract(batch, source="undo", now=NOW, limit=2) for _ in range(3)]

    assert n_done == [2, 1, 0]
    assert consent.is_in_force(before, "campaign.email")
    assert not Consent.objects.filter(subject=fresh).exists()
    assert Consent.objects.get(subject=later).state == "withdrawn"
    assert ConsentEntry.objects.filter(state="retracted").count() == 3
    assert ConsentEntry.objects.count() == 8, "nothing is deleted"


def test_evidence_holds_no_personal_data() -> None:
    evidence = {"form": "footer", "said": "mail anna@example.com"}
    consent.record_many([declared(make.subject(), "given", 1, evidence=evidence)], now=NOW)

    kept = ConsentEntry.objects.get().evidence
    assert kept["form"] == "footer"
    assert "anna" not in str(kept)


def test_suppressed_reasons_that_are_not_the_persons_own_stay() -> None:
    suppression.suppress("email", "a@example.com", reason="complained", now=NOW)

    tag = suppression.tag_of("email", "a@example.com")
    assert not suppression.lift_tag("email", tag, reason="unsubscribed", now=NOW)
    assert Suppression.objects.exists()


@pytest.mark.parametrize(
    ("language", "shown"), [("zh-CN", "您的选择"), ("zh-hans", "您的选择"), ("en", "Your choices")]
)
def test_the_page_speaks_the_language_of_the_message_and_keeps_it(
    client: Client, language: str, shown: str
) -> None:
    ann = make.customer("ann", email="ann@example.com")
    page = path_of(preferences.link(ann.subject.uuid)) + f"?language={language}"

    first = client.get(page, headers={"Accept-Language": "fr"})
    assert shown in first.content.decode()
    told = {"purpose": "campaign.sms", "channel": "sms", "on": "1"}
    after = client.post(page, told)
    assert shown in client.get(after["Location"]).content.decode()
    assert not first.cookies
    assert not after.cookies
