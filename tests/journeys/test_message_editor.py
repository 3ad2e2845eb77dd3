"""The message editor in Chromium: by mouse, by keyboard, in Chinese, without script."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from campaigns import cards
from campaigns.models import Campaign, Picture, Template
from tests import make
from tests.journeys.conftest import Visit
from tests.journeys.test_segment_builder import shot, signed_in

pytestmark = pytest.mark.django_db(transaction=True)
BLOCKS = "[data-blocks] > li"
FITS = "document.documentElement.scrollWidth <= innerWidth"


@pytest.fixture
def campaign() -> Campaign:
    make.reader("C-1", full_name="Ann Lee")
    make.reader("C-2", full_name="张伟", locale="zh-CN")
    return make.written_campaign(locales=["en", "zh-hans"], approved=False)


def editor(page: Page, campaign: Campaign, locale: str = "en") -> Template:
    template = Template.objects.get(variant__campaign=campaign, locale=locale)
    page.goto(f"/admin/campaigns/campaign/{campaign.pk}/message/{template.pk}/")
    return template


def begin(page: Page, campaign: Campaign, starter: str) -> None:
    page.goto(f"/admin/campaigns/campaign/{campaign.pk}/message/starters/")
    page.locator(f"button[value={starter}]").click()
    page.wait_for_url("**/message/")


def kinds(page: Page) -> list[str]:
    return [
        str(one)
        for one in page.locator(BLOCKS).evaluate_all("all => all.map(b => b.dataset.label)")
    ]


def test_a_message_is_put_together_from_blocks_and_saved(visit: Visit, campaign: Campaign) -> None:
    page = signed_in(visit)
    page.goto(f"/admin/campaigns/campaign/{campaign.pk}/message/starters/")
    expect(page.frame_locator("iframe").first.locator("h1")).to_be_visible()
    shot(page, "starters-en")
    begin(page, campaign, "welcome")
    shot(page, "message-en")
    template = editor(page, campaign)
    live = page.frame_locator("[data-frames] iframe:not(.is-coming)")
    expect(live.locator("h1")).to_be_visible()
    first = kinds(page)

    page.get_by_label("Heading").first.fill("Good day, {{ customer.first_name }}")
    page.locator("#live-customer").select_option("C-1")
    expect(live.locator("h1")).to_contain_text("Good day, A")
    page.locator("#e-add").select_option("image")
    page.get_by_role("button", name="Add block").click()
    page.get_by_role("button", name="Choose from the library").last.click()
    out = BytesIO()
    Image.new("RGB", (600, 200), "teal").save(out, "PNG")
    page.locator("#up-file").set_input_files(
        {"name": "teal.png", "mimeType": "image/png", "buffer": out.getvalue()}
    )
    page.locator("#up-alt").fill("A teal bar")
    page.get_by_role("button", name="Upload").click()
    expect(live.get_by_alt_text("A teal bar")).to_be_visible()
    page.get_by_role("button", name="Move Picture up").click()
    page.get_by_role("button", name="Duplicate Picture").click()
    page.get_by_role("button", name="Remove Picture").last.click()
    shot(page, "editor-en")
    page.get_by_role("button", name="Save message").click()

    expect(page.get_by_text("Message saved.")).to_be_visible()
    template.refresh_from_db()
    assert [block["type"] for block in template.blocks].count("image") == 1
    assert kinds(page) == [*first[:-1], "Picture", first[-1]]
    assert Picture.objects.get().path in template.body_html
    assert page.evaluate(FITS)


def test_blocks_are_put_in_order_by_keyboard_and_by_drag(visit: Visit, campaign: Campaign) -> None:
    page = signed_in(visit)
    begin(page, campaign, "welcome")
    editor(page, campaign)
    first = kinds(page)

    down = page.get_by_role("button", name=f"Move {first[0]} down").first
    down.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-announce]")).to_have_text(
        f"{first[0]} is now number 2 of {len(first)}."
    )
    assert page.evaluate("document.activeElement.dataset.act") == "down"
    assert kinds(page)[:2] == [first[1], first[0]]

    page.locator("[data-handle]").nth(1).drag_to(
        page.locator(BLOCKS).first, target_position={"x": 20, "y": 3}
    )
    assert kinds(page) == first
    page.get_by_role("button", name=f"Remove {first[-1]}").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    assert kinds(page) == first[:-1]


@pytest.mark.parametrize(
    ("dark", "width"), [(False, 1360), (True, 1360), (False, 390)], ids=["light", "dark", "narrow"]
)
def test_the_editor_speaks_chinese(
    visit: Visit, campaign: Campaign, *, dark: bool, width: int
) -> None:
    page = signed_in(visit, language="zh-hans", dark=dark, width=width)
    look = f"{'dark' if dark else 'light'}-{width}"
    page.goto(f"/admin/campaigns/campaign/{campaign.pk}/message/starters/")
    assert page.evaluate(FITS)
    shot(page, f"starters-zh-{look}")
    begin(page, campaign, "coupon")
    assert page.evaluate(FITS)
    shot(page, f"message-zh-{look}")
    template = editor(page, campaign, "zh-hans")
    page.locator("#live-dark").select_option("1" if dark else "0")
    expect(page.frame_locator("[data-frames] iframe:not(.is-coming)").locator("h1")).to_be_visible()
    page.locator("#e-subject").fill("新的标题")
    page.locator("#e-add").select_option("products")
    page.get_by_role("button", name="添加内容块").click()
    page.get_by_role("button", name="保存消息").click()
    expect(page.locator(".e-block .errorlist")).to_be_visible()
    assert page.evaluate(FITS)
    shot(page, f"editor-zh-{look}")

    page.locator(f"{BLOCKS} [data-act=remove]").last.click()
    page.get_by_role("button", name="保存消息").click()
    expect(page.locator(".e-block .errorlist")).to_have_count(0)
    template.refresh_from_db()
    assert template.subject == "新的标题"
    page.goto(f"{page.url}versions/")
    expect(page.locator(".c-table")).to_contain_text("新的标题")
    assert page.evaluate(FITS)
    shot(page, f"versions-zh-{look}")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_a_campaign_is_set_up_in_steps(visit: Visit, campaign: Campaign, *, language: str) -> None:
    narrow = language != "en"
    page = signed_in(visit, language=language, width=390 if narrow else 1360, dark=narrow)
    page.goto(f"/admin/campaigns/campaign/{campaign.pk}/steps/goal/")
    for part in ("goal", "who", "texts", "variants", "when", "review"):
        if part == "texts":
            with page.expect_navigation():
                page.locator("ol.c-row a").nth(3).click()
            continue
        assert page.evaluate(FITS)
        shot(page, f"step-{part}-{language}")
        if part != "review":
            with page.expect_navigation():
                page.locator("form.c-form button.is-primary").click()

    expect(page.locator("#checks")).to_be_visible()
    assert page.locator("ol.c-row [aria-current=step]").count() == 1


def test_a_card_is_seen_beside_its_form(visit: Visit) -> None:
    make.reader("C-1", full_name="Ann Lee", locale="zh-CN")
    made = make.written_campaign(
        approved=False, channel="onsite", purpose="campaign.onsite", placement="hero"
    )
    cards.start(made.variants.get())
    page = signed_in(visit, width=390, language="zh-hans", dark=True)
    page.goto(f"/admin/campaigns/campaign/{made.pk}/message/")
    expect(page.frame_locator("#preview-frame").locator("h1")).to_have_text("您的设备上新了配件")
    for width in (390, 1360):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(FITS)
        shot(page, f"card-{width}")
