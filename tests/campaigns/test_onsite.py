"""On-site content: decided at each request for who may see it; shown, followed and counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns import (
    approvals,
    attribution,
    cloning,
    delivery,
    limits,
    looking,
    measurement,
    onsite,
    tracking,
)
from campaigns.models import Campaign, Card, Delivery, Hit, SendingRules, Variant
from privacy import doors, rights
from privacy.models import ApiKey, Source, Staff, Topic
from privacy.problems import DomainError
from privacy.rights import Right
from profiles.events import merging
from profiles.models import Customer, Event, Identity, Segment
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 Version/17.5 Safari"
TARGET = "https://www.shop.test/tv"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


def written(
    name: str = "Hero", *, place: str = "hero", holdout_ppm: int = 0, **columns: Any
) -> Campaign:
    made = make.written_campaign(
        name,
        approved=False,
        channel="onsite",
        purpose="campaign.onsite",
        placement=place,
        holdout_ppm=holdout_ppm,
        **columns,
    )
    variant = made.variants.get()
    for locale, title in {"en": f"{name} for you", "zh-hans": "为您精选"}.items():
        Card.objects.create(variant=variant, locale=locale, title=title, text="x", url=TARGET)
    return made


def running(name: str = "Hero", **options: Any) -> Campaign:
    made = written(name, **options)
    boss = Staff.objects.filter(username="boss").first() or make.staff(username="boss")
    approvals.approve(made, staff=boss, now=NOW)
    delivery.plan(made, NOW)
    approvals.launch(made)
    return made


def titles(customer: Customer, *places: str, language: str = "en", now: Any = NOW) -> list[str]:
    found = onsite.decide(places or ("hero",), customer.pk, language, now)
    return [one.card.title for one in found]


def ask(client: Client, key: str, **body: Any) -> Any:
    return client.post(
        "/v1/decisions",
        {"placements": ["hero"]} | body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {key}"},
    )


def known(customer: Customer, anonymous_id: str) -> None:
    Identity.objects.create(customer=customer, anonymous_id=anonymous_id, joined_at=NOW)


def test_a_visitor_gets_a_place_at_the_first_page_and_keeps_it() -> None:
    ann, made = make.customer("ann"), running()
    assert not Delivery.objects.exists()
    assert titles(ann) == ["Hero for you"]
    row = Delivery.objects.get()
    assert (row.state, row.sent_at, row.entered_at) == (Delivery.State.SENT, NOW, NOW)
    assert titles(ann, now=NOW + timedelta(days=1)) == ["Hero for you"]
    assert titles(ann, language="zh-CN") == ["为您精选"]
    assert Delivery.objects.get().sent_at == NOW
    delivery.finish(NOW)
    delivery.send_due(NOW)
    made.refresh_from_db()
    assert made.status == Campaign.Status.SENDING


def test_arms_and_holdout_are_dealt_as_in_every_campaign() -> None:
    made = written(holdout_ppm=500_000)
    second = Variant.objects.create(campaign=made, key="B", weight=1)
    for locale in ("en", "zh-hans"):
        Card.objects.create(variant=second, locale=locale, title="Other", url=TARGET)
    approvals.approve(made, staff=make.staff(username="boss"), now=NOW)
    delivery.plan(made, NOW)
    approvals.launch(made)
    people = [make.customer(f"c{n}") for n in range(60)]
    seen = {person.pk: titles(person) for person in people}

    states = dict(Delivery.objects.values_list("customer", "state"))
    assert {pk for pk, shown in seen.items() if not shown} == {
        pk for pk, state in states.items() if state == "holdout"
    }
    assert 10 < sum(not shown for shown in seen.values()) < 50
    assert {shown[0] for shown in seen.values() if shown} == {"Hero for you", "Other"}


def test_only_the_segment_at_its_place_while_it_runs() -> None:
    rule = {
        "combinator": "and", "not": False,
        "rules": [{"field": "country", "operator": "=", "value": "DE"}],
    }  # fmt: skip
    germans = Segment.objects.create(name="DE", rule=rule, created_at=NOW)
    made = running(segment=germans, ends_at=NOW + timedelta(days=1))
    ann, bob = make.customer("ann", country="DE"), make.customer("bob", country="FR")

    assert (titles(ann), titles(bob)) == (["Hero for you"], [])
    assert titles(ann, "footer") == []
    later = NOW + timedelta(days=1)
    assert titles(ann, now=later) == []
    delivery.finish(later)
    made.refresh_from_db()
    assert made.status == Campaign.Status.FINISHED


def test_who_is_not_in_the_audience_is_asked_for_again_after_a_minute() -> None:
    running()
    ann = make.customer("ann")
    rights.switch(ann.subject, Right.OBJECTION, on=True, actor="x", now=NOW)
    assert titles(ann) == []
    rights.switch(ann.subject, Right.OBJECTION, on=False, actor="x", now=NOW)
    assert titles(ann) == []
    cache.clear()
    assert titles(ann) == ["Hero for you"]


@pytest.mark.parametrize("right", [Right.OBJECTION, Right.RESTRICTION])
def test_an_objection_takes_it_off_the_next_page(right: Right) -> None:
    running()
    ann = make.customer("ann")
    assert titles(ann) == ["Hero for you"]
    rights.switch(ann.subject, right, on=True, actor="x", now=NOW)
    assert titles(ann) == []


def test_a_pause_and_a_topic_nobody_asked_for_show_nothing() -> None:
    made = running(topic=Topic.objects.create(key="beta", by_choice=True))
    ann = make.customer("ann")
    assert titles(ann) == []
    Campaign.objects.update(topic=None)
    cache.clear()
    assert titles(ann) == ["Hero for you"]
    approvals.pause(made)
    assert titles(ann) == []


def test_it_is_shown_as_often_as_the_cap_says_and_then_the_next_one_is() -> None:
    running(times_shown=2)
    running("Second")
    ann = make.customer("ann")
    for minute in range(3):
        at = NOW + timedelta(minutes=minute)
        expected = "Hero for you" if minute < 2 else "Second for you"
        assert titles(ann, now=at) == [expected]
        token = Delivery.objects.get(campaign__name="Hero").token or ""
        visit = tracking.Visit("POST", BROWSER)
        for _twice in range(2):  # a page that reports twice counts once
            assert onsite.seen(token, visit, at)


def test_views_and_clicks_count_in_the_report_and_reach_the_profile() -> None:
    made, ann = running(), make.customer("ann")
    [shown] = onsite.decide(["hero"], ann.pk, "en", NOW)
    onsite.seen(shown.token, tracking.Visit("POST", BROWSER), NOW)
    target = tracking.clicked(shown.link.rpartition("/")[2], tracking.Visit("GET", BROWSER), NOW)
    assert target == TARGET
    arm = next(one for one in measurement.report(made, NOW).arms if one.key == "A")
    assert (arm.n, arm.n_opened, arm.n_clicked) == (1, 1, 1)
    assert not Hit.objects.filter(by_machine=True).exists()

    tracking.tell(NOW + timedelta(minutes=2))
    merging.merge(now=NOW + timedelta(minutes=2))
    assert set(Event.objects.values_list("name", flat=True)) == {
        "Promotion Viewed",
        "Promotion Clicked",
    }


def test_orders_count_from_the_first_visit_on() -> None:
    made, ann = running(), make.customer("ann")
    make.order(ann, ("p", "tv", 1, 100), at=NOW + timedelta(hours=1))
    make.order(ann, ("p", "tv", 1, 100), at=NOW + timedelta(hours=3))
    titles(ann, now=NOW + timedelta(hours=2))
    assert attribution.attribute(made, NOW + timedelta(days=1)).n_written == 1


def test_on_site_content_uses_up_no_cap_of_messages() -> None:
    SendingRules.objects.create(pk=1, cap_messages=1, cap_days=7)
    running()
    ann = make.reader("ann")
    titles(ann)
    mail = make.written_campaign("Mail")
    assert limits.capped(SendingRules.current(), mail, [ann.pk], NOW) == set()


def test_what_is_wrong_with_it_is_said_before_approval_and_an_edit_voids_it() -> None:
    made = written(place="")
    Card.objects.filter(locale="zh-hans").delete()
    second = Variant.objects.create(campaign=made, key="B", weight=1)
    Card.objects.create(variant=second, locale="zh-hans", title="x", url=TARGET)
    with pytest.raises(DomainError) as refused:
        approvals.approve(made, staff=make.staff(username="boss"), now=NOW)
    assert {fault.code for fault in refused.value.errors} == {"no_placement", "missing_language"}

    good = written("Good")
    approvals.approve(good, staff=Staff.objects.get(), now=NOW)
    Card.objects.filter(variant__campaign=good).update(title="Changed")
    assert approvals.void_if_edited(good, now=NOW)


def test_a_copy_has_the_same_cards_and_place() -> None:
    made = written(times_shown=3)
    copy = cloning.clone(made, staff=make.staff(username="x"), now=NOW)
    assert (copy.placement, copy.times_shown, copy.channel) == ("hero", 3, "onsite")
    assert Card.objects.filter(variant__campaign=copy).count() == 2
    assert Card.objects.filter(variant__campaign=made).count() == 2


def test_a_browser_key_asks_for_a_visitor_and_gets_what_to_show(client: Client) -> None:
    running()
    known(make.customer("ann"), "anon-1")
    key = make.write_key(origins=["https://www.shop.test"])
    reply = ask(client, key, anonymousId="anon-1", language="en")
    assert (reply.status_code, reply["Cache-Control"]) == (200, "no-store")
    [told] = reply.json()["decisions"]
    assert told["content"] == {"title": "Hero for you", "text": "x", "button": "", "imageUrl": ""}
    assert told["placement"] == "hero"

    def say(token: str) -> Any:
        return client.post(
            "/v1/decisions/seen",
            {"token": token},
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}", "User-Agent": BROWSER},
        )

    assert say(told["token"]).json() == {"counted": True}
    assert say("x" * 43).json()["code"] == "unknown_decision"
    assert say("x").status_code == 400
    assert Hit.objects.filter(kind="open").count() == 1
    assert ask(client, key, anonymousId="stranger").json() == {"decisions": []}


def test_who_may_ask_for_whom(client: Client) -> None:
    running()
    make.customer("ann")
    key = make.write_key()
    assert ask(client, key).json()["code"] == "visitor_needed"
    assert ask(client, key, userId="ann").json()["code"] == "invalid_user_hash"
    assert ask(client, "nothing", userId="ann").status_code == 401
    secret = make.secret_key()
    assert len(ask(client, secret, userId="ann").json()["decisions"]) == 1
    assert ask(client, secret, userId="ann", placements=[]).status_code == 400
    assert "decisions:read" in doors.scopes_of(ApiKey.objects.get(kind="wk"))
    assert Source.objects.exists()


def test_a_page_costs_as_many_queries_for_many_customers_as_for_few() -> None:
    running()

    def cost() -> int:
        person = make.customer()
        titles(person)
        with CaptureQueriesContext(connection) as asked:
            titles(person)
        return len(asked)

    few = cost()
    for _n in range(20):
        make.customer()
    assert cost() == few
    assert few <= 8


def test_its_cards_are_written_in_the_admin(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.ADMINISTRATOR))
    made = written()
    page = f"/admin/campaigns/campaign/{made.pk}/message/"
    assert "Hero for you" in client.get(page).content.decode()
    facts = {"A-en-title": "New", "A-en-url": "", "A-zh-hans-title": ""}
    assert "Say where the message leads" in client.post(page, facts).content.decode()
    assert client.post(page, facts | {"A-en-url": TARGET}).status_code == 302
    assert list(made.variants.get().cards.values_list("locale", "title")) == [("en", "New")]
    change = client.get(f"/admin/campaigns/campaign/{made.pk}/change/").content.decode()
    assert 'name="placement"' in change


def test_a_draft_is_tried_out_by_the_customer_who_has_the_staff_address(client: Client) -> None:
    ann, other = make.customer("ann", email="boss@shop.test"), make.customer("bob")
    running("Old")
    made, boss = written("Draft"), make.staff(Staff.Role.ADMINISTRATOR, username="tester")
    type(boss).objects.filter(pk=boss.pk).update(email="boss@shop.test")
    assert titles(ann) == ["Old for you"]

    client.force_login(type(boss).objects.get(pk=boss.pk))
    page = f"/admin/campaigns/campaign/{made.pk}/message/"
    asked = {"variant": "A", "locale": "en"}
    told = client.post(f"{page}test/", asked, follow=True).content.decode()

    assert "the shop&#x27;s pages show it to you" in told
    assert "lies in the outbox" not in told
    decision = onsite.decide(["hero"], ann.pk, "en", NOW)[0]
    assert (decision.card.title, decision.link) == ("Draft for you", TARGET)
    assert titles(other) == ["Old for you"]
    assert titles(ann, "elsewhere") == []
    assert not onsite.seen(decision.token, tracking.Visit("POST", BROWSER), NOW)
    assert not made.deliveries.exists()
    preview = client.get(f"{page}preview/", {"variant": "A", "customer": "bob"}).content.decode()
    assert "Draft for you" in preview
    cache.clear()
    assert titles(ann) == ["Old for you"]


def test_a_test_tells_what_it_lacks() -> None:
    made, boss = written(place=""), make.staff(username="tester")
    type(boss).objects.filter(pk=boss.pk).update(email="boss@shop.test")
    variant = made.variants.get()
    codes = []
    for locale in ("fr", "en", "en"):
        with pytest.raises(DomainError) as caught:
            looking.send_test(made, variant, locale, "boss@shop.test", NOW, actor="staff:1")
        codes.append(caught.value.code)
        if codes[-1] == "no_test_customer":
            make.customer("ann", email="boss@shop.test")
    assert codes == ["missing_language", "no_test_customer", "no_placement"]
