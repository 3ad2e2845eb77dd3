"""Before approval: reach rule by rule, overlap, the smallest effect, the holdout's price, fairness."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import numpy as np
import pytest
from django.test import Client

from campaigns import approvals, cloning, gate, reach, targeting
from campaigns.admin.audience import lines
from campaigns.experiments import sizing
from campaigns.models import Campaign, Delivery, SendingRules
from inference import proportions
from inference.proportions import Proportion
from privacy.models import AuditEntry, Staff, Subject, Suppression
from profiles.models import Customer, Segment
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db


def cities(*names: str) -> dict[str, Any]:
    rules = [{"field": "city", "operator": "=", "value": name} for name in names]
    return {"combinator": "or", "not": False, "rules": rules}


def segment(name: str, *names: str) -> Segment:
    return Segment.objects.create(name=name, rule=cities(*names), created_at=NOW)


def draft(**columns: Any) -> Campaign:
    columns = {"status": Campaign.Status.DRAFT, "planned_at": None, "holdout_ppm": 0} | columns
    return make.campaign(**columns)


def ids(campaign: Campaign) -> set[str]:
    return set(targeting.members(campaign, NOW).values_list("external_id", flat=True))


def test_segments_are_added_and_left_out_and_the_plan_writes_just_these() -> None:
    for name, city in {"a": "Rome", "b": "Oslo", "c": "Bern", "d": "Bonn"}.items():
        make.reader(name, city=city)
    make.reader("e", city="")
    campaign = draft(segment=segment("South", "Rome", "Bern"))
    campaign.also.add(segment("North", "Oslo"))
    campaign.excluded.add(segment("Alps", "Bern"))

    assert ids(campaign) == {"a", "b"}
    found = reach.reach(campaign, NOW)
    assert (found.n_named, found.n_excluded, found.n_audience) == (3, 1, 2)
    copy = cloning.clone(campaign, staff=make.staff(), now=NOW)
    assert ids(copy) == {"a", "b"}


def test_a_segment_added_or_left_out_voids_an_approval_and_one_that_is_unreadable_is_a_fault() -> (
    None
):
    campaign = make.written_campaign()
    assert approvals.is_as_approved(campaign)

    campaign.excluded.add(segment("Alps", "Bern"))

    assert not approvals.is_as_approved(campaign)
    Segment.objects.update(rule={"combinator": "and", "rules": [{"field": "no", "operator": "="}]})
    campaign.refresh_from_db()
    assert {one.pointer.split("/")[1] for one in targeting.faults(campaign)} == {
        "segment", "excluded",
    }  # fmt: skip


def test_each_customer_is_counted_at_the_first_rule_of_the_gate_that_bars_them() -> None:
    make.reader("free")
    barred = {name: make.reader(name) for name in ("objected", "minor", "suppressed", "capped")}
    make.customer("no_consent", email="n@example.com")
    make.consent(make.customer("no_address"))
    Subject.objects.filter(uuid=barred["objected"].subject_id).update(objected=True)
    ahead = (NOW + timedelta(days=4_000)).date()
    Subject.objects.filter(uuid=barred["minor"].subject_id).update(minor_until=ahead)
    tag = Customer.objects.values_list("email_suppression_tag", flat=True).get(
        external_id="suppressed"
    )
    Suppression.objects.create(channel="email", address_tag=tag, reason="manual", created_at=NOW)
    SendingRules.objects.create(pk=1, cap_messages=1, cap_days=7)
    make.delivery(make.campaign("Other"), barred["capped"], sent_at=NOW, intended_at=NOW)
    campaign = draft()

    found = reach.reach(campaign, NOW)

    assert found.barred == dict.fromkeys(
        ("objected", "minor", "no_consent", "no_address", "suppressed"), 1
    )
    assert (found.n_audience, found.n_capped, found.n_messages) == (2, 1, 1)
    everybody = Customer.objects.values_list("pk", flat=True)
    by_gate = sorted(gate.barred(campaign, everybody).values())
    assert by_gate == sorted(found.barred)
    told = lines(found)
    assert (told[0].left, told[-1].left) == (7, 1)
    assert sum(line.n for line in told) == 6


def test_holdout_budget_and_quiet_hours_are_in_the_estimate_and_sending_agrees() -> None:
    for n in range(20):
        make.reader(f"c{n}", time_zone="Europe/Berlin" if n % 2 else "America/New_York")
    SendingRules.objects.create(pk=1, quiet_from=time(21), quiet_until=time(8))
    night = NOW.replace(hour=22, minute=30)  # in Berlin past 22, in New York before 21
    campaign = draft(
        holdout_ppm=500_000, budget_minor=30, cost_per_message_micros=50_000, starts_at=night
    )

    found = reach.reach(campaign, NOW)

    assert (found.n_holdout, found.n_unpaid, found.n_messages) == (10, 4, 6)
    assert found.n_waiting == 5


def test_campaigns_that_are_ahead_tell_how_many_customers_they_share() -> None:
    ann, bo, cy = (make.reader(name, city="Rome") for name in ("ann", "bo", "cy"))
    del bo, cy
    make.reader("dan", city="Oslo")
    planned = make.campaign("Planned")
    make.delivery(planned, ann, state=Delivery.State.PLANNED)
    scheduled = make.campaign(
        "Scheduled", status=Campaign.Status.SCHEDULED, planned_at=None, segment=segment("S", "Rome")
    )
    make.campaign("Over", status=Campaign.Status.FINISHED)

    found = reach.overlaps(draft(name="New"), NOW)

    assert [(one.campaign, one.n) for one in found] == [(scheduled, 3), (planned, 1)]


def test_the_smallest_rise_is_that_of_published_tables_and_what_the_report_finds() -> None:
    # Fleiss, Levin, Paik: 356 a group show .7 against .6 with a power of .8 at .05, uncorrected.
    rise = sizing.smallest_rise(356, 356, 0.6, confidence=0.95)
    assert rise == pytest.approx(0.1, abs=0.0005)
    # A second way: deal 600 campaigns of a tenth held out, and test each as the report does.
    rise = sizing.smallest_rise(1_000, 9_000, 0.05)
    assert rise is not None
    random = np.random.default_rng(4)
    control, treated = random.binomial(1_000, 0.05, 600), random.binomial(9_000, 0.05 + rise, 600)
    found = [
        proportions.p_value(Proportion(int(a), 1_000), Proportion(int(b), 9_000)) < 0.025
        for a, b in zip(control, treated, strict=True)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.06)


def test_more_customers_show_less_and_an_empty_arm_shows_nothing() -> None:
    few, many = (sizing.smallest_rise(n, 9 * n, 0.1) for n in (100, 10_000))

    assert few is not None
    assert many is not None
    assert many < few
    assert sizing.smallest_rise(0, 900, 0.1) is None
    assert sizing.smallest_rise(2, 3, 0.9) is None


def test_the_holdouts_price_follows_from_the_effect_and_what_buyers_spend() -> None:
    for n in range(400):
        reader = make.reader(f"c{n}")
        if n < 40:
            make.order(reader, ("p1", "", 1, 5_000), days_ago=3)
    campaign = draft(holdout_ppm=500_000, cost_per_message_micros=20_000)

    effect = reach.effect(campaign, reach.reach(campaign, NOW), NOW)

    assert (effect.n_buyers, effect.rate, effect.per_buyer_minor) == (40, 0.1, 5_000)
    assert effect.rise is not None
    assert effect.forgone_minor == round(effect.rise * 200 * 5_000)
    assert effect.saved_minor == 400


def test_the_preview_compares_groups_that_may_be_written_to_and_is_audited() -> None:
    for n in range(120):
        make.reader(f"c{n}", gender="female" if n % 2 else "male", city="Rome" if n > 40 else "")
    rome = segment("Rome", "Rome")
    Customer.objects.filter(gender="female", external_id__gt="c6").update(city="Oslo")
    campaign = draft(segment=rome, offer_minor=1_000)

    found = {one.group: one for one in reach.fairness(campaign, "gender", NOW, actor="staff:1")}

    assert found["female"].level < found["male"].level
    assert found["female"].ratio is not None
    assert found["female"].verdict == "uneven"
    assert AuditEntry.objects.filter(action="purpose.opened", purpose="fairness.audit").exists()


def browser() -> Client:
    client = Client()
    client.force_login(make.staff(Staff.Role.MARKETER))
    return client


def test_the_page_tells_all_of_it_and_the_campaigns_page_loads_it() -> None:
    for n in range(60):
        make.reader(f"c{n}", gender="female")
    campaign, client = draft(holdout_ppm=100_000, offer_minor=1_000), browser()
    url = f"/admin/campaigns/campaign/{campaign.pk}/audience/"

    chinese = client.get(url, headers={"accept-language": "zh-hans"}).content.decode()
    page = client.get(f"{url}?by=gender").content.decode()
    head = client.get(f"/admin/campaigns/campaign/{campaign.pk}/change/").content.decode()

    assert "触达与公平" in chinese
    assert "Held out, so that the effect shows" in page
    assert "no effect can be shown" in page or "four of five cases" in page
    assert "€9.00" in page  # nine tenths get the offer of 10
    assert f'hx-get="{url}"' in head


def test_the_form_saves_both_kinds_of_segments_and_voids_an_approval() -> None:
    campaign, client = make.written_campaign(), browser()
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.APPROVED
    other = segment("Alps", "Bern")

    answer = client.post(
        f"/admin/campaigns/campaign/{campaign.pk}/change/",
        {
            "name": campaign.name, "segment": campaign.segment_id, "excluded": [other.pk],
            "goal": "sell", "holdout": "10", "attribution_days": "30", "message_cost": "0", "first_percent": "0",
            "fixed_cost_minor": "0", "budget_minor": "", "offer_minor": "5",
        },
    )  # fmt: skip

    assert answer.status_code == 302, answer.context["errors"]
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT
    assert list(campaign.excluded.all()) == [other]
    assert campaign.offer_minor == 500


@pytest.mark.parametrize("n", [2, 30])
def test_reach_asks_no_more_for_many_customers_than_for_few(
    n: int, django_assert_max_num_queries: Any
) -> None:
    for number in range(n):
        make.reader(f"c{number}")
    for number in range(5):
        make.campaign(
            f"Other {number}", status=Campaign.Status.SCHEDULED, planned_at=None,
            segment=segment(f"S{number}", "Rome"),
        )  # fmt: skip
    campaign = draft(name="New")

    with django_assert_max_num_queries(45):
        found = reach.reach(campaign, NOW)
        reach.overlaps(campaign, NOW)
        reach.effect(campaign, found, NOW)
