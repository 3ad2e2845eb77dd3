"""Writing a message: its blocks as forms, its source, its versions, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns import editing, looking, occasions, writing
from campaigns.models import Campaign, Template, TemplateVersion
from campaigns.rendering import block_list, comparing, markup, starters
from campaigns.rendering.comparing import Change, Version
from campaigns.rendering.faults import TemplateError
from profiles.models import Customer
from tests import make
from tests.make import NOW

pytestmark = pytest.mark.django_db
MESSAGE = [
    {"type": "hero", "title": "Hello {{ customer.first_name }}"},
    {"type": "text", "text": "Some words."},
    {"type": "footer", "unsubscribe": "Stop"},
]
BASE = "/admin/campaigns/campaign"


def written(locale: str = "en", **columns: Any) -> tuple[Campaign, Template]:
    campaign = make.written_campaign(locales=[locale], approved=False, **columns)
    return campaign, Template.objects.get(variant__campaign=campaign, locale=locale)


def save(template: Template, draft: editing.Draft) -> bool:
    campaign = template.variant.campaign
    return editing.save(
        template,
        draft,
        frame=writing.frame(campaign, template.locale, now=NOW),
        facts=occasions.sample(campaign),
        staff=None,
        now=NOW,
    )


@pytest.fixture
def browser(client: Client) -> Client:
    make.shop(sender_email="shop@shop.test")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    return client


def posted(message: list[dict[str, str]], **more: str) -> dict[str, Any]:
    """What the page's form sends for blocks in this order."""
    uids = [f"b{at}" for at in range(len(message))]
    facts: dict[str, Any] = {"form": "blocks", "subject": "News", "block": uids, "do": "save"}
    for uid, block in zip(uids, message, strict=True):
        facts |= {f"{uid}-{name}": value for name, value in block.items()}
    return facts | more


def test_blocks_are_kept_as_they_were_put_and_go_out_as_html(browser: Client) -> None:
    campaign, template = written()

    answer = browser.post(f"{BASE}/{campaign.pk}/message/{template.pk}/", posted(MESSAGE))

    template.refresh_from_db()
    assert answer.status_code == 302
    assert template.blocks == MESSAGE
    assert (template.subject, "{{ customer.first_name }}" in template.body_html) == ("News", True)
    assert [one.number for one in template.versions.order_by("number")] == [1, 2]


@pytest.mark.parametrize(
    ("do", "kinds"),
    [
        ("up:b1", ["text", "hero", "footer"]),
        ("down:b0", ["text", "hero", "footer"]),
        ("up:b0", ["hero", "text", "footer"]),
        ("copy:b1", ["hero", "text", "text", "footer"]),
        ("remove:b0", ["text", "footer"]),
        ("add", ["hero", "text", "footer", "coupon"]),
    ],
)
def test_without_script_each_button_answers_with_the_page_as_it_would_be(
    browser: Client, do: str, kinds: list[str]
) -> None:
    campaign, template = written()

    answer = browser.post(
        f"{BASE}/{campaign.pk}/message/{template.pk}/", posted(MESSAGE, do=do, add="coupon")
    )

    assert [row.kind for row in answer.context["rows"]] == kinds
    assert "Not saved yet." in answer.content.decode()
    assert not TemplateVersion.objects.exists()


@given(st.lists(st.sampled_from(["up", "down", "copy", "remove"])), st.integers(-2, 6))
@settings(max_examples=60, deadline=None)
def test_moving_loses_no_block_and_copying_adds_one(verbs: list[str], at: int) -> None:
    found = [{"type": "text", "text": str(n)} for n in range(4)]
    for verb in verbs:
        before, found = found, block_list.changed(found, verb, at)
        if not 0 <= at < len(before):
            assert found == before
        elif verb in {"up", "down"}:
            assert sorted(one["text"] for one in found) == sorted(one["text"] for one in before)
        else:
            assert len(found) - len(before) == (1 if verb == "copy" else -1)


@pytest.mark.parametrize(
    ("block", "pointer", "words"),
    [
        ({"type": "text"}, "/blocks/1/text", "The block needs its “Text”."),
        ({"type": "hero", "title": "{{ nobody }}"}, "/blocks/1/title", "no variable “nobody”"),
        (
            {"type": "button", "button": "Go", "link": "javascript:1"},
            "/blocks/1/link",
            "no web address",
        ),
        ({"type": "cart", "button": "Pay"}, "/blocks/1", "no variable “cart"),
    ],
)
def test_a_fault_stands_beside_its_field_and_nothing_typed_is_lost(
    browser: Client, block: dict[str, str], pointer: str, words: str
) -> None:
    campaign, template = written()
    before = template.body_html

    answer = browser.post(
        f"{BASE}/{campaign.pk}/message/{template.pk}/", posted([MESSAGE[1], block, MESSAGE[2]])
    )

    row = answer.context["rows"][1]
    name = pointer.rpartition("/")[2]
    told = " ".join([*row.errors, *row.form.errors.get(name, [])])
    assert words in told
    assert answer.context["draft"].blocks[1] == block
    template.refresh_from_db()
    assert template.body_html == before


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        ("<mjml>\n<mj-body>\n<mj-text>{{ nobody }}</mj-text>", "Line 3: There is no variable"),
        ("<mjml>\n<mj-body>\n{% for %}", "Line 3: This is not valid Liquid"),
        ("<mjml>\n<mj-body>\n<mj-txt>x</mj-txt></mj-body></mjml>", "Line 3: There is no MJML"),
        ("<mjml><mj-body>", "This is not valid MJML"),
        ("<mjml><mj-body><mj-raw><script></mj-raw></mj-body></mjml>", "must not have this"),
        ('<mjml><mj-include path="/etc/passwd" /></mjml>', "mj-include"),
    ],
)
def test_source_that_cannot_go_out_is_refused_with_its_line(mjml: str, words: str) -> None:
    _campaign, template = written()
    frame = writing.frame(template.variant.campaign, "en", now=NOW)

    found = editing.faults(editing.Draft("News", mjml=mjml), frame, {})

    assert [fault.pointer for fault in found] == ["/mjml"]
    assert words in found[0].detail


def test_mjml_is_compiled_when_it_is_saved() -> None:
    _campaign, template = written()
    mjml = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{ shop.name }}</mj-text></mj-column></mj-section></mj-body></mjml>"

    assert save(template, editing.Draft("News", mjml=mjml))

    template.refresh_from_db()
    assert (template.mjml, template.blocks) == (mjml, [])
    assert "<!doctype html>" in template.body_html
    assert "Hi {{ shop.name }}" in template.body_html


def test_a_saved_message_is_a_version_and_an_older_one_comes_back() -> None:
    _campaign, template = written()
    first = editing.Draft.of(template)
    save(template, editing.Draft("One", MESSAGE))
    save(template, editing.Draft("Two", [MESSAGE[1], MESSAGE[0], MESSAGE[2]]))
    assert not save(template, editing.Draft("Two", [MESSAGE[1], MESSAGE[0], MESSAGE[2]]))

    editing.restore(template.versions.get(number=1), staff=None, now=NOW)

    template.refresh_from_db()
    assert editing.Draft.of(template) == first
    assert [one.number for one in template.versions.order_by("number")] == [1, 2, 3, 4]


def test_the_versions_page_says_in_words_what_changed(browser: Client) -> None:
    campaign, template = written()
    save(template, editing.Draft("One", MESSAGE))
    changed = [MESSAGE[0], MESSAGE[1] | {"text": "Other words."}, {"type": "divider"}, MESSAGE[2]]
    save(template, editing.Draft("Two", changed))

    page = browser.get(f"{BASE}/{campaign.pk}/message/{template.pk}/versions/").content.decode()
    looked = browser.get(f"{BASE}/{campaign.pk}/message/{template.pk}/versions/2/")
    back = browser.post(f"{BASE}/{campaign.pk}/message/{template.pk}/versions/2/restore/")

    assert "The subject line “One” became “Two”." in page
    assert "Block 2 (Text): Text “Some words.” became “Other words.”." in page
    assert "Block 3 (Divider) was added." in page
    assert "Some words." in looked.content.decode()
    template.refresh_from_db()
    assert (back.status_code, template.subject, template.blocks) == (302, "One", MESSAGE)


def test_what_moved_is_told_from_what_went_and_came() -> None:
    one, two, three = ({"type": "text", "text": text} for text in ("a", "b", "c"))

    assert comparing.differences(Version("s", [one, two, three]), Version("s", [two, three, one])) \
        == [Change("moved", 3, "text")]  # fmt: skip
    assert comparing.differences(Version("s", [one, two]), Version("s", [one])) == [
        Change("removed", 2, "text")
    ]
    assert comparing.differences(Version("s", source="a\nb"), Version("s", source="a\nc\nd")) == [
        Change("source", before="1", after="2")
    ]
    assert comparing.differences(Version("s", [one]), Version("s", source="a")) == [Change("form")]
    same = Version("s", [one, two], "", "text")
    assert comparing.differences(same, same) == []


def test_the_live_preview_shows_what_is_typed_for_the_chosen_customer(browser: Client) -> None:
    make.reader("wei", full_name="Wei Zhang")
    campaign, template = written()
    live = f"{BASE}/{campaign.pk}/message/{template.pk}/live/"

    shown = browser.post(live, posted(MESSAGE, customer="wei"))
    dark = browser.post(live, posted(MESSAGE, dark="1")).content.decode()
    text = browser.post(live, posted(MESSAGE, part="text")).content.decode()
    wrong = browser.post(live, posted([{"type": "hero", "title": "{{ nobody }}"}]))

    name = str(Customer.objects.get(external_id="wei").full_name).split()[0]
    assert f"Hello {name}" in shown.content.decode()
    assert "Wei Zhang" not in shown.content.decode()
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert "@media all" in dark
    assert "prefers-color-scheme" not in dark
    assert "<pre" in text
    assert "no variable “nobody”" in wrong.content.decode()
    assert not TemplateVersion.objects.exists()


def test_a_draft_goes_through_the_code_that_sends() -> None:
    make.reader("ann", full_name="Ann Lee")
    campaign, template = written()
    save(template, editing.Draft("News", MESSAGE))
    ann, variant = Customer.objects.get(external_id="ann"), template.variant
    template.refresh_from_db()

    kept = looking.preview(campaign, variant, ann, NOW)
    typed = looking.preview_of(
        campaign, variant, editing.source(editing.Draft("News", MESSAGE), "en"), ann, NOW
    )

    assert kept == typed


def test_an_edit_voids_an_approval_and_a_campaign_under_way_cannot_be_edited(
    browser: Client,
) -> None:
    campaign = make.written_campaign()
    template = Template.objects.get(variant__campaign=campaign)
    path = f"{BASE}/{campaign.pk}/message/{template.pk}/"

    browser.post(path, posted(MESSAGE))
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT

    Campaign.objects.update(status=Campaign.Status.SENDING, planned_at=NOW)
    browser.post(path, posted(MESSAGE, subject="Late"))
    template.refresh_from_db()
    assert template.subject == "News"


def test_two_who_write_at_once_lose_nothing(browser: Client) -> None:
    campaign, template = written()
    path = f"{BASE}/{campaign.pk}/message/{template.pk}/"
    browser.post(path, posted(MESSAGE, base="0", subject="Hers"))

    answer = browser.post(path, posted(MESSAGE, base="0", subject="His"), follow=True)

    assert "Somebody else saved meanwhile" in answer.content.decode()
    subjects = template.versions.order_by("number").values_list("subject", flat=True)
    assert list(subjects)[-2:] == ["Hers", "His"]


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_gallery_shows_every_starter_and_begins_from_one(
    browser: Client, language: str
) -> None:
    campaign, template = written(body="<p>Old {{ unsubscribe_url }}</p>")
    path = f"{BASE}/{campaign.pk}/message/starters/"
    with translation.override(language):
        page = browser.get(path, headers={"Accept-Language": language}).context["starters"]
        for name in ("welcome", "picked_for_you"):
            shown = browser.get(f"{path}{name}/", headers={"Accept-Language": language})
            assert "<h1" in shown.content.decode()

    browser.post(path, {"starter": "welcome"})

    template.refresh_from_db()
    assert [name for name, _label, _told in page] == starters.names()
    assert template.blocks
    assert template.versions.get(number=1).body_html == "<p>Old {{ unsubscribe_url }}</p>"
    assert Template.objects.filter(variant__campaign=campaign, locale="zh-hans").exists()
    assert browser.post(path, {"starter": "cart_left"}).status_code == 404


def test_a_message_in_blocks_takes_the_shops_look_again_when_it_is_saved() -> None:
    campaign, template = written()
    save(template, editing.Draft("News", MESSAGE))
    template.refresh_from_db()
    assert json.loads(json.dumps(template.blocks)) == MESSAGE
    assert writing.faults(campaign, now=NOW) == []


def test_dark_is_shown_whatever_the_screen_is_in() -> None:
    html = "<style>@media (prefers-color-scheme: dark) { a {} }</style>"

    assert markup.shown_in(html, dark=True) == "<style>@media all { a {} }</style>"
    assert markup.shown_in(html, dark=False) == "<style>@media not all { a {} }</style>"


def test_an_element_that_is_none_is_told_with_its_line() -> None:
    with pytest.raises(TemplateError) as refused:
        markup.to_html("<mjml>\n<mj-body>\n<mj-buton>x</mj-buton></mj-body></mjml>")

    assert (refused.value.code, refused.value.about, refused.value.line) == (
        *("unknown_tag", "mj-buton", 3),
    )
