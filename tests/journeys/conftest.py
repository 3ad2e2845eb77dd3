"""A real Chromium against a live server; what a person sees is what is tested."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.journeys.demo_shop import DemoShop, running_demo_shop

# Playwright keeps an event loop in this thread; Django would refuse the ORM beside it.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--font-render-hinting=none",
]
Visit = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no Chromium found: install it (`apt-get install chromium`)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What went wrong in the browser: script errors and requests to other hosts."""
    found: list[str] = []
    yield found
    assert found == [], "\n".join(found)


@pytest.fixture
def visit(chromium: Browser, live_server: LiveServer, faults: list[str]) -> Iterator[Visit]:
    """Open pages of the live server; script errors and requests to other hosts fail the test."""
    with pages(chromium, live_server.url, faults) as open_page:
        yield open_page


@pytest.fixture(scope="session")
def demo_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoShop]:
    """One for the whole run; TEST_DEMO_DIR names a folder to keep it in for the next one."""
    kept = os.environ.get("TEST_DEMO_DIR")
    with running_demo_shop(Path(kept) if kept else tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture
def visit_demo(chromium: Browser, demo_shop: DemoShop, faults: list[str]) -> Iterator[Visit]:
    """Open pages of the demo shop, which is served by a process of its own."""
    with pages(chromium, demo_shop.url, faults) as open_page:
        yield open_page


@contextlib.contextmanager
def pages(browser: Browser, url: str, faults: list[str]) -> Iterator[Visit]:
    contexts = []

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            faults.append(f"{message.location.get('url', '')}: {message.text}")

    def request(made: Request) -> None:
        if not made.url.startswith((url, "data:", "blob:", "about:")):
            faults.append(f"request to {made.url}")

    def open_page(
        *, language: str = "en", dark: bool = False, width: int = 1360, height: int = 900
    ) -> Page:
        context = browser.new_context(
            base_url=url,
            locale={"en": "en-GB", "zh-hans": "zh-CN"}[language],
            color_scheme="dark" if dark else "light",
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", console)
        page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
        page.on("request", request)
        page.set_default_timeout(15_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
