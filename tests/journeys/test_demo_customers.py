"""What the demo shop's customers show: a persona that reads like one, carts in their states."""

from __future__ import annotations

import pytest

from tests.journeys.conftest import Visit
from tests.journeys.demo_shop import DemoShop
from tests.journeys.test_pages import sign_in

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo shop")]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["answers to e-mail", "comes by newsletter", "in the evening", "mostly women"]),
        ("zh-hans", ["会回应邮件", "经由 newsletter 而来", "常于晚间", "女性居多"]),
    ],
)
def test_a_persona_tells_who_they_are_what_they_buy_and_how_they_answer(
    visit_demo: Visit, demo_shop: DemoShop, language: str, said: list[str]
) -> None:
    page = visit_demo(language=language)
    sign_in(page, demo_shop)
    page.goto("/admin/profiles/persona/")

    sentences = page.locator(".c-verdict").all_inner_texts()

    assert any(all(word in sentence for word in said) for sentence in sentences), sentences


def test_carts_rest_and_are_bought(visit_demo: Visit, demo_shop: DemoShop) -> None:
    page = visit_demo()
    sign_in(page, demo_shop)
    for state in ("abandoned", "ordered"):
        page.goto(f"/admin/profiles/cart/?state__exact={state}")
        assert page.locator("#result_list tbody tr").count() > 20, state
