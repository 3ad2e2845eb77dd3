"""Filters and boosts of a placement in Chromium: put together, read back, looked at, saved."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from recommendations.models import Scenario
from tests import make
from tests.journeys.conftest import Visit
from tests.journeys.test_segment_builder import shot, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _shop() -> None:
    make.shop(currency="EUR")
    for n, brand in enumerate(["Sony", "LG", "Sony"]):
        make.product(f"p-{n}", f"Television {n}", brand=brand, category="TVs", specs={"watts": 65})
    make.customer("C-1", full_name="Ann Lee")
    Scenario.objects.create(placement="home", name="Home", kind="new", diversity=0)


def opened(page: Page) -> None:
    page.goto(f"/admin/recommendations/scenario/{Scenario.objects.get().pk}/change/")


def test_rules_are_put_together_with_the_keyboard_previewed_and_saved(visit: Visit) -> None:
    page = signed_in(visit)
    opened(page)
    page.get_by_role("button", name="Add filter").press("Enter")
    first = page.get_by_role("group", name="Rule 1", exact=True)
    first.get_by_label("Value", exact=True).press_sequentially("sony")
    expect(first).to_contain_text("Takes away products of which this holds: brand is sony.")
    expect(first).to_contain_text("takes away 2 of 3 products on sale")
    page.get_by_role("button", name="Add boost").press("Enter")
    second = page.get_by_role("group", name="Rule 2", exact=True)
    second.get_by_role("combobox", name="What", exact=True).select_option("spec_number")
    second.get_by_label("named").fill("watts")
    second.get_by_role("combobox", name="Comparison").select_option(">=")
    second.get_by_label("Value", exact=True).fill("60")
    second.get_by_role("textbox", name="Factor").fill("20")
    expect(second).to_contain_text("a factor from 0.1 to 10 is expected")
    second.get_by_role("textbox", name="Factor").fill("1.5")
    expect(second).to_contain_text("specification “watts” is at least 60")
    shot(page, "placement-rules")

    page.locator("#id_seen_by").fill("C-1")
    with page.context.expect_page() as opening:
        page.get_by_role("button", name="Preview without saving").click()
    preview = opening.value
    expect(preview.get_by_role("heading", name="With the settings of the form")).to_be_visible()
    expect(preview.locator("body")).not_to_contain_text("Ann Lee")
    shot(preview, "placement-preview")
    preview.close()
    page.locator("[name=_save]").click()
    page.wait_for_url("**/admin/recommendations/scenario/")

    rules = Scenario.objects.get().rules
    assert [rule["effect"] for rule in rules] == ["drop", "boost"]
    assert (rules[1]["factor"], rules[1]["when"]["rules"][0]["spec"]) == (1.5, "watts")
    opened(page)
    expect(page.locator("#versions")).to_contain_text("brand is sony")
    shot(page, "placement-versions")


def test_rules_fit_a_phone_in_chinese_in_the_dark(visit: Visit) -> None:
    when = {"combinator": "and", "rules": [{"field": "brand", "operator": "=", "value": "Sony"}]}
    Scenario.objects.update(rules=[{"effect": "drop", "when": when}])
    page = signed_in(visit, language="zh-hans", dark=True, width=390)
    opened(page)

    expect(page.get_by_text("去除符合此条件的商品：品牌是Sony。")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, "placement-rules-zh")
    with page.context.expect_page() as opening:
        page.locator("[formtarget=_blank]").click()
    expect(opening.value.locator("table").first).to_be_visible()
    shot(opening.value, "placement-preview-zh")
