"""The README's pictures, taken of the demo by the browser that tests it.

`SCREENSHOTS=http://127.0.0.1:8000 DEMO_PASSWORD=… pytest tests/journeys/test_screenshots.py`
takes them of a running demo; without the address there is nothing to take them of.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Browser

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
ADDRESS = os.environ.get("SCREENSHOTS", "")
SHOTS = {
    "home": ("/admin/", "en-GB", "light", 1280),
    "report": ("/admin/campaigns/campaign/1/report/", "en-GB", "light", 1280),
    "customer": ("/admin/profiles/customer/15/change/", "en-GB", "light", 1280),
    "personas-zh": ("/admin/profiles/persona/", "zh-CN", "light", 1280),
    "report-dark": ("/admin/campaigns/campaign/1/report/", "en-GB", "dark", 1280),
    "home-zh-dark-narrow": ("/admin/", "zh-CN", "dark", 390),
}


@pytest.mark.skipif(not ADDRESS, reason="no running demo named in SCREENSHOTS")
@pytest.mark.parametrize("name", SHOTS)
def test_the_pictures_are_taken(chromium: Browser, name: str) -> None:
    path, locale, scheme, width = SHOTS[name]
    context = chromium.new_context(
        base_url=ADDRESS,
        locale=locale,
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": width, "height": 860},
    )
    page = context.new_page()
    page.goto("/admin/login/")
    page.fill("#id_username", "demo")
    page.fill("#id_password", os.environ["DEMO_PASSWORD"])
    page.click("button[type=submit]")
    answer = page.goto(path)
    page.wait_for_timeout(400)
    page.screenshot(path=FOLDER / f"{name}.png")
    context.close()

    assert answer is not None
    assert answer.ok
    assert (FOLDER / f"{name}.png").stat().st_size < 400_000
