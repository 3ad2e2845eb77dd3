"""False calls: on made customers quickly, and on a real shop's at length."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from campaigns import false_calls
from campaigns.attribution import attribute
from campaigns.experiments import assignment
from campaigns.experiments.assignment import HOLDOUT
from campaigns.experiments.findings import Code
from campaigns.measurement import report
from campaigns.models import Campaign, Delivery
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db

SALT = UUID("0b0e7c8e-7d7e-4c7a-9d77-5b4b7f5f0f10")


def plan(campaign: Campaign) -> None:
    """Put all customers into the campaign by their buckets, as the plan does."""
    variants = {variant.key: variant for variant in campaign.variants.all()}
    weights = {key: variant.weight for key, variant in variants.items()}
    for customer in Customer.objects.filter(orders__placed_at__lt=campaign.planned_at).distinct():
        bucket = assignment.bucket(str(campaign.salt), customer.external_id)
        arm = assignment.arm(bucket, campaign.holdout_ppm, weights)
        Delivery.objects.create(
            campaign=campaign,
            customer=customer,
            variant=variants.get(arm),
            bucket=bucket,
            state=Delivery.State.HOLDOUT if arm == HOLDOUT else Delivery.State.PLANNED,
            due_at=campaign.planned_at or NOW,
        )


@pytest.fixture
def campaign() -> Campaign:
    """150 customers who each bought before; every other one buys again, some a lot."""
    make.shop()
    for n in range(150):
        buyer = make.customer(f"f{n}")
        make.order(buyer, ("p1", "Audio", 1, 100), days_ago=5, number=f"before-{n}")
        if n % 2:
            spent = 100 * 4 ** (n % 7)
            at = NOW + timedelta(days=3)
            make.order(buyer, ("p1", "Audio", 1, spent), at=at, number=f"after-{n}")
    made = make.campaign(salt=SALT, holdout_ppm=400_000)
    plan(made)
    return made


def test_every_deal_is_called_something_and_the_same_again(campaign: Campaign) -> None:
    later = NOW + timedelta(days=60)
    attribute(campaign, later)

    calls = false_calls.count(campaign, later, salts=40)

    assert (calls.n_customers, calls.n_buyers, calls.n_deals) == (150, 75, 40)
    assert calls.codes.total() == 40
    assert calls.codes[Code.NO_EFFECT] >= 30
    assert calls == false_calls.count(campaign, later, salts=40)


def test_the_command_prints_the_rates(campaign: Campaign) -> None:
    out = StringIO()

    call_command("measure_false_calls", campaign=campaign.name, salts=10, stdout=out)

    assert "150 customers, 75 of them bought, 40 % held out, 10 deals" in out.getvalue()
    assert "false verdicts" in out.getvalue()


def test_an_unknown_campaign_is_refused() -> None:
    with pytest.raises(CommandError, match="--campaign: no campaign 'None such'"):
        call_command("measure_false_calls", campaign="None such")


@pytest.mark.usefixtures("campaign")
def test_no_salts_are_refused() -> None:
    with pytest.raises(CommandError, match="--salts must be at least 1"):
        call_command("measure_false_calls", campaign="Spring", salts=0)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "keystore"])
def test_a_real_shop_nobody_was_contacted_in_shows_no_effect(data_dir: Path) -> None:
    """What a report promises of its errors: over 200 salts, at most 5 % false verdicts."""
    make.shop(currency="GBP", time_zone="Europe/London")
    call_command(
        "import_orders",
        data_dir / "online_retail" / "2009-2010.csv.gz",
        format="online-retail",
        currency="GBP",
        timezone="Europe/London",
        stdout=StringIO(),
        stderr=StringIO(),
    )
    at, later = datetime(2010, 10, 31, tzinfo=UTC), datetime(2010, 12, 31, tzinfo=UTC)
    never_sent = make.campaign(planned_at=at, attribution_days=39, salt=SALT)
    plan(never_sent)

    attribute(never_sent, later)
    calls = false_calls.count(never_sent, later, salts=200)

    assert report(never_sent, later).verdict.code == Code.NO_EFFECT
    assert calls.n_customers == pytest.approx(3900, abs=50)
    assert calls.rate <= 0.05
    # Why the report does not use Welch's interval: a tenth is held out, and money has a tail.
    assert calls.welch / calls.n_deals > 0.08
