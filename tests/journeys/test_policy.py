"""The theme moves under the strict policy: a browser that refuses a script says so on the console."""

from __future__ import annotations

import re
from base64 import b32decode

import pytest
from django.utils import timezone
from django_otp.oath import TOTP
from playwright.sync_api import Page, expect

from jobs.models import Job
from privacy import second_factor
from privacy.models import Staff
from tests import make
from tests.journeys.conftest import Visit

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "correct horse battery"


@pytest.fixture
def page(visit: Visit) -> Page:
    """The admin, signed in; a message about the policy fails the test like any script error."""
    make.shop()
    staff = make.staff()
    staff.set_password(PASSWORD)
    staff.save()
    for number in range(3):
        make.customer(f"C-{number}", city="Vienna", country="AT", gender="female")
    opened = visit()
    opened.goto("/admin/login/")
    opened.locator("[name=username]").fill(staff.username)
    opened.locator("[name=password]").fill(PASSWORD)
    opened.locator("[type=submit]").click()
    opened.wait_for_url("**/admin/")
    return opened


def test_the_themes_own_controls_work(page: Page) -> None:
    page.goto("/admin/privacy/staff/")
    html = page.locator("html")

    page.get_by_text("administrator", exact=True).first.click()  # the account's menu
    expect(page.get_by_role("link", name="Second factor")).to_be_visible()
    page.get_by_text("dark_mode").locator("visible=true").first.click()
    expect(html).to_have_class(re.compile("dark"))

    page.keyboard.press("Escape")
    page.locator("#action-toggle").check()
    expect(page.locator("select[name=action]")).to_be_visible()

    page.locator(
        "[x-on\\:click*='filterOpen = true'], [x-on\\:click*='filterOpen = !filterOpen']"
    ).first.click()
    expect(page.locator("#changelist-filter")).to_be_visible()


def test_the_side_menu_folds_and_stays_folded(page: Page) -> None:
    menu = page.locator("#nav-sidebar")
    expect(menu).to_be_visible()
    page.locator("[x-on\\:click*='sidebarDesktopOpen = !sidebarDesktopOpen']").first.click()
    expect(menu).not_to_be_in_viewport()
    page.reload()
    expect(menu).not_to_be_in_viewport()


def test_the_command_palette_finds_pages(page: Page) -> None:
    page.keyboard.press("Control+k")
    palette = page.locator("#search-input-command, [x-ref=searchInputCommand]").first
    expect(palette).to_be_visible()
    palette.press_sequentially("customers")
    expect(page.locator("#command-results a").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/customer/")


def test_an_inline_script_does_not_run(page: Page, faults: list[str]) -> None:
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'top.ran = 1'}))"
    )
    assert page.evaluate("top.ran") is None
    assert "Content Security Policy" in faults.pop()


def test_an_authenticator_is_set_up_and_asked_for(page: Page) -> None:
    page.goto("/admin/privacy/staff/me/factor/")
    expect(page.locator(".c-qr svg")).to_be_visible()
    factor = Staff.objects.get().second_factor
    totp = TOTP(b32decode(second_factor.secret(factor)))
    totp.time = timezone.now().timestamp()

    page.locator("[name=code]").fill(f"{totp.token():06}")
    page.get_by_role("button", name="Go on").click()
    codes = page.locator("dd code").all_inner_texts()
    assert len(codes) == second_factor.N_CODES

    page.context.clear_cookies()
    page.goto("/admin/login/")
    page.locator("[name=username]").fill("administrator")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[type=submit]").click()
    page.locator("[name=code]").fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    expect(page).to_have_url(re.compile("/admin/$"))


@pytest.mark.slow
def test_what_is_revealed_is_masked_again_by_itself(page: Page) -> None:
    ann = make.customer("ann", email="ann.secret@shop.example")
    page.goto(f"/admin/profiles/customer/{ann.pk}/change/")
    page.locator("[name=code]").select_option("order")
    page.locator("[name=reason]").fill("ticket 4711")
    page.get_by_role("button", name="Reveal").click()
    expect(page.get_by_text("ann.secret@shop.example")).to_be_visible()

    page.wait_for_timeout(29_000 - 2_000)
    expect(page.get_by_text("ann.secret@shop.example")).to_be_visible()

    expect(page.get_by_text("a***@s***.example")).to_be_visible(timeout=5_000)
    assert "ann.secret" not in page.content()


def test_the_list_of_jobs_renews_itself(page: Page) -> None:
    Job.objects.create(
        kind="profiles.build", queue="batch", not_before=make.NOW, created_at=make.NOW
    )
    with page.expect_response(lambda got: "hx-request" in got.request.headers) as renewed:
        page.goto("/admin/jobs/job/")
    assert renewed.value.ok
    page.wait_for_timeout(300)  # what the browser has against the answer comes after it
    expect(page.locator("#changelist-form")).to_be_visible()
