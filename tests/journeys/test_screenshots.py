"""The pictures of README and of the guide, taken of the demo shop by the browser that tests it.

`make screenshots` puts them into docs/screenshots and docs/guide/images; every other run takes them all the same, and
throws them away.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Visit
from tests.journeys.demo_shop import DemoShop
from tests.journeys.test_pages import OVERFLOW, sign_in
from tests.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo shop")]
MAX_BYTES = 300_000
PAGES = {
    "home": "/admin/",
    "report": "/admin/campaigns/campaign/1/report/",
    "customer": "/admin/profiles/customer/15/change/",
}
# A page of the guide and what it shows; 4 is the demo's draft, 1 its finished test.
GUIDE = {
    "1-bring-in": "/admin/profiles/upload/new/",
    "2-know": "/admin/profiles/persona/",
    "3-audience": "/admin/profiles/segment/1/change/",
    "4-write": "/admin/campaigns/campaign/4/message/",
    "5-review": "/admin/campaigns/campaign/4/audience/",
    "6-schedule": "/admin/campaigns/campaign/calendar/",
    "7-watch": "/admin/campaigns/campaign/1/deliveries/",
    "8-report": "/admin/campaigns/campaign/1/report/",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"dark": True},
    "zh": {"language": "zh-hans"},
    "narrow": {"width": 390},
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_pictures_are_taken(
    visit_demo: Visit, demo_shop: DemoShop, look: str, tmp_path: Path
) -> None:
    folder = ROOT / "docs" / "screenshots" if os.environ.get("SCREENSHOTS") == "1" else tmp_path
    page = visit_demo(**{"width": 1280, "height": 860, **LOOKS[look]})
    sign_in(page, demo_shop)
    for name, path in PAGES.items():
        answer = page.goto(path)
        page.wait_for_load_state("networkidle")
        page.evaluate("document.fonts.ready")

        picture = page.screenshot(path=folder / f"{name}-{look}.png")

        assert answer is not None
        assert answer.ok
        assert page.evaluate(OVERFLOW) == 0, name
        assert len(picture) < MAX_BYTES, name


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pictures_of_the_guide_are_taken(
    visit_demo: Visit, demo_shop: DemoShop, language: str, tmp_path: Path
) -> None:
    keep = os.environ.get("SCREENSHOTS") == "1"
    folder = ROOT / "docs" / "guide" / "images" if keep else tmp_path
    page = visit_demo(language=language, width=1120, height=760)
    sign_in(page, demo_shop)
    for name, path in GUIDE.items():
        answer = page.goto(path)
        page.wait_for_load_state("networkidle")
        page.evaluate("document.fonts.ready")

        picture = page.screenshot(
            path=folder / f"{name}-{language[:2]}.jpg", type="jpeg", quality=70
        )

        assert answer is not None
        assert answer.ok, path
        assert page.evaluate(OVERFLOW) == 0, name
        assert len(picture) < MAX_BYTES, name
