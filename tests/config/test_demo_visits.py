"""The demo's visits: devices, campaign sources, and carts in every state that there is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from config.demo import filling, fitting, visits
from config.demo.filling import World
from profiles.models import Cart, Customer, Event, Order
from profiles.orders import carts
from profiles.traits.sources.events import DEVICES

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
NOW = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)
State = Cart.State


@pytest.fixture
def world() -> World:
    made = filling.imagine(NOW, n_customers=100)
    filling.open_shop(NOW)
    filling.register_people(made)
    return made


def test_carts_are_open_abandoned_won_back_and_bought(world: World) -> None:
    filling.tell_events(world)
    filling.take_orders(world, world.year.purchases)

    states = Counter(Cart.objects.values_list("state", flat=True))
    assert states.keys() == {State.OPEN, State.ABANDONED, State.RECOVERED, State.ORDERED}
    won_back = Cart.objects.filter(state=State.ORDERED, recovered_at__isnull=False)
    assert won_back.exists()
    for cart in won_back:
        assert cart.abandoned_at
        assert cart.ordered_at
        assert cart.opened_at < cart.abandoned_at < cart.ordered_at == cart.recovered_at
        assert Order.objects.filter(customer=cart.customer, placed_at=cart.ordered_at).exists()
    assert all(cart.total_minor and cart.lines.exclude(title="").exists() for cart in won_back)
    resting = Cart.objects.filter(state__in=[State.OPEN, State.RECOVERED])
    assert resting.filter(changed_at__gt=NOW - carts.RESTS).count() == resting.count()
    assert Event.objects.filter(happened_at__gt=NOW).count() == 0

    assert Customer.objects.exclude(events__context={}).count() == Customer.objects.count()
    agents = set(Event.objects.values_list("context__userAgent", flat=True))
    assert agents <= {agent for some in visits.AGENTS.values() for agent in some}
    assert set(visits.AGENTS) == set(DEVICES)


def test_a_visit_is_on_one_device_and_the_same_seed_makes_the_same_visits(world: World) -> None:
    looks = world.year.looks
    told, again = (visits.Visitors(world.people, 7) for _ in range(2))
    contexts = [told.context(look) for look in looks]

    assert contexts == [again.context(look) for look in looks]
    visit = Counter((look.customer, look.at.date()) for look in looks)
    assert len({(look.customer, look.at.date(), id(told.context(look))) for look in looks}) == len(
        visit
    )
    tagged = sum("campaign" in context for context in contexts) / len(contexts)
    assert abs(tagged - visits.TAGGED) < 0.05
    assert len({id(context) for context in contexts}) <= 40, "a request's contexts are few"


def test_carts_are_of_the_last_two_weeks(world: World) -> None:
    with_cart = [look for look in world.year.looks if visits.cart_of(look, NOW)]

    assert {look.name for look in with_cart} == {"Product Added"}
    assert min(look.at for look in with_cart) >= NOW - timedelta(days=visits.CART_DAYS)


def test_devices_have_a_warranty_and_what_is_used_up_has_none(world: World) -> None:
    for product in world.products:
        specs = fitting.specs_of(product, [])
        assert ("warranty_months" in specs) is not bool(product.category.repeat_days)
