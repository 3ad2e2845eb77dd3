"""The report: what is counted for each arm, in how many queries, and how it is said."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from campaigns import measurement
from campaigns.attribution import attribute
from campaigns.experiments.assignment import HOLDOUT
from campaigns.experiments.findings import ArmSums, Code, Metric, conclude
from campaigns.experiments.money import Missing
from campaigns.measurement import NOTHING_BOUGHT, ArmReport, Report, report
from campaigns.models import Campaign, Delivery, Hit
from campaigns.wording import missing_text, verdict_text
from config import translations
from inference.means import Moments
from inference.proportions import Proportion, interval
from profiles.models import Order
from tests import make
from tests.make import NOW

LATER = NOW + timedelta(days=60)
numbers = count(1)

pytestmark = pytest.mark.django_db


def place(campaign: Campaign, arm: str = "A", *, spent: int = 0, **columns: Any) -> Delivery:
    """Put a new customer into an arm, with one order of `spent` minor units if any."""
    number = next(numbers)
    buyer = make.customer(f"m{number}")
    if spent:
        at = NOW + timedelta(days=1)
        make.order(buyer, ("p1", "Audio", 1, spent), at=at, number=f"m{number}")
    return make.delivery(campaign, buyer, arm, **columns)


def hit(of: Delivery, kind: str, *, by_machine: bool = False) -> None:
    Hit.objects.create(delivery=of, kind=kind, at=NOW, by_machine=by_machine)


def arm_of(found: Report, key: str) -> ArmReport:
    return next(arm for arm in found.arms if arm.key == key)


@pytest.fixture(scope="session")
def chinese() -> None:
    """The stored translations, compiled."""
    translations.compile_catalogue()


@pytest.fixture
def campaign() -> Campaign:
    make.shop(margin_rate="0.4000")
    return make.campaign(cost_per_message_micros=20_000, fixed_cost_minor=300)


def test_each_state_of_a_delivery_is_counted_in_its_arm(campaign: Campaign) -> None:
    for state in ("planned", "claimed", "sending", "sent", "sent", "failed", "unknown", "skipped"):
        place(campaign, "B", state=state)
    place(campaign, HOLDOUT)

    arm = arm_of(report(campaign, LATER), "B")

    assert (arm.n, arm.n_waiting, arm.n_sent) == (8, 3, 2)
    assert (arm.n_failed, arm.n_unknown, arm.n_skipped) == (1, 1, 1)


def test_a_click_counts_once_and_only_of_people(campaign: Campaign) -> None:
    twice, machine, _silent = place(campaign), place(campaign), place(campaign)
    for _again in range(2):
        hit(twice, "click")
    hit(machine, "click", by_machine=True)
    hit(machine, "open", by_machine=True)
    hit(twice, "unsubscribe")

    arm = arm_of(report(campaign, LATER), "A")

    assert (arm.n_clicked, arm.n_opened, arm.n_unsubscribed) == (1, 0, 1)
    assert (arm.n_clicked_raw, arm.n_opened_raw) == (2, 1)
    assert arm.click_rate == interval(Proportion(1, 3))


def test_hits_after_now_are_not_known_yet(campaign: Campaign) -> None:
    hit(place(campaign), "click")

    assert arm_of(report(campaign, NOW - timedelta(seconds=1)), "A").n_clicked == 0


def test_a_customer_who_gave_everything_back_is_no_buyer(campaign: Campaign) -> None:
    place(campaign, spent=1000)
    back = place(campaign, spent=500)
    Order.objects.filter(customer=back.customer).update(refunded_minor=500)
    attribute(campaign, LATER)

    arm = arm_of(report(campaign, LATER), "A")

    assert (arm.n, arm.n_buyers, arm.n_orders) == (2, 1, 2)
    assert (arm.net_minor, arm.margin_minor) == (1000, 400)


def test_two_orders_of_a_customer_are_one_spend(campaign: Campaign) -> None:
    buyer = place(campaign, spent=1000).customer
    make.order(buyer, ("p1", "Audio", 1, 2000), at=NOW + timedelta(days=2), number="second")
    for _other in range(59):
        place(campaign)
    attribute(campaign, LATER)

    arm = arm_of(report(campaign, LATER), "A")

    assert (arm.n_buyers, arm.n_orders, arm.net_minor) == (1, 2, 3000)
    assert arm.net_per_customer
    # One customer of 60 spends 3,000: the standard error of the mean is 3000 / 60.
    assert arm.net_per_customer.value == 50
    assert arm.net_per_customer.high == pytest.approx(50 + 2.0010 * 50, abs=0.1)


def test_the_report_takes_its_money_from_every_arm_and_its_cost_from_what_went_out(
    campaign: Campaign,
) -> None:
    for n in range(60):
        place(campaign, "AB"[n % 2], spent=1000 if n < 40 else 0)
        place(campaign, HOLDOUT, spent=1000 if n < 10 else 0)
    Campaign.objects.filter(pk=campaign.pk).update(holdout_ppm=500_000)
    campaign.refresh_from_db()
    attribute(campaign, LATER)

    found = report(campaign, LATER)

    assert found.verdict.code == Code.SALES_UP
    assert found.currency == "EUR"
    # 60 messages at 2 cents, and 3.00 fixed.
    assert found.earned.cost_minor == 420
    assert found.earned.revenue
    assert found.earned.margin
    assert found.earned.revenue.value == pytest.approx(30 * 1000)
    assert found.earned.margin.value == pytest.approx(30 * 400)
    assert {(point.metric, point.arm) for point in found.rates} >= {
        (Metric.BUYERS, "A"),
        (Metric.BUYERS, HOLDOUT),
        (Metric.CLICKS, "B"),
    }
    assert [(point.metric, point.baseline) for point in found.differences][:2] == [
        (Metric.BUYERS, HOLDOUT),
        (Metric.NET, HOLDOUT),
    ]


def test_a_campaign_planned_and_never_sent_is_measured_all_the_same(campaign: Campaign) -> None:
    for n in range(100):
        place(
            campaign, HOLDOUT if n % 2 else "AB"[n // 2 % 2], spent=100 * (n % 3), state="planned"
        )
    Campaign.objects.filter(pk=campaign.pk).update(holdout_ppm=500_000)
    campaign.refresh_from_db()
    attribute(campaign, LATER)

    found = report(campaign, LATER)

    assert found.verdict.code == Code.NO_EFFECT
    assert found.verdict.clicks is None
    assert arm_of(found, "A").click_rate is None


def test_an_open_window_names_the_day_to_decide(campaign: Campaign) -> None:
    place(campaign)

    found = report(campaign, NOW + timedelta(days=29))

    assert (found.opens, found.closes) == (NOW, NOW + timedelta(days=30))
    assert (found.verdict.code, found.verdict.decide_on) == (Code.TOO_EARLY, found.closes)


def test_a_closed_window_is_not_too_early(campaign: Campaign) -> None:
    place(campaign)
    place(campaign, HOLDOUT)

    assert report(campaign, NOW + timedelta(days=30)).verdict.code == Code.NOT_ENOUGH


@pytest.mark.django_db
def test_a_draft_has_nothing_to_measure() -> None:
    make.shop()
    draft = make.campaign(status=Campaign.Status.DRAFT, planned_at=None)

    found = report(draft, NOW)

    assert (found.verdict.code, found.closes) == (Code.NOBODY, None)
    assert [arm.n for arm in found.arms] == [0, 0]


def test_a_report_of_a_hundred_takes_as_many_queries_as_one_of_three(
    campaign: Campaign, django_assert_num_queries: Any
) -> None:
    for n in range(100):
        if n == 3:
            with django_assert_num_queries(5):
                report(campaign, LATER)
        hit(place(campaign, "AB"[n % 2], spent=100), "click")
    with django_assert_num_queries(5):
        report(campaign, LATER)


# In words ---------------------------------------------------------------------------------


def said(*arms: ArmSums, cost_minor: int = 0, decide_on: datetime | None = None) -> Report:
    """A report on arms of the sizes they were set to, without rows."""
    held_out = sum(one.n for one in arms if one.key == HOLDOUT)
    found = conclude(
        arms,
        holdout_ppm=round(1_000_000 * held_out / sum(one.n for one in arms)),
        weights={one.key: one.n for one in arms if one.key != HOLDOUT},
        cost_minor=cost_minor,
        decide_on=decide_on,
    )
    return Report(UUID(int=1), Metric.NET, "GBP", NOW, NOW, LATER, (), found)


def arm(key: str, n: int, buyers: int = 0, clicked: int = 0, *, spend: int = 5000) -> ArmSums:
    net = Moments(n, *(buyers * float(spend) ** power for power in (1, 2, 3)))
    return ArmSums(key, n, n, clicked, buyers, net, net)


NO_EFFECT = (arm("A", 9000, 450), arm(HOLDOUT, 1000, 50))
CASES = [
    (
        said(*NO_EFFECT),
        (
            "No effect on sales shown: −1.8 to +1.4 points of customers who bought, "
            "against those held out."
        ),
        "未显示对销售有影响：与留出客户相比，下单客户比例变化在 −1.8 至 +1.4 个百分点之间。",
    ),
    (
        said(arm("A", 1000, clicked=100), arm("B", 1000, clicked=150)),
        (
            "The effect on sales is unknown, because nobody was held out; variant B is clicked "
            "more often than A: +5.0 points (+2.1 to +7.9)."
        ),
        (
            "对销售的影响未知，因为没有留出对照客户；版本 B 的点击率高于版本 A："
            "+5.0 个百分点（+2.1 至 +7.9）。"
        ),
    ),
    (
        said(arm("A", 900, 9), arm(HOLDOUT, 100, 1)),
        (
            "Not enough yet to tell an effect on sales: it takes 20 buyers, and 50 customers "
            "both with a message and held out."
        ),
        "数据还不足以判断对销售的影响：需要 20 位下单客户，且触达组与留出组各有 50 位客户。",
    ),
]


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(("found", "english", "chinese_words"), CASES)
def test_the_verdict_is_one_sentence_in_each_language(
    found: Report, english: str, chinese_words: str
) -> None:
    assert verdict_text(found, "en") == english
    assert verdict_text(found, "zh-hans") == chinese_words


@pytest.mark.usefixtures("chinese")
@pytest.mark.django_db
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_day_to_decide_is_written_out_in_the_shops_time_zone(language: str) -> None:
    make.shop(time_zone="Asia/Shanghai")
    closes = datetime(2026, 4, 1, 20, 0, tzinfo=NOW.tzinfo)

    words = verdict_text(said(*NO_EFFECT, decide_on=closes), language)

    assert ("April 2, 2026" if language == "en" else "2026年4月2日") in words


def test_a_return_is_called_earned_only_when_all_of_its_interval_is() -> None:
    arms = arm("A", 9000, 900), arm(HOLDOUT, 1000, 50)

    cheap, dear = (
        verdict_text(said(*arms, cost_minor=100_000), "en"),
        verdict_text(said(*arms, cost_minor=2_000_000), "en"),
    )

    assert "it earned its cost, with a return of +2,150 % (" in cheap
    assert "a profit is not shown, with a return of +12 % (−" in dear


def test_spending_is_said_in_the_shops_currency() -> None:
    arms = arm("A", 9000, 1800, spend=9000), arm(HOLDOUT, 1000, 200, spend=1000)

    assert re.match(
        r"Customers spent more because of it: \+£16\.00 each \(\+£\d",
        verdict_text(said(*arms), "en"),
    )


def test_no_effect_on_spending_is_said_in_money_not_in_points() -> None:
    arms = arm("A", 9000, 1800, spend=2500), arm(HOLDOUT, 1000, 200, spend=2200)

    words = verdict_text(said(*arms), "en")

    assert re.match(r"No effect on sales shown: −£\d+\.\d\d to \+£\d+\.\d\d per customer,", words)
    assert "points" not in words


def test_a_small_difference_is_said_to_the_hundredth_of_a_point() -> None:
    arms = arm("A", 900_000, 2700), arm(HOLDOUT, 100_000, 300)

    assert "−0.04 to +0.04 points" in verdict_text(said(*arms), "en")


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize("reason", Missing)
def test_a_missing_return_has_its_reason_in_each_language(reason: Missing) -> None:
    assert missing_text(reason, "en") != missing_text(reason, "zh-hans")


@pytest.mark.usefixtures("chinese")
@pytest.mark.django_db
@pytest.mark.parametrize("code", Code)
def test_every_verdict_can_be_said(code: Code) -> None:
    make.shop()
    effects = {
        Code.SALES_UP: (arm("A", 9000, 900), arm(HOLDOUT, 1000, 50)),
        Code.SALES_DOWN: (arm("A", 9000, 300), arm(HOLDOUT, 1000, 90)),
        Code.MIXED: (arm("A", 9000, 1800, spend=100), arm(HOLDOUT, 1000, 100)),
        Code.NO_HOLDOUT: (arm("A", 9000, 900),),
        Code.NOT_ENOUGH: (arm("A", 90, 1), arm(HOLDOUT, 10)),
    }
    found = said(*effects.get(code, NO_EFFECT), decide_on=LATER if code == Code.TOO_EARLY else None)
    if code in {Code.NOBODY, Code.SPLIT_BROKEN}:
        n = 0 if code == Code.NOBODY else 5000
        arms = [arm("A", n), arm("B", n // 2)]
        found = replace(found, findings=conclude(arms, holdout_ppm=0, weights={"A": 1, "B": 1}))

    assert found.verdict.code == code
    assert re.fullmatch(r"[A-Z][^%()]+(\([^()]+\)[^()]*)*\.", verdict_text(found, "en"))
    assert re.fullmatch(r"[^A-Z].+。", verdict_text(found, "zh-hans"))


def test_an_arm_in_which_nobody_bought_has_no_interval_of_revenue() -> None:
    _sums, none_bought = measurement.arm("A", {"n": 60}, {}, NOTHING_BOUGHT)
    _sums, one_bought = measurement.arm("A", {"n": 60}, {}, (1, 1, 10, 100, 1000, 4, 16, 64))

    assert none_bought.net_per_customer is None
    assert none_bought.buyer_rate
    assert none_bought.buyer_rate.high > 0.01
    assert one_bought.net_per_customer
    assert one_bought.net_per_customer.high > 0
