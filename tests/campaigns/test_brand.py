"""How the shop's messages look."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns import writing
from campaigns.models import Brand, Variant
from tests import make

pytestmark = pytest.mark.django_db
PLAIN = {
    "logo_url": "",
    "accent": "#1f5eff",
    "on_accent": "#ffffff",
    "ink": "#0f1b33",
    "soft": "#4a5871",
    "page": "#f2f4f8",
    "card": "#ffffff",
}


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop()
    client.force_login(make.staff())
    return client


def page(browser: Client) -> str:
    return str(browser.get("/admin/campaigns/brand/").headers["Location"])


def test_a_message_begun_from_a_starter_has_the_colours_and_the_logo(browser: Client) -> None:
    kit = PLAIN | {"accent": "#0a7d33", "logo_url": "https://shop.example.com/logo.png"}

    saved = browser.post(page(browser), kit)
    begun = writing.start_from(Variant.objects.create(campaign=make.campaign(), key="z"), "welcome")

    assert saved.status_code == 302
    assert {template.locale for template in begun} == {"en", "zh-hans"}
    for template in begun:
        assert "#0a7d33" in template.body_html
        assert "https://shop.example.com/logo.png" in template.body_html


@pytest.mark.parametrize(
    ("field", "given", "told"),
    [
        ("accent", "red", "A colour looks like #1f5eff."),
        ("page", "#12345g", "A colour looks like #1f5eff."),
        ("logo_url", "http://shop.example.com/logo.png", "Enter a valid URL."),
    ],
)
def test_what_mail_programs_do_not_take_is_refused(
    browser: Client, field: str, given: str, told: str
) -> None:
    answer = browser.post(page(browser), PLAIN | {field: given})

    assert answer.context["adminform"].form.errors == {field: [told]}
    assert Brand.current().accent == "#1f5eff"
