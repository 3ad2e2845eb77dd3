"""Attacks by whoever holds a publishable key: it is on every page of the shop."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from privacy import doors
from privacy.models import ApiKey, Consent, ConsentEntry
from privacy.purposes import purpose
from profiles import quality
from profiles.events import debugging
from profiles.events.debugging import Wanted
from profiles.identity import identifiers
from profiles.models import Customer, Event, EventVerdict, Identity, Order
from tests import make
from tests.make import NOW
from tests.profiles.calls import identify, merge, order_event, post, track

pytestmark = pytest.mark.django_db

KINDS = [ApiKey.Kind.WRITE, ApiKey.Kind.APP]
Publishable = pytest.mark.parametrize("kind", KINDS)


def key(kind: str) -> str:
    return doors.issue(make.source(), kind=kind, now=NOW)[1]


def warned(answer: Any) -> list[str]:
    return [warning["code"] for warning in answer.json()["warnings"]]


@pytest.mark.django_db(transaction=True)
@Publishable
def test_e_mail_phone_and_name_of_a_known_customer_stay(client: Client, kind: str) -> None:
    post(client, identify("C-1", email="ann@shop.example", name="Ann Lee"), key=make.secret_key())
    theft = identify("C-1", email="thief@evil.example", phone="+436601234567", name="A Thief")

    answer = post(client, theft, key=key(kind))

    assert warned(answer) == ["not_confirmed"]
    with purpose("import", actor="test", now=timezone.now()):
        ann = Customer.objects.get()
        assert ann.email
        assert ann.email.reveal() == "ann@shop.example"
        assert ann.phone is None

    confirmed = post(client, theft, key=make.secret_key())
    assert warned(confirmed) == []
    with purpose("import", actor="test", now=timezone.now()):
        changed = Customer.objects.get().email
        assert changed
        assert changed.reveal() == "thief@evil.example"


@Publishable
@pytest.mark.parametrize(
    "traits", [{}, {"email": "ann@shop.example"}, {"email": "x", "phone": "1"}]
)
def test_no_answer_tells_whom_the_shop_knows(
    client: Client, kind: str, traits: dict[str, str]
) -> None:
    post(client, identify("C-1", email="ann@shop.example"), key=make.secret_key())
    asked = ["C-1", "C-2", "ann@shop.example", "bob@shop.example"]
    said = {"name": "Some Body"} | traits

    answers = [post(client, identify(user, **said), key=key(kind)) for user in asked]

    assert [warned(answer) for answer in answers] == [["not_confirmed"]] * 4
    assert len({answer.json()["warnings"][0]["detail"] for answer in answers}) == 1
    assert EventVerdict.objects.filter(code="not_confirmed").count() == 2, "the shop sees it all"


@Publishable
@pytest.mark.parametrize("name", ["Order Completed", "Order Updated", "Order Refunded"])
def test_no_order_and_no_refund_comes_of_it(client: Client, kind: str, name: str) -> None:
    make.order(make.customer("C-1"), ("tv", "Screens", 1, 10_000), number="1001")

    post(client, order_event(name, products=[], total=100), key=key(kind))
    post(client, order_event(name, order_id="9999"), key=key(kind))
    merge()

    order = Order.objects.get()
    assert (order.number, order.total_minor, order.refunded_minor) == ("1001", 10_000, 0)
    assert Event.objects.filter(is_confirmed=False).count() == 2


@Publishable
def test_an_order_waits_until_a_secret_key_tells_of_it_under_the_same_id(
    client: Client, kind: str
) -> None:
    told = order_event() | {"messageId": "order-1001"}
    post(client, told, key=key(kind))
    merge()
    assert not Order.objects.exists()

    for _ in range(2):
        post(client, told, key=make.secret_key())
        merge()

    assert Order.objects.get().total_minor == 20_999
    assert Event.objects.get().is_confirmed
    assert list(EventVerdict.objects.values_list("code", flat=True)) == ["duplicate"]


def test_an_order_confirmed_in_the_same_batch_counts_once(client: Client) -> None:
    told = order_event() | {"messageId": "order-1001"}
    for secret in (make.write_key(), make.secret_key(), make.write_key()):
        post(client, told, key=secret)
    merge()

    assert Order.objects.count() == Event.objects.count() == 1
    assert Event.objects.get().is_confirmed


@Publishable
def test_a_message_id_taken_beforehand_keeps_no_order_out(client: Client, kind: str) -> None:
    post(client, track(messageId="order-1001"), key=key(kind))
    merge()
    post(client, order_event() | {"messageId": "order-1001"}, key=make.secret_key())
    merge()

    assert Order.objects.get().number == "1001"


@Publishable
def test_an_order_that_a_server_told_of_is_not_changed_by_its_repeat(
    client: Client, kind: str
) -> None:
    told = order_event() | {"messageId": "order-1001"}
    post(client, told, key=make.secret_key())
    merge()
    post(client, told | order_event(products=[], total=0), key=key(kind))
    merge()

    assert Order.objects.get().total_minor == 20_999
    assert Event.objects.get().is_confirmed


@Publishable
def test_two_known_customers_stay_two(client: Client, kind: str) -> None:
    ann, bob = make.customer("C-1"), make.customer("C-2")
    post(client, track(userId="C-1", anonymousId="ann-phone"), key=make.secret_key())
    merge()

    post(client, {"type": "alias", "userId": "C-2", "previousId": "C-1"}, key=key(kind))
    post(client, {"type": "alias", "userId": "C-2", "previousId": "ann-phone"}, key=key(kind))
    post(client, track(userId="C-2", anonymousId="ann-phone"), key=key(kind))
    post(client, track(userId="C-2", anonymousId="C-1"), key=key(kind))
    merge()

    assert Identity.objects.get().customer == ann
    assert set(Customer.objects.all()) == {ann, bob}


@pytest.mark.parametrize("previous", ["C-1", "C-old", "ann-phone"])
def test_an_alias_of_two_customers_joins_nothing_and_is_told(client: Client, previous: str) -> None:
    ann, bob = make.customer("C-1", email="ann@shop.example"), make.customer("C-2")
    identifiers.add(ann, "customer_id", "C-old", now=make.NOW)
    post(client, track(userId="C-1", anonymousId="ann-phone"), key=make.secret_key())
    merge()
    alias = {"type": "alias", "userId": "C-2", "previousId": previous, "messageId": "alias"}

    answer = post(client, alias, key=make.secret_key())
    merge()

    assert warned(answer) == ["alias_not_joined"]
    assert [(one.message_id, one.code) for one in EventVerdict.objects.all()] == [
        ("alias", "alias_not_joined")
    ]
    assert [one.customer for one in Identity.objects.all()] == [ann]
    bob.refresh_from_db()
    assert (set(Customer.objects.all()), bob.email) == ({ann, bob}, None)
    line = next(line for line in debugging.lines(Wanted(), now=make.NOW) if line.kind == "alias")
    assert (line.verdict, line.codes) == ("accepted", ("alias_not_joined",))
    assert [(one.code, one.value) for one in quality.top_warnings()] == [("alias_not_joined", 1)]


@pytest.mark.parametrize("named", ["in the batch", "just before"])
def test_an_alias_of_customers_who_are_new_is_told(client: Client, named: str) -> None:
    both = [track(userId="C-1"), track(userId="C-2")]
    alias = {"type": "alias", "userId": "C-2", "previousId": "C-1"}
    secret = make.secret_key()
    for batch in [[*both, alias]] if named == "in the batch" else [both, [alias]]:
        post(client, *batch, key=secret)
    merge()

    assert [one.code for one in EventVerdict.objects.all()] == ["alias_not_joined"]
    assert not Identity.objects.exclude(anonymous_id="visitor-1").exists()


def test_an_alias_of_one_and_the_same_customer_needs_no_word(client: Client) -> None:
    ann = make.customer("C-1")
    identifiers.add(ann, "customer_id", "C-old", now=make.NOW)
    for previous in ("C-1", "C-old", "phone", "phone"):
        alias = {"type": "alias", "userId": "C-1", "previousId": previous}
        assert warned(post(client, alias, key=make.secret_key())) == []
        merge()

    assert not EventVerdict.objects.exists()


@Publishable
def test_no_answer_to_an_alias_tells_whom_the_shop_knows(client: Client, kind: str) -> None:
    make.customer("C-1")
    for previous in ("C-1", "nobody"):
        alias = {"type": "alias", "userId": "C-2", "previousId": previous}
        assert warned(post(client, alias, key=key(kind))) == []
    merge()

    assert [one.code for one in EventVerdict.objects.all()] == ["alias_not_joined"], "staff see it"


@Publishable
@pytest.mark.parametrize("name", ["Unsubscribed", "Consent Given"])
def test_no_event_changes_a_consent(client: Client, kind: str, name: str) -> None:
    make.consent(make.customer("C-1"))
    claim = {"consent": True, "purpose": "campaign.sms", "channel": "sms"}

    post(client, track(name, userId="C-1", properties=claim), key=key(kind))
    post(client, identify("C-1", consent=False, consents=[claim]), key=key(kind))
    merge()

    assert [(one.purpose, one.state) for one in Consent.objects.all()] == [
        ("campaign.email", "given")
    ]
    assert not ConsentEntry.objects.exists()


@Publishable
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("put", "/v1/customers/C-1"),
        ("put", "/v1/customers/C-1/consents"),
        ("get", "/v1/customers/C-1"),
        ("put", "/v1/orders/1001"),
        ("get", "/v1/orders/1001"),
        ("post", "/v1/orders/batch"),
        ("get", "/v1/jobs/00000000-0000-0000-0000-000000000000"),
    ],
)
def test_management_is_closed(client: Client, kind: str, method: str, path: str) -> None:
    make.customer("C-1")
    headers = {"Authorization": f"Bearer {key(kind)}"}

    answer = client.generic(method.upper(), path, "{}", "application/json", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


@Publishable
def test_a_known_year_of_birth_stays(client: Client, kind: str) -> None:
    make.customer("C-1", birth_year=2015)
    post(client, identify("C-1", birth_year=1980), key=key(kind))
    post(client, identify("C-2", birth_year=1980), key=key(kind))
    merge()
    years = dict(Customer.objects.values_list("external_id", "birth_year"))
    assert years == {"C-1": 2015, "C-2": 1980}

    post(client, identify("C-1", birth_year=1980), key=make.secret_key())
    merge()
    assert Customer.objects.get(external_id="C-1").birth_year == 1980
