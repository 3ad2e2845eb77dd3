"""The README's pictures, taken of the demo shop by the browser that tests it.

`SCREENSHOTS=1 pytest tests/journeys/test_screenshots.py` puts them into docs/screenshots; without
it they are taken all the same, and thrown away.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.journeys.conftest import Visit
from tests.journeys.demo_shop import DemoShop
from tests.journeys.test_pages import sign_in
from tests.places import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo shop")]
MAX_BYTES = 400_000
REPORT = "/admin/campaigns/campaign/1/report/"
# Path, language, dark, width.
SHOTS = {
    "home": ("/admin/", "en", False, 1280),
    "report": (REPORT, "en", False, 1280),
    "customer": ("/admin/profiles/customer/15/change/", "en", False, 1280),
    "personas-zh": ("/admin/profiles/persona/", "zh-hans", False, 1280),
    "report-dark": (REPORT, "en", True, 1280),
    "home-zh-dark-narrow": ("/admin/", "zh-hans", True, 390),
}


@pytest.mark.parametrize("name", SHOTS)
def test_the_pictures_are_taken(
    visit_demo: Visit, demo_shop: DemoShop, name: str, tmp_path: Path
) -> None:
    path, language, dark, width = SHOTS[name]
    folder = ROOT / "docs" / "screenshots" if os.environ.get("SCREENSHOTS") == "1" else tmp_path
    page = visit_demo(language=language, dark=dark, width=width, height=860)
    sign_in(page, demo_shop)
    answer = page.goto(path)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")

    page.screenshot(path=folder / f"{name}.png")

    assert answer is not None
    assert answer.ok
    assert (folder / f"{name}.png").stat().st_size < MAX_BYTES
