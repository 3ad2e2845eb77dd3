"""How the shop's messages look."""

from __future__ import annotations

import pytest
from django.test import Client

from campaigns import writing
from campaigns.models import Brand, Variant
from campaigns.rendering import content, starters
from campaigns.rendering.blocks import Brand as Look
from campaigns.rendering.blocks import compiled
from campaigns.rendering.content import Frame, Pick, Reader, Source
from campaigns.rendering.faults import TemplateError
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


def test_every_starter_is_written_in_both_languages_and_looks_like_the_shop() -> None:
    look = Look(accent="#0a7d33")
    names = {*starters.names(), *starters.OF_AN_OCCASION}
    assert len(names) > 10
    for name in names:
        messages = starters.load(name)
        assert [message.locale for message in messages] == ["en", "zh-hans"], name
        for message in messages:
            html = (
                writing.html_of(message.blocks, look, message.locale)
                if message.blocks
                else message.body_html
            )
            assert "<h1" in html, (name, message.locale)
            assert message.subject

    with pytest.raises(KeyError):
        starters.load("none_such")


def test_products_by_hand_a_picture_and_a_button_stand_in_the_message() -> None:
    picture, link = "https://shop.example.com/p.png", "https://shop.example.com/p"
    html = writing.html_of(
        [
            {"type": "image", "image": picture, "alt": "A lamp", "link": link},
            {"type": "divider"},
            {"type": "button", "button": "See all", "link": link},
            {
                "type": "products",
                "title": "Two of ours",
                "products": f"Lamp | 19.00 | {picture} | {link}\n\nCable | 9.00 | {picture} | {link}",
                "button": "Buy",
            },
        ],
        Look(),
        "en",
    )

    assert [html.count(words) for words in ("A lamp", "See all", "Lamp", "9.00", "Buy")] == [
        *(1, 1, 2, 2, 2)
    ]
    assert html.count(f'href="{link}"') == 6


@pytest.mark.parametrize("link", ["", "https://shop.example.com/p"])
@pytest.mark.parametrize("picture", ["", "https://shop.example.com/p.png"])
def test_a_recommended_product_shows_no_picture_and_no_button_that_the_shop_has_not(
    picture: str, link: str
) -> None:
    block = {"type": "recommendations", "title": "For you", "button": "Have a look"}
    html = writing.html_of([block], Look(), "en")
    pick = Pick("p", "Lamp", "Lamps", "19.00", picture, link, "It fits.")
    frame = Frame("Shop", "https://shop.example.com", "", "Spring", "en")

    told = content.compiled(Source("en", "New", html, "")).render(
        frame, Reader(picks=[pick]), unsubscribe_url="https://shop.example.com/u"
    )

    assert [told.html.count(f'src="{picture}"'), told.html.count("<img")] == [bool(picture)] * 2
    assert told.html.count("Have a look") == bool(link)
    assert told.html.count("<a ") == bool(link) * (1 + bool(picture))
    assert all(words in told.html for words in ("Lamp", "It fits.", "19.00"))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ([{"type": "divider"}] * 500, "too_many_blocks"),
        ([{"type": "carousel"}], "unknown_block"),
        ([{"type": "text", "text": 7}], "wrong_block"),
        ([{"type": "text", "text": " "}], "empty_block"),
        ([{"type": "button", "button": "Go", "link": "javascript:alert(1)"}], "wrong_link"),
        ([{"type": "products", "products": "Lamp | 1 | nowhere | no"}], "wrong_link"),
    ],
)
def test_a_block_that_cannot_be_shown_is_refused(
    message: list[dict[str, object]], code: str
) -> None:
    with pytest.raises(TemplateError) as refused:
        compiled(message, Look(), language="en")

    assert refused.value.code == code
