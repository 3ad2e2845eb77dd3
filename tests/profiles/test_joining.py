"""Several ids of one customer, and two records made one without showing one's data as the other's."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.models import Delivery
from privacy import consent, doors
from privacy.models import ApiKey, AuditEntry, Consent, SubjectKey
from privacy.problems import DomainError
from privacy.purposes import purpose
from profiles.identity import identifiers, joining
from profiles.importing.customer_rows import CustomerRow, insert
from profiles.models import (
    Cart,
    Customer,
    CustomerChange,
    CustomerMerge,
    Event,
    Identifier,
    Identity,
    Order,
    Refund,
)
from profiles.orders import carts
from tests import make
from tests.make import NOW
from tests.profiles.calls import identify, merge, post, stored_text, track
from tests.profiles.orders import HEAD, MAPPED, load
from tests.profiles.orders import put as file
from tests.profiles.test_orders_api import call

pytestmark = pytest.mark.django_db
ANN, BOB = "ann@shop.example", "bob@shop.example"


def pair(**columns: Any) -> tuple[Customer, Customer]:
    """Two records: C-1 with a name and an address, C-2 with an address of its own and a phone."""
    survivor = make.customer("C-1", email=ANN, full_name="Ann Lee", **columns)
    absorbed = make.customer("C-2", email=BOB, phone="+436601234567", city="Graz")
    return survivor, absorbed


def join(*take: str) -> CustomerMerge:
    return joining.merge("C-1", "C-2", take=take, reason="Same person", actor="test", now=NOW)


def plain(customer: Customer, *names: str) -> list[Any]:
    with purpose("subject.rights", actor="test:1", now=timezone.now()):
        values = [getattr(customer, name) for name in names]
        return [value.reveal() if value else None for value in values]


def test_everything_but_personal_values_moves_to_the_survivor() -> None:
    survivor, absorbed = pair()
    order = make.order(absorbed, ("tv", "", 1, 1_000))
    make.refund(order.lines.get(), amount_minor=100, at=NOW)
    make.cart(absorbed, "cart-1", ("tv", 1, 1_000))
    Identity.objects.create(anonymous_id="phone-2", customer=absorbed, joined_at=NOW)
    Event.objects.create(
        source=make.source(), message_id="m", kind="track", name="Seen", customer=absorbed,
        happened_at=NOW, received_at=NOW,
    )  # fmt: skip

    done = join()

    for model in (Order, Refund, Cart, Identity, Event):
        assert list(model._default_manager.values_list("customer", flat=True)) == [survivor.pk]
    left = Customer.objects.get()
    assert (left, left.city) == (survivor, "")
    assert plain(left, "email", "full_name", "phone") == [ANN, "Ann Lee", None]
    assert (done.absorbed_id, done.taken) == ("C-2", [])
    assert CustomerChange.objects.filter(customer=survivor).exists()


def test_the_absorbed_records_key_is_destroyed_and_its_values_with_it() -> None:
    _survivor, absorbed = pair()
    before = set(SubjectKey.objects.values_list("subject_uuid", flat=True))
    assert absorbed.subject_id in before

    done = join()

    after = set(SubjectKey.objects.values_list("subject_uuid", flat=True))
    assert before - after == {absorbed.subject_id}
    done.refresh_from_db()
    assert done.key_destroyed_at == NOW


def test_a_killed_merge_destroys_the_key_later() -> None:
    _survivor, absorbed = pair()
    done = join()
    CustomerMerge.objects.update(key_destroyed_at=None)

    assert joining.destroy_keys(timezone.now()) == 1
    assert joining.destroy_keys(timezone.now()) == 0
    assert done.absorbed_subject == absorbed.subject_id


def test_fields_that_the_act_names_are_sealed_anew_where_the_survivor_lacks_them() -> None:
    survivor, absorbed = pair()
    absorbed.birth_date = date(1990, 5, 1)
    absorbed.save()

    done = join("phone", "birth_date")

    survivor.refresh_from_db()
    assert plain(survivor, "phone", "birth_date") == ["+436601234567", date(1990, 5, 1)]
    assert survivor.birth_year == 1990
    assert done.taken == ["birth_date", "phone"]
    assert Customer.objects.filter(phone="+436601234567").get() == survivor


@pytest.mark.parametrize(
    ("take", "code", "pointer"),
    [("email", "field_present", "/take/email"), ("birth_date", "field_absent", "/take/birth_date")],
)
def test_what_the_survivor_has_is_never_written_over(take: str, code: str, pointer: str) -> None:
    pair()

    with pytest.raises(DomainError) as refused:
        join(take)

    assert (refused.value.code, refused.value.pointer) == (code, pointer)
    assert Customer.objects.count() == 2


def test_of_consents_and_rights_the_stricter_holds() -> None:
    survivor, absorbed = pair()
    for who, purposes in {survivor: ("campaign.email", "campaign.sms"), absorbed: ()}.items():
        for name in purposes:
            channel = name.partition(".")[2]
            consent.record(
                who.subject, name, channel, "given", wording="Yes", source="t",
                happened_at=NOW, now=NOW,
            )  # fmt: skip
    early = NOW.replace(year=2025)
    for name, state in {"campaign.email": "withdrawn", "campaign.sms": "given"}.items():
        consent.record(
            absorbed.subject, name, name.partition(".")[2], state, wording="No", source="t",
            happened_at=early, now=NOW,
        )  # fmt: skip
    absorbed.subject.no_profiling = True
    absorbed.subject.save()

    join()

    states = dict(Consent.objects.filter(subject=survivor.subject).values_list("purpose", "state"))
    assert states == {"campaign.email": "withdrawn", "campaign.sms": "given"}
    survivor.subject.refresh_from_db()
    assert (survivor.subject.no_profiling, survivor.subject.restricted) == (True, False)


def test_a_consent_of_the_absorbed_alone_gives_the_survivor_none() -> None:
    survivor, absorbed = pair()
    make.consent(absorbed)

    join()

    assert not Consent.objects.filter(subject=survivor.subject).exists()
    assert not Customer.objects.for_purpose("campaign.email").exists()


def test_one_campaign_counts_a_merged_person_once() -> None:
    survivor, absorbed = pair()
    both, other = make.campaign("Both"), make.campaign("Other")
    kept = make.delivery(both, survivor)
    make.delivery(both, absorbed, "B")
    moved = make.delivery(other, absorbed)

    join()

    assert set(Delivery.objects.values_list("pk", "customer")) == {
        (kept.pk, survivor.pk),
        (moved.pk, survivor.pk),
    }


def test_both_former_ids_lead_to_the_survivor_by_every_way_in(
    client: Client, tmp_path: Path
) -> None:
    survivor, _absorbed = pair()
    join()
    key = make.secret_key()

    post(client, track(userId="C-2", messageId="a"), track(userId=BOB, messageId="b"), key=key)
    post(client, identify("C-2", phone="+436607654321"), key=key)
    merge()
    order = {"placedAt": NOW.isoformat(), "currency": "EUR", "customerId": "C-2"}
    lines = [{"productId": "tv", "quantity": 1, "unitPrice": "1"}]
    assert call(client, "PUT", "/v1/orders/api", order | {"lines": lines})[0] == 200
    load(file(tmp_path, HEAD + "filed,C-2,tv,1,10.00,2026-01-05\n"), **MAPPED)
    assert call(client, "GET", "/v1/customers/C-2")[1]["id"] == "C-1"

    assert Customer.objects.get() == survivor
    assert set(Event.objects.values_list("customer", flat=True)) == {survivor.pk}
    assert Order.objects.filter(customer=survivor).count() == 2
    survivor.refresh_from_db()
    assert plain(survivor, "phone") == ["+436607654321"]
    assert "bob" not in stored_text() + str(list(Identifier.objects.values()))


def test_an_import_of_the_merged_record_is_rejected_with_its_reason() -> None:
    survivor, _absorbed = pair()
    join()

    done = insert([CustomerRow("C-2", email="new@shop.example")], now=NOW)

    assert done.rejected == {"C-2": "customer_merged"}
    assert Customer.objects.get() == survivor


def test_the_merged_address_is_nobody_elses() -> None:
    pair()
    join()
    other = make.customer("C-3")

    with pytest.raises(DomainError) as refused:
        identifiers.add(other, "email", BOB.upper(), now=NOW)

    assert (refused.value.code, refused.value.status) == ("identifier_taken", 409)


def test_a_merge_is_undone_by_what_it_moved_and_refusals_stay() -> None:
    survivor, absorbed = pair()
    make.order(survivor, ("tv", "", 1, 1_000), number="hers")
    make.order(absorbed, ("tv", "", 1, 1_000), number="his")
    consent.record(
        survivor.subject, "campaign.email", "email", "withdrawn", wording="No", source="t",
        happened_at=NOW, now=NOW,
    )  # fmt: skip
    done = join()

    restored = joining.undo(done, reason="Twins", actor="test", now=NOW)

    owners = dict(Order.objects.values_list("number", "customer__external_id"))
    assert owners == {"hers": "C-1", "his": "C-2"}
    assert plain(restored, "email", "phone") == [None, None]
    assert Consent.objects.get(subject=restored.subject).state == "withdrawn"
    assert not Identifier.objects.exists()
    with pytest.raises(DomainError) as refused:
        joining.undo(done, reason="Again", actor="test", now=NOW)
    assert refused.value.code == "merge_undone"


def test_a_merge_and_its_undoing_are_audited_without_values() -> None:
    done = (pair(), join())[1]
    joining.undo(done, reason="Twins", actor="test", now=NOW)

    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert {"purpose.opened", "customer.merged", "customer.separated"} <= set(actions)
    said = str(list(AuditEntry.objects.values())) + str(list(CustomerMerge.objects.values()))
    assert "shop.example" not in said


def test_the_api_merges_tells_the_history_and_undoes(client: Client) -> None:
    pair()
    key = make.secret_key()
    body = {"absorb": "C-2", "take": ["phone"], "reason": "Same person"}

    status, told = call(client, "POST", "/v1/customers/C-1/merges", body, key=key)

    assert (status, told["absorb"], told["taken"]) == (200, "C-2", ["phone"])
    assert call(client, "GET", "/v1/customers/C-1/merges", key=key)[1] == {"merges": [told]}
    path = f"/v1/customers/C-1/merges/{told['id']}/undo"
    status, undone = call(client, "POST", path, {"reason": "Twins"}, key=key)
    assert status == 200
    assert undone["undoneAt"]
    assert Customer.objects.count() == 2


@pytest.mark.parametrize("kind", [ApiKey.Kind.WRITE, ApiKey.Kind.APP])
def test_a_browser_or_app_merges_nobody(client: Client, kind: str) -> None:
    pair()
    key = doors.issue(make.source(), kind=kind, now=NOW)[1]

    status, problem = call(
        client, "POST", "/v1/customers/C-1/merges", {"absorb": "C-2", "reason": "x"}, key=key
    )

    assert (status, problem["code"]) == (403, "missing_scope")
    assert Customer.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"absorb": "C-1", "reason": "x"}, 409, "same_customer"),
        ({"absorb": "C-9", "reason": "x"}, 404, "customer_unknown"),
        ({"absorb": "C-2"}, 400, "required"),
        ({"absorb": "C-2", "reason": "x", "take": ["pin"]}, 400, "invalid_choice"),
        ({"absorb": BOB, "reason": "x"}, 400, "personal_id"),
    ],
)
def test_a_merge_that_cannot_be_says_why(
    client: Client, body: dict[str, Any], status: int, code: str
) -> None:
    pair()

    answer, problem = call(client, "POST", "/v1/customers/C-1/merges", body)

    assert (answer, problem.get("errors", [problem])[0]["code"]) == (status, code)
    assert Customer.objects.count() == 2


def test_further_ids_lead_to_their_customer_and_to_nobody_else(client: Client) -> None:
    survivor, other = pair()
    path = "/v1/customers/C-1/identifiers"
    assert call(client, "POST", path, {"kind": "card", "value": "4711"})[0] == 200
    assert call(client, "POST", path, {"kind": "card", "value": "4711"})[0] == 200
    assert len(call(client, "GET", path)[1]["identifiers"]) == 1

    for kind, value in {"card": "4711", "email": ANN, "customer_id": "C-1"}.items():
        body = {"kind": kind, "value": value}
        status, problem = call(client, "POST", "/v1/customers/C-2/identifiers", body)
        assert (status, problem["code"]) == (409, "identifier_taken")
    post(client, track(userId="4711"))
    merge()

    assert Event.objects.get().customer == survivor
    assert set(Customer.objects.all()) == {survivor, other}


def test_a_cart_goes_on_after_a_merge(client: Client) -> None:
    survivor, absorbed = pair()
    make.cart(absorbed, "cart-1", ("tv", 1, 1_000))
    join()

    put = {"currency": "EUR", "customerId": "C-2", "lines": []}
    assert call(client, "PUT", "/v1/carts/cart-1", put)[1]["customerId"] == "C-1"
    carts.sweep(timezone.now())
    assert Cart.objects.get().customer == survivor


def test_staff_merge_side_by_side_and_undo(client: Client) -> None:
    make.shop()
    survivor, absorbed = pair()
    make.order(absorbed, ("tv", "", 1, 1_000))
    client.force_login(make.staff())
    page = f"/admin/profiles/customermerge/into/{survivor.pk}/"
    session = client.session
    session["confirmed_at"] = timezone.now().timestamp()
    session.save()

    shown = client.get(page, {"absorb": "C-2"}).content.decode()
    assert "shop.example" not in shown
    assert 'value="phone"' in shown
    assert 'value="email"' not in shown
    assert "no other customer" in client.get(page, {"absorb": "C-9"}).content.decode()

    body = {"absorb": "C-2", "take": ["phone"], "reason": "Same person"}
    customer = client.post(f"{page}do/", body, follow=True).content.decode()
    assert "The two records are one now." in customer
    assert Customer.objects.get() == survivor
    assert "Same person" in customer

    done = CustomerMerge.objects.get()
    client.post(f"/admin/profiles/customermerge/{done.pk}/undo/", {"reason": "Twins"})
    assert Order.objects.get().customer == Customer.objects.get(external_id="C-2")
    assert client.get("/admin/profiles/customermerge/").status_code == 200


def test_support_and_marketers_merge_nobody(client: Client) -> None:
    make.shop()
    survivor, _absorbed = pair()
    for role in ("support", "marketer", "viewer"):
        client.force_login(make.staff(role))
        page = f"/admin/profiles/customermerge/into/{survivor.pk}/"
        assert client.get(page).status_code == 403
        assert client.post(f"{page}do/", {"absorb": "C-2", "reason": "x"}).status_code == 403
    assert Customer.objects.count() == 2
