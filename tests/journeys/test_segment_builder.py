"""The rule builder in Chromium: with the mouse, with the keyboard alone, in Chinese, without script."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from profiles import segmentation
from profiles.models import Segment
from tests import make
from tests.journeys.conftest import Visit
from tests.make import NOW

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"
SHOTS = os.environ.get("TEST_SHOTS_DIR", "")


def signed_in(visit: Visit, **how: object) -> Page:
    staff = make.staff()
    staff.set_password(PASSWORD)
    staff.save()
    page = visit(**how)
    page.goto("/admin/login/")
    page.locator("[name=username]").fill(staff.username)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[type=submit]").click()
    page.wait_for_url("**/admin/")
    return page


@pytest.fixture(autouse=True)
def _people() -> None:
    make.shop()
    for n in range(3):
        customer = make.customer(f"C-{n}", city="Vienna", country="AT", full_name="Ann Lee")
        make.order(customer, ("mic", "Audio", 1, 4_000), days_ago=10)
    make.customer("D-1", city="Rome", email="dora@example.com")


def shot(page: Page, name: str) -> None:
    """Keep a picture where TEST_SHOTS_DIR says so, for whoever wants to look at the page."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def test_a_rule_is_put_together_counted_and_saved(visit: Visit) -> None:
    page = signed_in(visit)
    page.goto("/admin/profiles/segment/add/")
    status = page.get_by_role("status").first
    expect(status).to_contain_text("4 customers")

    page.get_by_role("button", name="Add condition").click()
    page.get_by_role("combobox", name="What").select_option("bought_money")
    page.get_by_role("combobox", name="Comparison").select_option(">=")
    page.get_by_role("textbox", name="Value").fill("39.5")
    page.get_by_label("When").select_option("last")
    page.get_by_label("At most so many days ago").fill("9000")

    expect(status).to_contain_text("3 customers")
    expect(page.locator(".c-rules tbody tr")).to_have_count(3)
    expect(page.locator(".c-rules tbody")).not_to_contain_text("Ann Lee")
    shot(page, "builder")
    page.locator("#id_name").fill("Spenders")
    page.locator("[name=_save]").click()
    page.wait_for_url("**/admin/profiles/segment/")
    stored = Segment.objects.get(name="Spenders")
    assert stored.n_customers == 3
    assert stored.rule["rules"] == [
        {"field": "bought_money", "operator": ">=", "value": 3950, "within_days": "9000"}
    ]


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = signed_in(visit)
    page.goto("/admin/profiles/segment/add/")
    expect(page.get_by_role("status").first).to_contain_text("4 customers")
    press, typed = page.keyboard.press, page.keyboard.type

    page.locator("#id_name").focus()
    typed("Romans")
    for _ in range(12):
        press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Add condition":
            break
    press("Enter")
    press("Tab")
    press("Tab")
    page.wait_for_selector(".rule")
    page.locator(".rule-fields").focus()
    typed("city")
    press("Tab")
    press("Tab")
    typed("Rome")
    press("Tab")

    expect(page.get_by_role("status").first).to_contain_text("1 customer")
    assert page.evaluate("document.activeElement.closest('.rule') !== null")
    page.locator("#id_name").focus()
    press("Enter")
    page.wait_for_url("**/admin/profiles/segment/")
    assert Segment.objects.get(name="Romans").n_customers == 1


def test_groups_can_be_nested_turned_round_moved_and_removed(visit: Visit) -> None:
    page = signed_in(visit)
    segment = segmentation.create(
        "Old",
        {
            "combinator": "or",
            "not": False,
            "rules": [
                {"field": "city", "operator": "in", "value": ["Rome", "Paris"]},
                {
                    "combinator": "and",
                    "not": True,
                    "rules": [{"field": "age_band", "operator": "in", "value": ["18-24"]}],
                },
            ],
        },
        now=NOW,
    )
    page.goto(f"/admin/profiles/segment/{segment.pk}/change/")
    status = page.get_by_role("status").first
    expect(status).to_contain_text("4 customers")
    shot(page, "builder-nested")

    page.get_by_role("checkbox", name="Turn round").nth(1).uncheck()
    expect(status).to_contain_text("1 customer")
    page.get_by_role("button", name="Move down").first.click()  # into the group below it
    expect(page.locator(".ruleGroup .ruleGroup .rule")).to_have_count(2)
    page.get_by_role("button", name="Remove group").click()
    expect(page.locator("#id_rule")).to_have_value('{"combinator":"or","not":false,"rules":[]}')


@pytest.mark.parametrize(
    ("dark", "width"), [(False, 1360), (True, 1360), (False, 390)], ids=["light", "dark", "narrow"]
)
def test_the_builder_speaks_chinese(visit: Visit, dark: bool, width: int) -> None:  # noqa: FBT001
    page = signed_in(visit, language="zh-hans", dark=dark, width=width)
    page.goto("/admin/profiles/segment/add/")

    page.get_by_role("button", name="添加条件").click()
    page.get_by_role("combobox", name="字段").select_option("event_sum")
    page.get_by_role("button", name="添加分组").click()

    expect(page.get_by_role("status").first).to_be_visible()
    expect(page.locator(".rule")).to_have_count(2)
    shot(page, f"builder-zh-{'dark' if dark else 'light'}-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.locator(".c-rules").get_by_text("Add ", exact=False).count()


def test_a_rule_that_is_not_whole_yet_says_what_is_missing(visit: Visit) -> None:
    page = signed_in(visit)
    page.goto("/admin/profiles/segment/add/")

    page.get_by_role("button", name="Add condition").click()
    page.get_by_role("combobox", name="What").select_option("event_sum")
    page.get_by_role("textbox", name="Value").fill("5")

    expect(page.get_by_role("status").first).to_contain_text("the name of an event is expected")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_of_a_segment_are_readable(visit: Visit, language: str) -> None:
    narrow = language != "en"
    page = signed_in(visit, language=language, width=390 if narrow else 1360, dark=narrow)
    ann = make.customer("E-1", email="eve@example.com", city="Paris")
    tree = {
        "combinator": "and",
        "not": False,
        "rules": [
            {"field": "city", "operator": "=", "value": "Paris"},
            {
                "combinator": "or",
                "not": True,
                "rules": [
                    {"field": "email", "operator": "=", "value": "eve@example.com"},
                    {"field": "bought_category", "operator": "=", "value": "Audio"},
                ],
            },
        ],
    }
    now = timezone.now()
    segment = segmentation.create("Parisians", tree, now=now - timedelta(days=9), actor="eve")
    segmentation.change(segment, name="Parisians", rule=segmentation.EVERYBODY, now=now)
    segmentation.restore(segment, 1, now=now, actor="administrator")
    base = f"/admin/profiles/segment/{segment.pk}"

    page.goto(f"{base}/over-time/")
    assert page.locator(".c-series").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, f"over-time-{language}")
    page.goto(f"{base}/why/{ann.pk}/")
    expect(page.locator(".c-reasons")).to_contain_text("e***@e***.com")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    shot(page, f"why-{language}")
    page.goto("/admin/profiles/segment/list/")
    shot(page, f"list-{language}")
    page.goto("/admin/profiles/segment/")
    shot(page, f"segments-{language}")
