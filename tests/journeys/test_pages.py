"""Every page a person can reach, in both languages, light and dark, on a desk and on a phone."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page

from config import translations
from tests.journeys.conftest import Visit
from tests.journeys.demo_shop import DemoShop

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo shop")]
DESK, PHONE = 1360, 390
CAMPAIGN = "/admin/campaigns/campaign/1"
OTHERS = [
    f"{CAMPAIGN}/change/",
    f"{CAMPAIGN}/message/",
    f"{CAMPAIGN}/report/",
    f"{CAMPAIGN}/deliveries/",
    f"{CAMPAIGN}/links/",
    "/admin/campaigns/campaign/4/change/",
    "/admin/campaigns/campaign/4/message/starters/",
    "/admin/campaigns/campaign/4/message/13/",
    "/admin/campaigns/campaign/4/message/13/versions/",
    "/admin/campaigns/campaign/4/steps/review/",
    "/admin/campaigns/picture/add/",
    "/admin/campaigns/campaign/add/",
    "/admin/profiles/segment/add/",
    "/admin/profiles/upload/new/",
    "/admin/campaigns/campaign/4/audience/",
    "/admin/recommendations/product/likely/",
    "/admin/recommendations/trainingrun/1/change/",
    "/admin/recommendations/trainingrun/inspect/?customer=C10001",
    "/admin/demo/remove/",
    "/admin/password_change/",
    "/setup/",
    "/demo/shop/",
]
# Names that the demo gives its own things, whatever the reader's language.
DEMO_NAMES = {"Reachable by e-mail", "Lapsed customers", "High-value customers", "Demo shop"}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDEST = """() => [...document.querySelectorAll('body *')]
    .filter((node) => node.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 3).map((node) => `${node.tagName}.${node.className}`).join(' ')"""


def sign_in(page: Page, shop: DemoShop) -> None:
    page.goto("/admin/login/")
    page.locator("[name=username]").fill(shop.username)
    page.locator("[name=password]").fill(shop.password)
    page.locator("[type=submit]").click()
    page.wait_for_url("**/admin/")


def menu(page: Page) -> list[str]:
    """Every address of the side menu."""
    page.goto("/admin/")
    links = page.locator("#nav-sidebar a[href]").evaluate_all("all => all.map((a) => a.href)")
    return sorted({urlsplit(link).path for link in links})


def first_of_lists(page: Page, lists: list[str]) -> Iterator[str]:
    """The page of the first row of each list."""
    for path in lists:
        page.goto(path)
        row = page.locator("#result_list th a[href]").first
        if row.count():
            yield urlsplit(str(row.get_attribute("href"))).path


def unsubscribe_page(shop: DemoShop, language: str) -> str:
    """The page behind the link of some message in that language, which the page keeps."""
    for file in sorted((shop.folder / "outbox").glob("*.eml")):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        if message["Subject"].isascii() == (language == "en"):
            link = urlsplit(str(message["List-Unsubscribe"]).strip("<>"))
            return f"{link.path}?{link.query}"
    raise AssertionError(f"no message in {language} was sent")


def english_sentences() -> list[str]:
    """Messages of ours of two words and more that no Chinese text holds."""
    stored = [(m.id, str(m.string)) for m in translations.read() if isinstance(m.id, str)]
    chinese = "\n".join(string for _english, string in stored)
    return [
        english
        for english, _chinese in stored
        if " " in english.strip()
        and "%" not in english
        and english not in chinese
        and english not in DEMO_NAMES
    ]


def english_left(text: str, sentences: list[str]) -> list[str]:
    return [
        sentence
        for sentence in sentences
        if sentence in text and re.search(rf"(?<!\w){re.escape(sentence)}(?!\w)", text)
    ]


def faults_of(page: Page, path: str, sentences: list[str]) -> Iterator[str]:
    page.set_viewport_size({"width": DESK, "height": 900})
    answer = page.goto(path)
    status = answer.status if answer else 0
    if status != HTTPStatus.OK:
        yield f"status {status}"
    if not page.title().strip():
        yield "no title"
    yield from (f"English: {text}" for text in english_left(page.inner_text("body"), sentences))
    for width in (DESK, PHONE):
        page.set_viewport_size({"width": width, "height": 900})
        if (excess := page.evaluate(OVERFLOW)) > 0:
            yield f"{excess} px too wide at {width}: {page.evaluate(WIDEST)}"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_page_is_whole(
    visit_demo: Visit, demo_shop: DemoShop, *, language: str, dark: bool
) -> None:
    page = visit_demo(language=language, dark=dark)
    sign_in(page, demo_shop)
    found = menu(page)
    assert len(found) > 12
    paths = [*found, *first_of_lists(page, found), *OTHERS, unsubscribe_page(demo_shop, language)]
    sentences = english_sentences() if language != "en" else []

    faults = {path: list(faults_of(page, path, sentences)) for path in dict.fromkeys(paths)}

    assert {path: told for path, told in faults.items() if told} == {}
