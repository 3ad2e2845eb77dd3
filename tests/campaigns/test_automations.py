"""Automations: everybody once for what happened to them, by the same gate, and it stops in time."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from campaigns import automation_effect, automations, delivery
from campaigns.models import Automation, Campaign, Delivery, Hit
from campaigns.tasks import enter
from jobs.models import Job
from jobs.work import Work
from privacy.models import Consent, Staff
from privacy.problems import DomainError
from profiles.models import Cart, Customer
from profiles.orders import carts
from recommendations.explaining import Reason
from recommendations.models import TrainingRun
from tests import make
from tests.campaigns.sending import Tray, body, withdraw
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db
State = Delivery.State
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RESTORE = "https://shop.test/cart?t={token}"


def boss() -> Staff:
    return Staff.objects.filter(username="boss").first() or make.staff(username="boss")


def running(kind: str, *, holdout_ppm: int = 0, delays: dict[int, int] | None = None) -> Automation:
    """An automation switched on at NOW."""
    make.shop(sender_email="shop@shop.test", sender_name="Shop")
    made = automations.prepare(kind, staff=boss(), now=NOW)
    automations.set_up(made, delays=delays or {}, holdout_ppm=holdout_ppm, restore_url=RESTORE)
    automations.switch_on(made, staff=boss(), now=NOW)
    return made


def agreed(name: str, at: datetime, **columns: Any) -> Customer:
    made = make.reader(name, **columns)
    Consent.objects.filter(subject=made.subject).update(since=at)
    return made


def left(by: Customer, cart_id: str, at: datetime) -> Cart:
    make.cart(by, cart_id, ("tv", 1, 19_900))
    Cart.objects.filter(cart_id=cart_id).update(
        state=Cart.State.ABANDONED, abandoned_at=at, changed_at=at - HOUR
    )
    return Cart.objects.get(cart_id=cart_id)


def sent(now: datetime) -> Tray:
    tray = Tray()
    while delivery.send_due(now, channel=tray):
        pass
    return tray


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def test_whoever_agrees_is_welcomed_once_and_who_had_agreed_before_is_not() -> None:
    agreed("old", NOW - DAY)
    welcome = running("welcome")
    agreed("new", NOW + HOUR)

    assert automations.enter(welcome, NOW + 2 * HOUR) == 2
    assert automations.enter(welcome, NOW + 3 * HOUR) == 0

    assert sent(NOW + 3 * HOUR).recipients == ["new@example.com"]
    assert sent(NOW + 3 * DAY + 2 * HOUR).recipients == ["new@example.com"]
    assert states() == {State.SENT: 2}
    campaigns = Campaign.objects.filter(kind=Campaign.Kind.AUTOMATION)
    assert set(campaigns.values_list("status", flat=True)) == {"sending"}


def test_each_cart_is_written_of_once_with_what_is_in_it_and_a_way_back() -> None:
    cart = running("cart")
    ann = agreed("ann", NOW - DAY)
    make.product("tv", "Television", image_url="https://shop.test/tv.png")
    first, second = left(ann, "k1", NOW + HOUR), left(ann, "k2", NOW + 2 * HOUR)

    automations.enter(cart, NOW + 3 * HOUR)
    tray = sent(NOW + 4 * HOUR)

    assert len(tray.taken) == 2
    html = body(tray.taken[0])
    assert "1 × Television" in html
    assert "€199.00" in html
    row = Delivery.objects.get(occurrence=str(first.pk), campaign__step__position=1)
    assert f"/r/{row.token}" in html
    assert {row.occurrence for row in Delivery.objects.all()} == {str(first.pk), str(second.pk)}


def test_the_way_back_leads_to_the_shop_with_a_token_that_restores_the_cart() -> None:
    cart = running("cart")
    there = left(agreed("ann", NOW - DAY), "k1", NOW + HOUR)
    automations.enter(cart, NOW + 2 * HOUR)
    sent(NOW + 3 * HOUR)
    row = Delivery.objects.get(campaign__step__position=1)

    answer = Client().get(f"/r/{row.token}", headers={"user-agent": "Firefox"})

    assert answer.status_code == 302
    start, token = answer["Location"].split("=")
    assert start == "https://shop.test/cart?t"
    assert carts.restore(token, now=NOW) == there
    assert Hit.objects.get().kind == Hit.Kind.CLICK
    assert Client().get(f"/r/{'0' * 43}").status_code == 404


@pytest.mark.parametrize("how", ["recovered", "bought", "emptied"])
def test_a_cart_that_was_won_back_is_not_written_of_any_more(how: str) -> None:
    cart = running("cart")
    ann = agreed("ann", NOW - DAY)
    left(ann, "k1", NOW + HOUR)
    automations.enter(cart, NOW + 2 * HOUR)
    assert len(sent(NOW + 3 * HOUR).taken) == 1
    if how == "bought":
        make.order(ann, ("tv", "TV", 1, 19_900), at=NOW + 4 * HOUR)
    elif how == "recovered":
        Cart.objects.update(state=Cart.State.RECOVERED)
    else:
        Cart.objects.update(n_units=0)

    tray = sent(NOW + 2 * DAY)

    assert tray.taken == []
    reason = Delivery.objects.get(state=State.SKIPPED).reason
    assert reason == ("bought" if how == "bought" else "cart_recovered")


def test_only_accessories_that_fit_are_shown_and_nothing_is_sent_without_one() -> None:
    accessory = running("accessory", delays={1: 60})
    ann, ben = agreed("ann", NOW - DAY), agreed("ben", NOW - DAY)
    make.product("phone", "Phone X", category="Phones", specs={"sockets": ["usb-c"]})
    make.product("book", "Book", category="Books")
    make.product("cable", "Cable C", accessory_for=["Phones"], specs={"plugs": ["usb-c", "usb-a"]})
    make.product("misfit", "Cable L", accessory_for=["Phones"], specs={"plugs": ["lightning"]})
    popular("misfit", "cable", "book")
    make.order(ann, ("phone", "Smartphones", 1, 50_000), at=NOW + HOUR)
    make.order(ben, ("book", "Books", 1, 900), at=NOW + HOUR)

    automations.enter(accessory, NOW + 2 * HOUR)
    tray = sent(NOW + 3 * HOUR)

    assert tray.recipients == ["ann@example.com"]
    assert "Cable C" in body(tray.taken[0])
    assert "Cable L" not in body(tray.taken[0])
    assert Delivery.objects.get(customer=ben).reason == "no_accessory"


def popular(*product_ids: str) -> None:
    run = TrainingRun.objects.create(
        engine="blend", as_of=NOW, n_customers=1, n_products=1, n_interactions=1, cpu_seconds=1,
        peak_rss_mb=1, is_active=True, verdict=TrainingRun.Verdict.BEATS_POPULAR, created_at=NOW,
        finished_at=NOW, activated_at=NOW,
    )  # fmt: skip
    items = [[id_, 1.0, Reason.POPULAR_NOW, []] for id_ in product_ids]
    listed.product(run, "", items)


def test_the_same_gate_stops_a_message_that_may_not_go_any_more() -> None:
    welcome = running("welcome")
    ann = agreed("ann", NOW + HOUR)
    automations.enter(welcome, NOW + 2 * HOUR)
    withdraw(ann)

    assert sent(NOW + 3 * HOUR).taken == []
    assert Delivery.objects.get(campaign__step__position=1).reason == "no_consent"


def test_the_holdout_is_the_same_people_at_every_step() -> None:
    welcome = running("welcome", holdout_ppm=500_000)
    for n in range(30):
        agreed(f"c{n}", NOW + HOUR)
    automations.enter(welcome, NOW + 2 * HOUR)

    first, second = (
        set(
            Delivery.objects.filter(
                state=State.HOLDOUT, campaign__step__position=position
            ).values_list("customer", flat=True)
        )
        for position in (1, 2)
    )

    assert first == second
    assert 0 < len(first) < 30


def test_switched_off_nothing_more_goes_out_and_nobody_enters() -> None:
    welcome = running("welcome")
    agreed("ann", NOW + HOUR)
    automations.enter(welcome, NOW + 2 * HOUR)

    automations.switch_off(welcome)
    agreed("ben", NOW + 3 * HOUR)

    assert automations.enter(welcome, NOW + 4 * HOUR) == 0
    assert sent(NOW + 5 * DAY).taken == []
    assert states() == {State.SKIPPED: 2}
    automations.switch_on(welcome, staff=boss(), now=NOW + 5 * DAY)
    assert automations.enter(welcome, NOW + 6 * DAY) == 0


def test_a_cart_automation_needs_to_know_the_page_that_brings_carts_back() -> None:
    make.shop(sender_email="shop@shop.test")
    made = automations.prepare("cart", staff=boss(), now=NOW)

    with pytest.raises(DomainError) as told:
        automations.switch_on(made, staff=boss(), now=NOW)

    assert told.value.code == "no_restore_url"


def test_a_later_step_cannot_come_before_an_earlier_one() -> None:
    welcome = running("welcome")

    with pytest.raises(DomainError) as told:
        automations.set_up(welcome, delays={1: 600, 2: 60}, holdout_ppm=0, restore_url="")

    assert told.value.code == "steps_out_of_order"


def test_who_made_the_messages_does_not_switch_on_where_somebody_else_could() -> None:
    make.shop(sender_email="shop@shop.test")
    made = automations.prepare("welcome", staff=boss(), now=NOW)
    other = make.staff(username="second")

    with pytest.raises(DomainError) as told:
        automations.switch_on(made, staff=boss(), now=NOW)
    assert told.value.code == "own_campaign"
    assert not Campaign.objects.filter(status=Campaign.Status.SENDING).exists()

    automations.switch_on(made, staff=other, now=NOW)
    assert made.is_on


def test_a_job_that_dies_between_two_automations_goes_on_and_adds_nobody_twice() -> None:
    welcome = running("welcome")
    agreed("ann", NOW + HOUR)
    job = Job.objects.create(
        kind="campaigns.enter", queue="send", state=Job.State.RUNNING, not_before=NOW,
        created_at=NOW, claim_token=uuid4(), lease_until=NOW + DAY, worker="w",
    )  # fmt: skip

    told = enter(Work(job, clock=lambda: NOW + 2 * HOUR))
    again = enter(Work(Job.objects.get(pk=job.pk), clock=lambda: NOW + 2 * HOUR))

    assert (told, again) == ({"n_deliveries": 2}, {"n_deliveries": 0})
    assert automations.enter(welcome, NOW + 2 * HOUR) == 0
    assert Delivery.objects.count() == 2


def test_the_effect_counts_a_customer_once_from_the_first_entry_on() -> None:
    cart = running("cart", holdout_ppm=500_000)
    for n in range(40):
        reader = agreed(f"c{n}", NOW - DAY)
        left(reader, f"a{n}", NOW + HOUR)
        left(reader, f"b{n}", NOW + 2 * HOUR)
        make.order(reader, ("tv", "TV", 1, 100), at=NOW)
        if n % 2:
            make.order(reader, ("tv", "TV", 1, 10_000), at=NOW + 2 * DAY)
            make.order(reader, ("tv", "TV", 1, 100), at=NOW + 40 * DAY)
    automations.enter(cart, NOW + 3 * HOUR)

    found = automation_effect.report(cart, NOW + 50 * DAY)

    assert found is not None
    by_key = {arm.key: arm for arm in found.arms}
    held = set(
        Delivery.objects.filter(state=State.HOLDOUT).values_list("customer__external_id", flat=True)
    )
    odd = sum(int(name[1:]) % 2 for name in held)
    assert by_key["holdout"].n == len(held)
    assert by_key["holdout"].n_buyers == by_key["holdout"].n_orders == odd
    assert by_key["A"].n == 40 - len(held)
    assert by_key["A"].net_minor == (20 - odd) * 10_000


@pytest.mark.parametrize("kind", Automation.Kind.values)
def test_the_pages_set_up_switch_on_and_off(client: Client, kind: str) -> None:
    make.shop(sender_email="shop@shop.test")
    client.force_login(boss())
    page = f"/admin/campaigns/automation/{kind}/"
    assert client.get(page).status_code == 404

    client.post(f"{page}do/prepare/")
    given = {"delay_1": "1.5", "delay_2": "30", "holdout": "20", "restore_url": RESTORE}
    assert client.post(page, given).status_code == 302
    client.post(f"{page}do/on/")

    made = Automation.objects.get()
    assert made.is_on
    assert made.holdout_ppm == 200_000
    assert made.steps.get(position=1).delay_minutes == 90
    assert "Switch off" in client.get(page).content.decode()
    assert "who entered" in client.get("/admin/campaigns/automation/").content.decode()
    client.post(f"{page}do/off/")
    assert not Automation.objects.get().is_on
