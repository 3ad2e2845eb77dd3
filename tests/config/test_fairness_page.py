"""The fairness page: every registered audit, by group, in plain words and in Chinese."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from privacy import fairness_audits
from privacy.fairness.findings import Finding, Verdict
from privacy.models import Staff
from profiles.models import Customer, Segment
from recommendations.models import TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed

pytestmark = pytest.mark.django_db


def customers(n: int, **columns: Any) -> list[Customer]:
    return [make.reader(f"{'-'.join(columns.values())}-{i}", **columns) for i in range(n)]


def findings(code: str, attribute: str) -> dict[str, Finding]:
    [audit] = [one for one in fairness_audits.audits() if one.code == code]
    [audited] = audit.run(attribute, NOW)
    return {finding.group: finding for finding in audited.findings}


def test_a_campaign_that_writes_to_one_gender_is_uneven_and_its_arms_are_not() -> None:
    women, men = customers(60, gender="female"), customers(120, gender="male")
    campaign = make.campaign()
    for i, customer in enumerate([*women, *men[:60]]):
        make.delivery(campaign, customer, arm="holdout" if i % 10 == 0 else "A")

    audience = findings("campaigns.audience", "gender")
    arms = findings("campaigns.arms", "gender")

    assert audience["female"].verdict == Verdict.REFERENCE
    assert (audience["male"].level, audience["male"].n) == (0.5, 120)
    assert audience["male"].verdict == Verdict.UNEVEN
    assert {(one.n, one.level) for one in arms.values()} == {(60, 0.9)}
    assert Verdict.UNEVEN not in {one.verdict for one in arms.values()}


def test_segments_are_compared_with_everybody_who_may_be_profiled() -> None:
    customers(60, gender="female", city="Graz")
    customers(50, gender="male", city="Graz")
    customers(10, gender="male", city="Linz")
    rule = {"combinator": "and", "not": False,
            "rules": [{"field": "gender", "operator": "=", "value": "female"}]}  # fmt: skip
    Segment.objects.create(name="Women", rule=rule, created_at=NOW)

    by_gender = findings("profiles.segments", "gender")
    by_city = findings("profiles.segments", "city")

    assert by_gender["female"].verdict == Verdict.REFERENCE
    assert (by_gender["male"].level, by_gender["male"].verdict) == (0, Verdict.UNEVEN)
    assert by_city["Linz"].verdict == Verdict.TOO_FEW


def test_age_bands_follow_from_the_birth_year() -> None:
    for birth_year in (NOW.year - 20, NOW.year - 30, None):
        for i in range(60):
            make.customer(f"{birth_year}-{i}", birth_year=birth_year)
    Segment.objects.create(name="All", rule={"combinator": "and", "rules": []}, created_at=NOW)

    found = findings("profiles.segments", "age_band")

    assert {name: one.n for name, one in found.items()} == {"18-24": 60, "25-34": 60, "": 60}
    assert {found["18-24"].verdict, found["25-34"].verdict} == {Verdict.REFERENCE, Verdict.EVEN}
    assert found[""].verdict == Verdict.UNKNOWN


def test_showing_dear_products_to_one_group_only_is_uneven() -> None:
    for number in range(9):
        make.product(f"p{number}", price_minor=1_000 * (number + 1))
    run = TrainingRun.objects.create(
        engine="test", as_of=NOW, n_customers=0, n_products=9, n_interactions=0, cpu_seconds=0,
        peak_rss_mb=0, is_active=True, verdict="beats_popular", created_at=NOW, finished_at=NOW,
        activated_at=NOW,
    )  # fmt: skip
    for gender, shown in (("female", ["p8", "p0", "p7"]), ("male", ["p0", "p8", "p1"])):
        for i, customer in enumerate(customers(60, gender=gender)):
            items = [[product, 1.0, "bought_together", []] for product in shown[: 3 - i % 2]]
            listed.customer(run, customer, items)

    found = findings("recommendations.prices", "gender")

    assert {one.verdict for one in found.values()} == {Verdict.UNEVEN}
    assert found["female"].level > found["male"].level


def test_the_page_says_it_in_words_and_in_chinese(client: Client) -> None:
    client.force_login(make.staff(Staff.Role.VIEWER))
    customers(60, gender="female")
    customers(5, gender="male")
    Segment.objects.create(name="All", rule={"combinator": "and", "rules": []}, created_at=NOW)

    page = client.get("/admin/fairness/").content.decode()
    chinese = client.get("/admin/fairness/?by=city", headers={"accept-language": "zh-hans"})

    assert "Others" in page or "Female" in page
    assert "Not enough yet" in page
    assert ">5<" not in page  # five men are not to be told
    assert "数据尚不足" in chinese.content.decode()
    assert Client().get("/admin/fairness/").status_code == 302


@pytest.mark.parametrize("size", [3, 100])
def test_the_number_of_queries_does_not_grow_with_the_customers(size: int, client: Client) -> None:
    client.force_login(make.staff(Staff.Role.VIEWER))
    customers(size, gender="female")
    make.campaign("One", status=Campaign.Status.SENDING)

    with CaptureQueriesContext(connections["default"]) as queries:
        client.get("/admin/fairness/")

    assert len(queries) <= 36
