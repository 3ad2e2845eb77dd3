"""The snippet on the pages of somebody else's shop: another origin, under a strict policy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route

from profiles import snippet
from profiles.events import merging, staging
from profiles.models import Customer, Event, EventStaging, Identity
from recommendations.models import TrainingRun
from tests import make
from tests.journeys.foreign_shop import STRICT, Shop, running_candor, running_shop
from tests.recommendations import listed

pytestmark = pytest.mark.django_db(transaction=True)
HELD_MS = 700  # longer than the snippet gathers events
SETTLED_MS = 300  # until the browser has told what is in view


@pytest.fixture
def candor() -> Iterator[str]:
    make.shop()
    with running_candor() as url:
        yield url


@pytest.fixture
def shop(candor: str) -> Iterator[Shop]:
    with running_shop() as running:
        running.policy = STRICT.format(candor=candor)
        yield running


@pytest.fixture
def browser(chromium: Browser, faults: list[str]) -> Iterator[BrowserContext]:
    """What a shop's page would complain of fails the test."""
    context = chromium.new_context()
    context.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    context.on("weberror", lambda error: faults.append(str(error.error)))
    yield context
    context.close()


@pytest.fixture
def tag(candor: str, shop: Shop) -> Callable[..., str]:
    def written(**data: str) -> str:
        facts = {"key": make.write_key(origins=[shop.url]), "consent": "given"} | data
        source = facts.pop("src", f"{candor}{snippet.path()}")
        integrity = facts.pop("integrity", snippet.integrity())
        attributes = " ".join(f'data-{name}="{value}"' for name, value in facts.items())
        return (
            f'<script src="{source}" integrity="{integrity}" crossorigin="anonymous"'
            f" {attributes} defer></script>"
        )

    return written


def arrived(n: int = 1, seconds: float = 10) -> list[dict[str, Any]]:
    """What was staged, as soon as `n` events are there.

    What was under way as a page was left may come twice under one id; the merge takes one.
    """
    until = time.monotonic() + seconds
    while len(staged := _staged()) < n and time.monotonic() < until:
        time.sleep(0.02)
    assert len(staged) == n, staged
    return staged


def _staged() -> list[dict[str, Any]]:
    rows = {one.message_id: one for one in staging.newest(100)}.values()
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "message_id": one.message_id,
            "customer_ref": one.customer_ref,
            "previous_ref": one.previous_ref,
            "anonymous_id": one.anonymous_id,
            "product_id": one.product_id,
            "properties": one.facts,
            "context": one.circumstances,
        }
        for one in reversed(rows)
    ]


def calls_of(context: BrowserContext) -> list[Request]:
    made: list[Request] = []
    context.on("request", lambda request: made.append(request) if "/v1/" in request.url else None)
    return made


def sells(product_id: str) -> None:
    """A product that everybody is shown."""
    make.product(product_id, product_id.upper(), link=f"/{product_id}")
    run = TrainingRun.objects.create(
        engine="popular", as_of=make.NOW, n_customers=1, n_products=1, n_interactions=1,
        cpu_seconds=0, peak_rss_mb=0, verdict="too_little_data", created_at=make.NOW,
    )  # fmt: skip
    listed.product(run, "", [[product_id, 1.0, "popular", []]])


def stored(page: Page) -> list[str]:
    names: list[str] = page.evaluate("Object.keys(localStorage).sort()")
    return names


def test_a_page_and_what_was_done_on_it_come_in_under_a_strict_policy(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    script = """
        window.candor.identify("C-1", { locale: "en" });
        window.candor.track("Product Viewed", { product_id: "tv", price: 9.5 });
    """
    browser.new_page().goto(f"{shop.show(tag(), script=script)}?utm_source=mail&utm_campaign=May")

    page, identify, viewed = arrived(3)
    merging.merge(timezone.now())
    assert [one["kind"] for one in (page, identify, viewed)] == ["page", "identify", "track"]
    assert len({one["anonymous_id"] for one in (page, identify, viewed)}) == 1
    assert viewed["properties"] == {"product_id": "tv", "price": 9.5}
    assert viewed["context"]["page"] == {"path": "/", "title": "Shop"}
    assert viewed["context"]["campaign"] == {"source": "mail", "name": "May"}
    assert viewed["context"]["library"] == {"name": "candor.js", "version": snippet.VERSION}
    assert set(Event.objects.values_list("customer__external_id", flat=True)) == {"C-1"}
    assert Identity.objects.get().anonymous_id == page["anonymous_id"]


def test_calls_that_come_before_the_script_wait_for_it(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    shop.pages["/early.js"] = (
        "text/javascript",
        '(window.candor = window.candor || []).push(["track", "Early"], ["nonsense"], null);',
    )
    browser.new_page().goto(shop.show(f'<script src="/early.js" defer></script>{tag(page="off")}'))

    assert [one["name"] for one in arrived(1)] == ["Early"]


def test_before_consent_nothing_is_stored_or_sent_and_then_what_waited_is(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    page, calls = browser.new_page(), calls_of(browser)
    page.goto(shop.show(tag(consent="required"), script='window.candor.track("Looked")'))
    asked = page.evaluate("window.candor.recommend({ n: 1 })")
    page.wait_for_timeout(HELD_MS)
    assert (asked, calls, stored(page), browser.cookies()) == (None, [], [], [])

    page.evaluate("window.candor.consent(true)")

    assert [one["kind"] for one in arrived(2)] == ["page", "track"]
    assert stored(page) == ["candor-consent", "candor-visitor"]
    visitor = page.evaluate('localStorage.getItem("candor-visitor")')
    assert {one["anonymous_id"] for one in _staged()} == {visitor}


def test_who_refuses_is_left_alone_for_good(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    page, calls = browser.new_page(), calls_of(browser)
    page.goto(shop.show(tag(consent="required"), script='window.candor.track("Looked")'))
    page.evaluate("window.candor.consent(false)")
    page.reload()
    page.goto("about:blank")
    assert calls == []

    page.goto(f"{shop.url}/")
    assert stored(page) == ["candor-consent"]
    page.evaluate("window.candor.consent(null)")
    assert stored(page) == []


def test_who_takes_consent_back_is_forgotten(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    page = browser.new_page()
    page.goto(shop.show(tag()))
    (first,) = arrived(1)

    page.evaluate('window.candor.consent(false); window.candor.track("After")')
    page.wait_for_timeout(HELD_MS)
    assert stored(page) == ["candor-consent"]
    assert len(_staged()) == 1

    page.evaluate('window.candor.consent(true); window.candor.track("Again")')
    assert arrived(2)[1]["anonymous_id"] != first["anonymous_id"]


def test_global_privacy_control_counts_as_no_until_the_visitor_says_yes(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    browser.add_init_script(
        'Object.defineProperty(navigator, "globalPrivacyControl", { value: true })'
    )
    page, calls = browser.new_page(), calls_of(browser)
    page.goto(shop.show(tag()))
    page.wait_for_timeout(HELD_MS)
    assert (calls, stored(page)) == ([], [])

    page.evaluate('window.candor.consent(true); window.candor.track("Looked")')
    assert [one["name"] for one in arrived(1)] == ["Looked"]


def test_what_was_done_last_comes_in_though_the_page_is_left_at_once(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    page = browser.new_page()
    page.goto(shop.show(tag()))
    arrived(1)

    page.evaluate('window.candor.track("Left"); location.href = "about:blank"')

    assert [one["name"] for one in arrived(2)] == ["", "Left"]


def test_a_product_counts_as_seen_once_half_of_it_was_in_view_for_a_second(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    sells("tv")
    shop.pages["/tv"] = ("text/html", "<title>TV</title>")
    script = 'window.candor.strip("#strip", { placement: "home", n: 1 }, { wait: 5000 });'
    body = '<svg width="9" height="3000"></svg><div id="strip"></div>'
    page = browser.new_page()
    page.clock.install(time=make.NOW)
    page.goto(shop.show(tag(page="off"), body, script))
    item = page.locator("#strip a.candor-item")
    item.wait_for()
    assert item.locator("b").inner_text() == "TV"
    page.clock.pause_at(make.NOW + timedelta(hours=1))  # far below what is in view, for an hour

    item.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLED_MS)
    page.clock.run_for(900)
    page.evaluate("scrollTo(0, 0)")  # seen, but not for a second
    page.wait_for_timeout(SETTLED_MS)
    page.clock.run_for(60_000)
    page.wait_for_timeout(SETTLED_MS)
    assert not EventStaging.objects.exists()

    item.scroll_into_view_if_needed()
    for _ in range(20):
        page.wait_for_timeout(SETTLED_MS)
        page.clock.run_for(1_000)
        if _staged():
            break
    (viewed,) = arrived(1)
    item.click()
    page.wait_for_url("**/tv")
    clicked = arrived(2)[1]
    assert (viewed["name"], clicked["name"]) == ("Recommendation Viewed", "Recommendation Clicked")
    assert viewed["properties"] == clicked["properties"]
    assert (viewed["product_id"], viewed["properties"]["position"]) == ("tv", 1)
    assert len(viewed["properties"]["recommendationId"]) == 36


def test_recommendations_that_take_too_long_are_left_out(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    page = browser.new_page()
    page.route("**/v1/recommendations?*", lambda _route: None)  # never answered
    page.goto(shop.show(tag(page="off"), '<p id="strip">what the shop shows itself</p>'))

    took = page.evaluate("""async () => {
        const started = performance.now();
        const answer = await window.candor.strip("#strip", { n: 3 });
        return [answer, performance.now() - started];
    }""")

    assert took[0] is None
    assert 250 < took[1] < 1_000
    assert page.locator("#strip").inner_text() == "what the shop shows itself"


def test_a_server_that_is_down_breaks_nothing_and_loses_nothing_once_it_is_back(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str], faults: list[str]
) -> None:
    page = browser.new_page()
    page.goto(shop.show(tag()))
    arrived(1)
    browser.set_offline(True)
    answers = page.evaluate("""async () => [
        typeof window.candor.track("Offline"), await window.candor.recommend({ n: 3 }),
    ]""")
    page.wait_for_timeout(HELD_MS)
    browser.set_offline(False)

    assert answers == ["string", None]
    assert arrived(2)[1]["name"] == "Offline"
    assert all("ERR_INTERNET_DISCONNECTED" in fault for fault in faults)  # the browser's own lines
    faults.clear()


@pytest.mark.parametrize(("status", "n_tries"), [(429, 2), (503, 2), (400, 1)])
def test_what_the_server_could_not_take_is_tried_again_and_what_it_refused_is_not(
    browser: BrowserContext,
    shop: Shop,
    tag: Callable[..., str],
    faults: list[str],
    *,
    status: int,
    n_tries: int,
) -> None:
    tried: list[str] = []

    def answer(route: Route) -> None:
        tried.append(str(route.request.post_data))
        allowed = {"Access-Control-Allow-Origin": shop.url}
        if len(tried) == 1:
            route.fulfill(status=status, headers=allowed)
        else:
            route.fulfill(status=202, headers=allowed)

    page = browser.new_page()
    page.route("**/v1/batch", answer)
    page.goto(shop.show(tag()))
    page.wait_for_timeout(2_000)

    assert len(tried) == n_tries
    assert len({json.loads(body)["batch"][0]["messageId"] for body in tried}) == 1
    faults.clear()  # the browser's own line about the status


def test_the_shop_stands_where_the_script_cannot_be_had(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str], faults: list[str]
) -> None:
    script = """
        (window.candor = window.candor || []).push(["track", "Looked"]);
        document.title = "works";
    """
    page = browser.new_page()
    page.goto(shop.show(tag(src="http://127.0.0.1:9/candor.js"), script=script))

    assert page.title() == "works"
    assert [fault for fault in faults if "candor.js" not in fault and "ERR_" not in fault] == []
    faults.clear()


def test_a_script_that_was_changed_does_not_run(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str], faults: list[str]
) -> None:
    page, calls = browser.new_page(), calls_of(browser)
    changed = "sha384-" + "A" * 64
    page.goto(shop.show(tag(integrity=changed), script='document.title = "works"'))
    page.wait_for_timeout(HELD_MS)

    assert (page.title(), page.evaluate("window.candor"), calls) == ("works", None, [])
    assert "integrity" in faults.pop()


def test_a_stranger_is_known_again_until_the_shop_says_otherwise(
    browser: BrowserContext, shop: Shop, tag: Callable[..., str]
) -> None:
    page = browser.new_page()
    page.goto(shop.show(tag()))
    arrived(1)
    page.reload()
    arrived(2)
    page.evaluate('window.candor.alias("C-1"); window.candor.reset(); window.candor.track("New")')

    first, second, alias, new = arrived(4)
    assert first["anonymous_id"] == second["anonymous_id"] == alias["previous_ref"]
    assert new["anonymous_id"] != first["anonymous_id"]
    assert not Customer.objects.exists()
