"""The demo at its default size finds the effect it was given and no other, whatever day it is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from campaigns import measurement
from campaigns.experiments.findings import Code
from campaigns.models import Campaign, Delivery
from config.demo import filling, fitting, marketing, year
from config.demo.filling import World
from config.management.commands.demo import DEFAULT_CUSTOMERS
from profiles.models import Customer, Order
from recommendations.models import Product, Scenario

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "keystore"]),
    pytest.mark.slow,
]
# In the week of the great sale, in a quiet month, and just past a turn of the year.
TODAYS = ("2026-11-27T18:30:00+00:00", "2027-06-15T06:00:00+00:00", "2028-01-02T00:30:00+00:00")
SOUND, ACCESSORIES, YOUNG, DRAFT = (story.name for story in marketing.STORIES)


@pytest.fixture(params=TODAYS)
def world(request: pytest.FixtureRequest) -> World:
    """The shop as the demo makes it on a day, as far as its campaigns need it: without events."""
    now = datetime.fromisoformat(request.param)
    made = filling.imagine(now, n_customers=DEFAULT_CUSTOMERS)
    filling.open_shop(now)
    owner = filling.owner("correct-horse-9")
    filling.fill_shelves(made)
    filling.register_people(made)
    filling.take_orders(made, made.year.purchases)
    campaigns = marketing.plan(made, owner)
    for act in (marketing.let_people_buy, marketing.send, marketing.let_people_click):
        act(made, campaigns)
    marketing.count_what_it_earned(made, campaigns)
    return made


def test_a_demo_of_any_day_is_large_and_tells_the_real_effect_from_none(world: World) -> None:
    assert Customer.objects.count() == DEFAULT_CUSTOMERS >= 2_000
    assert Product.objects.count() >= 300
    assert Scenario.objects.filter(is_active=True).count() == len(fitting.PLACEMENTS)
    assert len(world.year.looks) >= 120_000
    days = {look.at.date() for look in world.year.looks}
    assert max(days) - min(days) >= timedelta(days=year.DAYS - 7)
    assert Order.objects.filter(placed_at__lt=world.now).count() == Order.objects.count()
    assert _codes(world.now) == {
        SOUND: Code.SALES_UP,
        ACCESSORIES: Code.NO_EFFECT,
        YOUNG: Code.TOO_EARLY,
    }
    assert not Delivery.objects.filter(campaign__name=DRAFT).exists()


def _codes(now: datetime) -> dict[str, Code]:
    planned = Campaign.objects.filter(planned_at__isnull=False)
    return {one.name: measurement.report(one, now).verdict.code for one in planned}
