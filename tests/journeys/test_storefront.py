"""The demo's storefront in a browser: consent first, then a click shows what it changes."""

from __future__ import annotations

import time

import pytest

from tests.journeys.conftest import Visit

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo shop")]
PROMISED_SECONDS = 2.0
N_LOOKS = 3
VIEWED = """n => [...document.querySelectorAll('#events [data-verdict=accepted]')]
    .filter((line) => line.textContent.includes('Product Viewed')).length >= n"""


def test_before_consent_nothing_is_stored_or_sent(visit_demo: Visit) -> None:
    page = visit_demo()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/demo/shop/")
    page.locator("#grid .s-card").first.click()
    page.locator("#add").click()
    page.locator("#refuse").click()

    assert page.evaluate("Object.keys(localStorage)") == ["candor-consent"]
    assert [url for url in asked if "/v1/" in url] == []


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_click_shows_in_the_log_and_changes_the_strip(visit_demo: Visit, language: str) -> None:
    page = visit_demo(language=language)
    page.goto("/demo/shop/")
    before = page.locator("#strip").inner_text()
    page.locator("#agree").click()
    page.locator("#events [data-verdict=accepted]").first.wait_for()

    page.locator("[data-kind=phones]").click()
    for n in range(N_LOOKS):
        page.locator("#grid .s-card").nth(n).click()
        started = time.monotonic()
        page.wait_for_function(
            VIEWED,
            arg=n + 1,
        )
        assert time.monotonic() - started < PROMISED_SECONDS
        page.locator("#product [data-close]").click()

    looked = {"en": "Because you looked at", "zh-hans": "因为您浏览过"}[language]
    page.locator("#strip .s-why", has_text=looked).first.wait_for()
    assert page.locator("#strip").inner_text() != before


def test_an_order_told_by_the_browser_is_taken_and_says_what_it_counts(visit_demo: Visit) -> None:
    page = visit_demo()
    page.goto("/demo/shop/")
    page.locator("#agree").click()
    page.locator("#strip .s-card").first.click()
    page.locator("#add").click()
    page.locator("#open-cart").click()
    page.locator("#buy").click()

    page.locator("#events [data-verdict=accepted]", has_text="Order Completed").first.wait_for()
    assert "no revenue" in page.locator("#cart-note").inner_text()


def test_whoever_asks_to_be_forgotten_leaves_no_id_behind(visit_demo: Visit) -> None:
    page = visit_demo()
    page.goto("/demo/shop/")
    page.locator("#agree").click()
    page.locator("#forget").click()

    assert page.evaluate("Object.keys(localStorage)") == []
    assert page.locator("#consent").is_visible()
