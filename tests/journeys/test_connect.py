"""From an empty shop to the green light, and a click in the shop that shows in the debugger."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect
from pytest_django.fixtures import Settings

from profiles.events import merging
from tests import make
from tests.journeys.conftest import pages
from tests.journeys.foreign_shop import Shop, running_candor, running_shop
from tests.places import ROOT

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"
PROMISED_SECONDS = 2.0
FOR_REQUESTS_SECONDS = 0.7
TEMPLATES = "profiles/templates/profiles"


@pytest.fixture
def candor(settings: Settings) -> Iterator[str]:
    make.shop()
    with running_candor() as url:
        settings.PUBLIC_URL = url
        yield url


@pytest.fixture
def admin(chromium: Browser, candor: str, faults: list[str]) -> Iterator[Page]:
    staff = make.staff()
    staff.set_password(PASSWORD)
    staff.save()
    with pages(chromium, candor, faults) as open_page:
        page = open_page()
        page.goto("/admin/login/")
        page.locator("[name=username]").fill(staff.username)
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[type=submit]").click()
        page.wait_for_url("**/admin/")
        yield page


@pytest.fixture
def shop() -> Iterator[Shop]:
    with running_shop() as running:
        yield running


@pytest.fixture
def visitor(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    yield context
    context.close()


def connect(admin: Page, shop: Shop, kind: str) -> str:
    """Make keys on the page and return the snippet that it shows."""
    make.source()
    admin.goto("/admin/connect/")
    expect(admin.locator("#light")).to_have_attribute("data-state", "waiting")
    admin.locator(f"[name=is_test][value={kind}]").check()
    admin.locator("[name=origins]").fill(shop.url)
    admin.get_by_role("button", name="Make keys").click()
    sample = admin.locator("[data-sample=snippet]")
    expect(sample).to_contain_text(f'data-key="wk_{kind}_')
    return sample.inner_text()


@pytest.mark.parametrize("kind", ["test", "live"])
def test_the_light_turns_green_by_itself_when_the_shop_is_first_visited(
    admin: Page, shop: Shop, visitor: BrowserContext, kind: str
) -> None:
    snippet = connect(admin, shop, kind)
    expect(admin.locator("#light")).to_have_attribute("data-state", "waiting")
    was_loaded = admin.evaluate("performance.timeOrigin")

    page = visitor.new_page()
    page.goto(shop.show(snippet))
    page.wait_for_function("() => Boolean(window.candor)")
    page.evaluate("window.candor.consent(true)")

    expect(admin.locator("#light")).to_have_attribute("data-state", "on")
    expect(admin.locator("#light .c-chip")).to_have_count(1 if kind == "test" else 0)
    assert admin.evaluate("performance.timeOrigin") == was_loaded


def test_a_page_of_another_origin_is_told_on_the_light(
    admin: Page, shop: Shop, visitor: BrowserContext
) -> None:
    snippet = connect(admin, shop, "live").replace('"required"', '"given"')
    page = visitor.new_page()
    page.goto(shop.show(snippet).replace("127.0.0.1", "localhost"))

    expect(admin.locator("#light")).to_have_attribute("data-state", "refused")


def test_a_sample_is_copied_by_its_button(admin: Page, shop: Shop) -> None:
    connect(admin, shop, "test")
    admin.context.grant_permissions(["clipboard-read", "clipboard-write"])
    admin.locator("[data-copies=php]").click()

    expect(admin.locator("[data-copies=php]")).to_have_text("Copied")
    copied = admin.evaluate("navigator.clipboard.readText()")
    assert copied == admin.locator("[data-sample=php]").text_content()
    assert re.search(r"sk_test_[\w-]{43}", copied)


def test_a_click_is_held_and_asked_for_so_seldom_that_it_shows_within_two_seconds() -> None:
    """What is left of the promise is for two requests, which take some ms each."""
    held = re.search(r"let pause = (\d+);", read("profiles/snippet/candor.js"))
    every = re.search(r'hx-trigger="every (\d+)s"', read(f"{TEMPLATES}/debugger_rows.html"))

    assert held
    assert every
    assert int(held[1]) / 1000 + int(every[1]) <= PROMISED_SECONDS - FOR_REQUESTS_SECONDS


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_a_click_in_the_shop_shows_with_its_verdict_at_the_next_question_of_the_debugger(
    admin: Page, shop: Shop, visitor: BrowserContext
) -> None:
    snippet = connect(admin, shop, "live").replace('"required"', '"given"')
    script = """
        document.querySelector("button").addEventListener("click", () =>
            window.candor.track("Product Added", { product_id: "tv" }));
        document.querySelector("a").addEventListener("click", () => window.candor.track(""));
    """
    body = '<button>Add</button><a href="#nothing">Nameless</a>'
    page = visitor.new_page()
    page.goto(shop.show(snippet, body, script))
    page.wait_for_function("() => Boolean(window.candor)")
    admin.goto("/admin/events/")
    admin.locator("[data-verdict=waiting]").wait_for()
    asked: list[Request] = []
    admin.on("request", lambda made: asked.append(made) if "seen=" in made.url else None)

    with page.expect_response("**/v1/batch") as taken:
        page.get_by_role("button", name="Add").click()
    n_before = len(asked)
    added = admin.locator("[data-verdict]", has_text="Product Added")
    added.wait_for()

    assert taken.value.status == HTTPStatus.ACCEPTED
    answers = [made.response() for made in asked[: n_before + 2]]
    told = [answer.text() for answer in answers if answer and answer.ok]
    assert any("Product Added" in text for text in told), "the question under way, or the next one"
    expect(added).to_have_attribute("data-verdict", "waiting")

    merging.merge(timezone.now())
    expect(added).to_have_attribute("data-verdict", "accepted")

    page.get_by_role("link", name="Nameless").click()
    rejected = admin.locator("[data-verdict=rejected]")
    expect(rejected).to_contain_text("A track call needs an event.")

    admin.locator("[name=verdict]").select_option("rejected")
    expect(admin.locator("[data-verdict]")).to_have_count(1)
    admin.locator("[name=verdict]").select_option("")
    expect(admin.locator("[data-verdict]")).to_have_count(3)
    admin.locator("[name=name]").fill("added")
    expect(admin.locator("[data-verdict]")).to_have_count(1)
    expect(added).to_be_visible()
