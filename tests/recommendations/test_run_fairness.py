"""Fairness of a training run: measured by group, stored, shown, and a gate before it serves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from privacy.models import AuditEntry, Staff
from privacy.problems import DomainError
from profiles.models import Customer, OrderLine
from recommendations import activation, evenness
from recommendations.models import CustomerListing, FairnessRules, Product, TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed, shops

pytestmark = pytest.mark.django_db
RUNS = "/admin/recommendations/trainingrun/"


def grouped_shop(*, foresees_women: bool = True) -> None:
    """The customers of two tastes are women, the others men; one brand sells nearly all.

    Where women are not foreseen they buy anything.
    """
    shops.of_tastes()
    for number, customer in enumerate(Customer.objects.order_by("external_id")):
        customer.gender = "female" if number % shops.N_TASTES < 2 else "male"
        customer.birth_year = 1990
        customer.save(update_fields=["gender", "birth_year"])
    if not foresees_women:
        lines = OrderLine.objects.filter(order__customer__gender="female").order_by("pk")
        bought = np.random.default_rng(5).integers(60, size=lines.count())
        for line, number in zip(lines, bought, strict=True):
            line.product_id = f"p{number:03}"
            line.save(update_fields=["product_id"])
    for number, product in enumerate(Product.objects.order_by("product_id")):
        product.brand, product.price_minor = ("Big" if number % 5 else "Small"), 100 * number
        product.save(update_fields=["brand", "price_minor"])


def uneven(**columns: Any) -> TrainingRun:
    row = {"group": "female", "n": 90, "gap": None, "level": {"value": 0.1, "low": 0, "high": 0.2}}
    ratio = {"value": 0.5, "low": 0.4, "high": 0.6}
    run = TrainingRun.objects.create(
        engine="blend", as_of=NOW, verdict=TrainingRun.Verdict.BEATS_POPULAR, created_at=NOW,
        n_customers=1, n_products=1, n_interactions=1, cpu_seconds=1, peak_rss_mb=1, finished_at=NOW,
        parameters={"engine": "popular_28"},
        fairness={"quality": {"gender": [{**row, "ratio": ratio}]}, "exposure": {}}, **columns,
    )  # fmt: skip
    listed.customer(run, make.customer(), [])
    return run


def test_a_training_keeps_quality_by_group_and_exposure_by_brand_price_and_seller() -> None:
    grouped_shop()

    run = shops.train()

    quality, exposure = run.fairness["quality"], run.fairness["exposure"]
    assert {one["group"] for one in quality["gender"]} == {"female", "male"}
    assert sum(one["n"] for one in quality["gender"]) == run.comparison["n_warm_customers"]
    assert all(one["ratio"]["low"] < one["ratio"]["high"] for one in quality["gender"])
    [everybody] = quality["age_band"]
    assert (everybody["group"], everybody["ratio"]) == ("35-44", None)
    assert set(quality) == {"gender", "age_band"}
    for kind in ("brand", "price_band", "seller_size"):
        assert sum(one["exposure"]["value"] for one in exposure[kind]) == pytest.approx(1)
        assert sum(one["catalogue"] for one in exposure[kind]) == pytest.approx(1)
    assert {one["group"] for one in exposure["seller_size"]} == {"large", "small"}
    assert AuditEntry.objects.filter(
        action="purpose.opened", purpose="fairness.audit", actor="system:training"
    ).exists()


def test_a_run_that_is_shown_to_be_uneven_does_not_serve_and_says_why() -> None:
    run = uneven()
    FairnessRules.objects.create(pk=1, shortfall_percent=20)

    with pytest.raises(DomainError, match=r"Gender, Female: the lists are 0.50 .* as good") as told:
        activation.activate(run, now=NOW)

    assert told.value.code == "run_is_uneven"
    assert TrainingRun.objects.active() is None
    FairnessRules.objects.update(shortfall_percent=45)
    activation.activate(run, now=NOW)
    assert TrainingRun.objects.active() == run


@pytest.mark.parametrize(("percent", "held"), [(None, 0), (10, 0), (90, 1)])
def test_exposure_holds_a_run_back_only_where_the_shop_asks_for_it(
    percent: int | None, held: int
) -> None:
    run, ratio = uneven(), {"value": 0.3, "low": 0.2, "high": 0.5}
    row = {"group": "small", "ratio": ratio}
    run.fairness = {"exposure": {"seller_size": [row], "brand": [row]}, "quality": {}}
    rules = FairnessRules(exposure_percent=percent)

    assert len(evenness.beyond(run, rules)) == held


def test_a_training_that_is_held_back_leaves_the_active_run_serving() -> None:
    grouped_shop(foresees_women=False)
    FairnessRules.objects.create(pk=1, shortfall_percent=None)
    first = shops.train()
    assert TrainingRun.objects.active() == first
    FairnessRules.objects.update(shortfall_percent=20)

    held = shops.train()

    assert held.verdict == TrainingRun.Verdict.BEATS_POPULAR
    assert [one.group for one in evenness.beyond(held)] == ["female"]
    assert TrainingRun.objects.active() == first
    assert CustomerListing.objects.filter(run=held).exists()


def browser(role: str = Staff.Role.MARKETER) -> Client:
    client = Client()
    client.force_login(make.staff(role))
    return client


def test_the_runs_page_shows_both_with_tables_in_both_languages() -> None:
    part = {"value": 0.6, "low": 0.5, "high": 0.7}
    row = {"n_products": 4, "exposure": part, "catalogue": 0.5, "sales": 0.6, "ratio": None}
    run = uneven()
    run.fairness["exposure"] = {
        "price_band": [{**row, "group": "5"}], "seller_size": [{**row, "group": "small"}]
    }  # fmt: skip
    run.save()
    page = f"{RUNS}{run.pk}/change/"

    chinese = browser(Staff.Role.VIEWER).get(page, headers={"accept-language": "zh-hans"})
    said = browser().get(page).content.decode()

    assert "Quality by Gender" in said
    assert "Exposure by Size of the seller" in said
    assert "Dearest fifth" in said
    assert "最贵的五分之一" in chinese.content.decode()


def test_a_held_back_run_has_no_button_and_the_rules_are_changed_on_a_page_that_is_audited() -> (
    None
):
    run, client = uneven(), browser()
    FairnessRules.objects.create(pk=1, shortfall_percent=20)

    said = client.get(f"{RUNS}{run.pk}/change/").content.decode()
    refused = client.post(f"{RUNS}{run.pk}/serve/", follow=True).content.decode()
    client.get("/admin/recommendations/fairnessrules/")
    client.post(
        "/admin/recommendations/fairnessrules/1/change/",
        {"shortfall_percent": "", "exposure_percent": "50"},
    )

    assert "Held back by the fairness rules:" in said
    assert f"{RUNS}{run.pk}/serve/" not in said
    assert "0.50 (0.40 – 0.60)" in refused
    assert FairnessRules.current().shortfall_percent is None
    assert AuditEntry.objects.filter(action="fairness_rules.changed").count() == 1
    assert f"{RUNS}{run.pk}/serve/" in client.get(f"{RUNS}{run.pk}/change/").content.decode()


def evaluated(folder: Path, users: str) -> str:
    lines = [[f"u{user}", *(f"i{(user + step) % 12}" for step in range(7))] for user in range(120)]
    (folder / "sequences.txt").write_text("\n".join(map(" ".join, lines)))
    (folder / "users.csv").write_text(users)
    out = io.StringIO()
    call_command(
        "evaluate_recommendations", "--sequences", str(folder / "sequences.txt"), "--users",
        str(folder / "users.csv"), "--engines", "popular,next_item", "--tune", "1",
        "--cutoffs", "10", "--json", str(folder / "found.json"), stdout=out,
    )  # fmt: skip
    return out.getvalue()


def test_the_command_prints_gaps_between_groups_of_a_file(tmp_path: Path) -> None:
    users = "customer,gender,age\n" + "".join(
        f"u{n},{'FM'[n % 2]},{20 + n % 40}\n" for n in range(115)
    )

    said = evaluated(tmp_path, users)

    row = next(line for line in said.splitlines() if line.startswith("next_item  gender  F"))
    assert row.split()[3] == "58"
    assert "25-34" in said
    assert '"groups"' in (tmp_path / "found.json").read_text()


@pytest.mark.parametrize(
    ("users", "said"),
    [
        ("id,gender\nu1,F\n", "must name customer and a column of groups"),
        ("customer,gender\nu1,F\nu1,M\n", "line 3 names a customer a second time"),
        ("customer,age\nu1,old\n", "line 2: an age is a whole number"),
        ("customer,gender\nnobody,F\n", "names none of the 120 people"),
    ],
)
def test_a_file_of_groups_that_cannot_be_used_is_refused_with_the_fix(
    users: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=said):
        evaluated(tmp_path, users)
