"""Topics: wanted or not on each channel, read anew at the gate; one click still ends the channel."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns import approvals, delivery, gate, reach, targeting
from campaigns.models import Campaign, Delivery
from privacy import consent, preferences, purposes, topics
from privacy.models import Consent, ConsentEntry, Staff, Topic
from privacy.problems import DomainError
from profiles.models import Customer
from tests import make
from tests.campaigns.sending import Tray
from tests.make import NOW

pytestmark = pytest.mark.django_db


def topic(key: str = "deals", **columns: Any) -> Topic:
    titles = {"en": "Deals", "zh-hans": "优惠"}
    return Topic.objects.create(key=key, titles=titles, **columns)


def say(customer: Customer, about: Topic, state: str) -> None:
    consent.record(
        customer.subject, about.ledger_name, "email", state,
        wording="x", source="x", happened_at=NOW, now=NOW,
    )  # fmt: skip


def campaign(about: Topic) -> Campaign:
    made = make.written_campaign()
    approvals.withdraw(made)
    Campaign.objects.filter(pk=made.pk).update(topic=about)
    made.refresh_from_db()
    approvals.approve(made, staff=make.staff(username="second"), now=NOW)
    return made


def page_of(customer: Customer) -> str:
    return preferences.link(customer.subject_id, "en").removeprefix("http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("by_choice", "said", "gets_it"),
    [
        (False, "", True),
        (False, "given", True),
        (False, "withdrawn", False),
        (True, "", False),
        (True, "given", True),
        (True, "withdrawn", False),
    ],
)
def test_a_topic_is_for_all_who_agreed_but_who_said_no_or_for_who_chose_it(
    by_choice: bool,  # noqa: FBT001
    said: str,
    gets_it: bool,  # noqa: FBT001
) -> None:
    about = topic(by_choice=by_choice)
    ann = make.reader("ann")
    if said:
        say(ann, about, said)
    made = make.written_campaign()
    made.topic = about
    made.save()
    found = reach.reach(made, NOW)

    assert targeting.audience(made, NOW).exists() == gets_it
    assert found.n_audience == int(gets_it)
    assert dict(found.barred) == ({} if gets_it else {"topic": 1})
    assert gate.barred(made, [ann.pk]) == ({} if gets_it else {ann.pk: "topic"})


def test_a_no_between_plan_and_sending_is_heard_and_told_as_the_reason() -> None:
    about, ann, bob = topic(), make.reader("ann"), make.reader("bob")
    made = campaign(about)
    delivery.plan(made, NOW)
    approvals.launch(made)
    say(ann, about, "withdrawn")
    tray = Tray()
    delivery.send_due(NOW, channel=tray)

    assert len(tray.taken) == 1
    row = Delivery.objects.get(customer=ann)
    assert (row.state, row.reason) == (Delivery.State.SKIPPED, "topic")
    assert Delivery.objects.get(customer=bob).state == Delivery.State.SENT
    assert "topic" in str(gate.in_words(row.reason))


def test_a_no_to_a_topic_says_nothing_of_other_advertising_on_the_channel() -> None:
    ann = make.customer("ann", email="ann@example.com")
    make.order(ann, ("p1", "tv", 1, 100))
    make.consent(ann, "campaign.email.existing", state="informed")
    say(ann, topic(), "withdrawn")
    free = Customer.objects.filter(purposes.may_use("campaign.email.existing", channel="email"))
    assert free.filter(pk=ann.pk).exists()


def test_another_topic_voids_an_approval() -> None:
    make.reader("ann")
    made = campaign(topic())
    assert not approvals.void_if_edited(made, now=NOW)
    made.topic = topic("care")
    made.save()
    assert approvals.void_if_edited(made, now=NOW)


def test_the_preference_page_keeps_topics_by_channel_and_only_what_changed(
    client: Client,
) -> None:
    deals, ann = topic(), make.reader("ann")
    topic("beta", by_choice=True)
    topic("old", is_shown=False)
    page = page_of(ann)
    shown = client.get(page).content.decode()
    assert "What you want to hear about" in shown
    assert ("deals:email" in shown, "old:email" in shown, "deals:sms" in shown) == (
        True,
        False,
        False,
    )
    offered = ["deals:email", "beta:email"]
    client.post(page, {"topics": "1", "offered": offered, "wanted": ["beta:email", "old:email"]})
    states = dict(
        Consent.objects.filter(subject=ann.subject, purpose__startswith="topic.").values_list(
            "purpose", "state"
        )
    )
    assert states == {"topic.deals": "withdrawn", "topic.beta": "given"}
    entry = ConsentEntry.objects.get(purpose="topic.deals")
    assert (entry.wording, entry.source) == (
        "Deals (E-mail): No, thank you",
        "preference page",
    )
    n_entries = ConsentEntry.objects.count()
    client.post(page, {"topics": "1", "offered": offered, "wanted": ["beta:email"]})
    assert ConsentEntry.objects.count() == n_entries
    assert topics.said_by(ann.subject_id)[deals.ledger_name, "email"] == "withdrawn"


def test_the_preference_page_names_topics_in_the_readers_language(client: Client) -> None:
    topic()
    ann = make.reader("ann")
    page = page_of(ann).replace("language=en", "language=zh-hans")
    assert "优惠" in client.get(page).content.decode()


@pytest.fixture
def sent() -> Delivery:
    make.reader("ann")
    made = campaign(topic())
    delivery.plan(made, NOW)
    approvals.launch(made)
    delivery.send_due(NOW, channel=Tray())
    return Delivery.objects.select_related("customer__subject").get()


def test_the_unsubscribe_page_offers_to_end_the_topic_alone(client: Client, sent: Delivery) -> None:
    page = f"/u/{sent.token}"
    assert "Only no more about “Deals”" in client.get(page).content.decode()
    assert not Consent.objects.filter(state="withdrawn").exists()
    for _again in range(2):
        reply = client.post(page, {"only": "topic"})
    assert "Everything else stays as it is" in reply.content.decode()
    assert list(Consent.objects.filter(state="withdrawn").values_list("purpose", flat=True)) == [
        "topic.deals"
    ]


@pytest.mark.parametrize("body", ["List-Unsubscribe=One-Click", ""])
def test_one_click_ends_the_channel_whatever_the_topic(
    client: Client, sent: Delivery, body: str
) -> None:
    kind = "application/x-www-form-urlencoded"
    assert client.post(f"/u/{sent.token}", body, content_type=kind).status_code == 200
    free = Customer.objects.for_purpose("campaign.email", channel="email")
    assert not free.filter(pk=sent.customer_id).exists()


def test_the_shops_server_may_declare_a_topic_and_none_that_is_not_there() -> None:
    ann = make.customer("ann")
    say(ann, topic(), "given")
    with pytest.raises(DomainError) as refused:
        say(ann, Topic(key="none"), "given")
    assert refused.value.code == "unknown_purpose"
    with pytest.raises(DomainError) as refused:
        say(ann, Topic.objects.get(), "informed")
    assert refused.value.code == "unknown_state"


def test_marketers_make_topics_in_each_language(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.MARKETER))
    facts = {"key": "new-in", "position": "1", "is_shown": "on"}
    nameless = client.post("/admin/privacy/topic/add/", facts)
    assert nameless.status_code == 200
    assert not Topic.objects.exists()
    named = {"titles_en": "New in", "titles_zh_hans": "新品", "notes_en": "Each week"}
    assert client.post("/admin/privacy/topic/add/", facts | named).status_code == 302
    made = Topic.objects.get()
    assert (made.titles, made.notes) == ({"en": "New in", "zh-hans": "新品"}, {"en": "Each week"})
    assert made.title("zh-CN") == "新品"
