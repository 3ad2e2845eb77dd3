"""Sign-up forms: one answer for everybody, a button that confirms, and the proof in the ledger."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from campaigns import history, signing_up
from campaigns.channels import outbox
from campaigns.models import SignUp, SignUpForm, SignUpText
from jobs import running
from jobs.models import Job
from privacy import registry, rights, suppression, tokens
from privacy.models import (
    Consent,
    ConsentEntry,
    Staff,
    Subject,
    SubjectKey,
    Suppression,
    Topic,
)
from privacy.purposes import purpose
from privacy.rights import Right
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
AGREES = "I want news of the shop by e-mail, about once a week, and may end it at any time."
ANN = "ann@example.com"


@pytest.fixture(autouse=True)
def _own_shop(settings: Any, tmp_path: Path) -> None:
    settings.OUTBOX_DIR = tmp_path / "outbox"
    settings.SMTP_URL = ""
    cache.clear()
    make.shop(sender_email="shop@shop.test")


def form(key: str = "news", *, topics: list[Topic] | None = None, **columns: Any) -> SignUpForm:
    made = SignUpForm.objects.create(key=key, name="News", created_at=NOW, **columns)
    made.topics.set(topics or [])
    texts = {"en": ("Our news", AGREES), "zh-hans": ("我们的消息", "我愿意收到邮件。")}
    for locale, (title, words) in texts.items():
        SignUpText.objects.create(
            form=made, locale=locale, title=title, consent=words, button="Sign up"
        )
    signing_up.keep_wordings(made, now=NOW)
    return made


def topic(key: str, **columns: Any) -> Topic:
    return Topic.objects.create(key=key, titles={"en": key.title(), "zh-hans": key}, **columns)


def post(client: Client, key: str = "news", **given: Any) -> Any:
    return client.post(f"/f/{key}?language=en", {"email": ANN} | given)


def letters(folder: Path) -> list[str]:
    for job in Job.objects.filter(kind=signing_up.JOB, state="queued"):
        running.run(job.pk, clock=timezone.now)
    shown = outbox.messages(folder / "outbox" / "letters")
    return [outbox.read(folder / "outbox" / "letters", one.name).text for one in shown]


def link_in(letter: str) -> str:
    found = re.search(r"https?://[^/]+(/s/\S+)", letter)
    assert found is not None
    return found[1]


def confirmed(client: Client, folder: Path) -> Customer:
    [text] = letters(folder)
    assert client.post(link_in(text)).status_code == 200
    about = SignUp.objects.get().about
    return Customer.objects.get(subject=about)


def is_reached(customer: Customer) -> bool:
    free = Customer.objects.for_purpose("campaign.email", channel="email")
    return free.filter(pk=customer.pk).exists()


def test_a_stranger_becomes_a_customer_who_agreed_once_they_confirm(
    client: Client, tmp_path: Path
) -> None:
    form()

    reply = post(client)
    assert (reply.status_code, reply["Location"]) == (302, "/f/news?sent=1&language=en")
    [text] = letters(tmp_path)
    assert AGREES in text
    assert not Customer.objects.exists()

    looked = client.get(link_in(text))
    assert AGREES in looked.content.decode()
    assert not Customer.objects.exists()  # a scanner's GET changes nothing

    for _again in range(2):
        assert "Thank you" in client.post(link_in(text)).content.decode()
    customer = Customer.objects.get()
    assert is_reached(customer)
    entry = ConsentEntry.objects.get()
    assert (entry.wording, entry.source, entry.locale) == (AGREES, "sign-up form: news", "en")
    asked = SignUp.objects.get()
    assert entry.evidence == {
        "sign_up": str(asked.uuid),
        "form": str(asked.form.uuid),
        "version": "1",
        "asked_at": asked.asked_at.isoformat(),
    }
    with purpose("campaign.email", actor="campaign:x", now=NOW):
        found = Customer.objects.for_purpose("campaign.email", channel="email").get()
        assert found.email is not None
        assert found.email.reveal() == ANN


def test_what_was_typed_is_gone_from_the_sign_up_once_it_is_confirmed(
    client: Client, tmp_path: Path
) -> None:
    form(asks=["full_name", "phone"])
    post(client, full_name="Ann Lee", phone="+8613800138000")
    key_of = SignUp.objects.get().subject_id
    customer = confirmed(client, tmp_path)

    asked = SignUp.objects.get()
    assert (asked.email, asked.full_name, asked.phone) == (None, None, None)
    assert not SubjectKey.objects.filter(subject_uuid=key_of).exists()
    assert customer.full_name is not None
    assert customer.phone is not None


@pytest.mark.parametrize("state", ["new", "known", "unsubscribed", "erased", "kept off"])
def test_the_form_answers_alike_whatever_is_known_of_the_address(
    client: Client, tmp_path: Path, state: str
) -> None:
    form()
    if state in {"known", "unsubscribed"}:
        make.customer("ann", email=ANN)
    if state in {"unsubscribed", "erased", "kept off"}:
        reasons = {"kept off": "imported"}
        suppression.suppress("email", ANN, reason=reasons.get(state, state), now=NOW)

    reply = post(client)
    page = client.get(reply["Location"])
    assert (reply.status_code, reply["Location"]) == (302, "/f/news?sent=1&language=en")
    assert "Look into your mail" in page.content.decode()
    assert len(letters(tmp_path)) == (0 if state == "kept off" else 1)


@pytest.mark.parametrize("reason", ["unsubscribed", "complained", "bounced", "erased"])
def test_who_confirms_is_written_to_again_whatever_kept_the_address_off(
    client: Client, tmp_path: Path, reason: str
) -> None:
    form()
    suppression.suppress("email", ANN, reason=reason, now=NOW)
    post(client)
    customer = confirmed(client, tmp_path)

    assert is_reached(customer)
    assert not Suppression.objects.exists()


def test_a_known_customer_keeps_their_id_and_name_and_loses_their_objection(
    client: Client, tmp_path: Path
) -> None:
    form(asks=["full_name"])
    known = make.customer("ann", email=ANN, full_name="Ann Lee")
    rights.switch(known.subject, Right.OBJECTION, on=True, actor="x", now=NOW)
    post(client, full_name="Somebody Else")
    customer = confirmed(client, tmp_path)

    assert (customer.pk, customer.external_id) == (known.pk, "ann")
    with purpose("support.reveal", actor="staff:administrator:1", now=NOW):
        assert customer.full_name is not None
        assert "S" not in str(customer.full_name)
    assert is_reached(customer)


def test_topics_that_were_ticked_are_wanted_and_the_others_are_not(
    client: Client, tmp_path: Path
) -> None:
    deals, care, later = topic("deals"), topic("care"), topic("beta", by_choice=True)
    form(topics=[deals, care])
    refused = post(client)
    assert refused.status_code == 400
    assert "Choose at least one topic" in refused.content.decode()

    post(client, topics=["deals", "beta"])
    customer = confirmed(client, tmp_path)
    states = dict(Consent.objects.filter(subject=customer.subject).values_list("purpose", "state"))
    assert states == {"campaign.email": "given", "topic.deals": "given", "topic.care": "withdrawn"}
    assert later.key == "beta"  # was not offered, so was not chosen


def test_who_agreed_before_loses_no_topic_by_signing_up_for_one(
    client: Client, tmp_path: Path
) -> None:
    form(topics=[topic("deals"), topic("care")])
    make.consent(make.customer("ann", email=ANN))
    post(client, topics=["deals"])
    customer = confirmed(client, tmp_path)
    named = Consent.objects.filter(subject=customer.subject).values_list("purpose", flat=True)
    assert sorted(named) == ["campaign.email", "topic.deals"]


def test_new_words_are_a_new_version_and_the_old_ones_stay_the_proof(
    client: Client, tmp_path: Path
) -> None:
    made = form()
    post(client)
    made.texts.filter(locale="en").update(consent="Other words.")
    assert signing_up.keep_wordings(made, now=NOW) == 1
    assert signing_up.keep_wordings(made, now=NOW) == 0
    confirmed(client, tmp_path)

    assert ConsentEntry.objects.get().wording == AGREES
    assert made.wordings.filter(locale="en").order_by("-version").values_list("version", "text")[
        0
    ] == (2, "Other words.")


def test_a_link_is_over_after_a_week_and_one_of_somebody_else_opens_nothing(
    client: Client,
) -> None:
    made = form()
    text = made.texts.get(locale="en")
    given = signing_up.Given(ANN)
    signing_up.ask(made, text, given, visitor="10.0.0.1", now=NOW)
    token = tokens.token(signing_up.USE, SignUp.objects.get().uuid)

    assert signing_up.confirm(token, now=NOW + signing_up.VALID) is None
    assert client.get(f"/s/{token[:-1]}A").status_code == 404
    assert client.get("/s/x").status_code == 404
    assert not Customer.objects.exists()


def test_programs_are_answered_and_left_out_and_an_address_gets_three_letters_a_day(
    client: Client,
) -> None:
    form()
    assert post(client, website="http://spam.example").status_code == 302
    assert not SignUp.objects.exists()
    for _again in range(5):
        assert post(client).status_code == 302
    assert SignUp.objects.count() == signing_up.PER_ADDRESS_A_DAY
    for n in range(6):
        reply = post(client, email=f"b{n}@example.com")
    assert reply.status_code == 429
    assert SignUp.objects.count() == signing_up.PER_ADDRESS_A_DAY + 5


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"email": "nobody"}, "not an e-mail address"),
        ({"email": "a" * 300 + "@example.com"}, "not an e-mail address"),
        ({"phone": "12"}, "cannot be read"),
        ({"full_name": "x" * 101}, "at most 100 characters"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    client: Client, given: dict[str, str], told: str
) -> None:
    form(asks=["full_name", "phone"])
    reply = post(client, **given)
    assert reply.status_code == 400
    assert told in reply.content.decode()
    assert next(iter(given.values())) in reply.content.decode()
    assert not SignUp.objects.exists()


def test_only_the_sites_that_are_named_may_frame_the_form_and_no_cookie_is_set(
    client: Client,
) -> None:
    form(origins=["https://www.shop.test"])
    reply = client.get("/f/news?framed=1&language=en")
    assert "frame-ancestors https://www.shop.test;" in f"{reply['Content-Security-Policy']};"
    assert "X-Frame-Options" not in reply
    assert not reply.cookies
    form("other")
    reply = client.get("/f/other")
    assert "frame-ancestors 'none'" in reply["Content-Security-Policy"]
    assert reply["X-Frame-Options"] == "DENY"


def test_the_form_speaks_the_language_that_is_asked_for(client: Client) -> None:
    form()
    assert "我们的消息" in client.get("/f/news?language=zh-hans").content.decode()
    assert (
        "我们的消息" in client.get("/f/news", headers={"Accept-Language": "zh-CN"}).content.decode()
    )
    assert "Our news" in client.get("/f/news?language=fr").content.decode()
    assert client.get("/f/none").status_code == 404


def test_a_closed_form_takes_nobody(client: Client) -> None:
    form(is_open=False)
    assert "closed" in client.get("/f/news?language=en").content.decode()
    assert post(client).status_code == 410
    assert not SignUp.objects.exists()


def test_an_erasure_takes_sign_ups_along_those_of_the_address_that_wait_among_them(
    client: Client, tmp_path: Path
) -> None:
    form()
    post(client)
    customer = confirmed(client, tmp_path)
    post(client)
    assert SignUp.objects.count() == 2
    sections = dict(registry.export_sections())
    told = list(sections["sign_ups"](customer.subject_id, NOW))
    assert [(row["form__name"], row["wording__text"]) for row in told] == [("News", AGREES)]

    holding = registry.holding_of(SignUp)
    assert holding is not None
    assert holding.rows(customer.subject_id).count() == 2


def test_who_never_confirms_is_forgotten_with_their_key(client: Client) -> None:
    form()
    post(client)
    key_of = SignUp.objects.get().subject_id
    schedule = next(one for one in registry.schedules() if one.name == "sign_ups")
    assert schedule.drop is not None
    assert schedule.drop(timezone.now() - timedelta(days=30)) == 0
    assert schedule.drop(timezone.now() + timedelta(days=1)) == 1
    assert not SignUp.objects.exists()
    assert not SubjectKey.objects.filter(subject_uuid=key_of).exists()
    assert not Subject.objects.filter(uuid=key_of).exists()


def test_a_merge_takes_sign_ups_along(client: Client, tmp_path: Path) -> None:
    form()
    post(client)
    customer, other = confirmed(client, tmp_path), make.customer("other")
    history.move(other.pk, customer.pk)
    assert SignUp.objects.get().about_id == other.subject_id


def test_the_form_is_made_in_the_admin_with_its_words_as_version_one(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.ADMINISTRATOR))
    texts = {
        "texts-TOTAL_FORMS": "1",
        "texts-INITIAL_FORMS": "0",
        "texts-0-locale": "en",
        "texts-0-title": "Our news",
        "texts-0-consent": AGREES,
        "texts-0-button": "Sign up",
    }
    facts = {"name": "News", "key": "news", "is_open": "on", "asks": "full_name"}
    wrong = client.post(
        "/admin/campaigns/signupform/add/", facts | texts | {"sites": "www.shop.test"}
    )
    assert wrong.status_code == 200
    reply = client.post(
        "/admin/campaigns/signupform/add/", facts | texts | {"sites": "https://www.shop.test"}
    )
    assert reply.status_code == 302
    made = SignUpForm.objects.get()
    assert (made.asks, made.origins) == (["full_name"], ["https://www.shop.test"])
    assert made.wordings.get().version == 1
    page = client.get(f"/admin/campaigns/signupform/{made.pk}/change/").content.decode()
    assert "/f/news?framed=1" in page
