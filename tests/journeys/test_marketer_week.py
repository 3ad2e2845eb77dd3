"""A marketer's first week, in a real browser: from an empty shop to a report, in two languages."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page

from campaigns.channels import outbox
from campaigns.models import Campaign
from config import first_run
from config.demo import catalogue, people, year
from jobs import running
from jobs.models import Job
from profiles.importing import samples
from profiles.models import Customer, Order, Segment
from recommendations.models import Product
from tests.journeys.conftest import Visit

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
N_CUSTOMERS = 160
# Of what a person clicks; typing and choosing from lists come on top.
MAX_CLICKS = 22
SUBMIT = "form.c-card button.is-primary"


class Hand:
    """Clicks and fills like a person, and counts the clicks."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.n_clicks = 0

    def click(self, selector: str) -> None:
        self.n_clicks += 1
        self.page.locator(selector).first.click()
        self.page.wait_for_load_state()

    def fill(self, fields: dict[str, str]) -> None:
        for selector, value in fields.items():
            self.page.locator(selector).first.fill(value)

    def text(self) -> str:
        return self.page.locator(".c-page").first.inner_text()


def work_off() -> None:
    """Do what the worker would do: run every waiting job to its end."""
    while waiting := Job.objects.filter(state=Job.State.QUEUED).order_by("pk").first():
        done = running.run(waiting.pk, clock=timezone.now)
        assert done is not None
        assert done.state == Job.State.DONE, (done.kind, done.error_code, done.error_detail)


def write_files(folder: Path) -> dict[str, Path]:
    """The shop's own exports: orders, customers, consents."""
    now = timezone.now()
    products = catalogue.products(3)
    everybody = people.customers(3, N_CUSTOMERS, year=now.year)
    lived = year.live(3, everybody, products, until=now)
    orders = folder / "orders.csv"
    with orders.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "order id",
                "customer id",
                "product id",
                "product name",
                "product category",
                "quantity",
                "unit price",
                "order date",
            ]
        )
        for number, purchase in enumerate(lived.purchases):
            for line in purchase.lines:
                product = products[line.product]
                writer.writerow(
                    [
                        f"W{number}",
                        everybody[purchase.customer].external_id,
                        product.product_id,
                        product.title,
                        product.category.name,
                        line.quantity,
                        f"{product.price_minor / 100:.2f}",
                        f"{purchase.at:%Y-%m-%d %H:%M:%S}",
                    ]
                )
    ids = [person.external_id for person in everybody]
    persons = list(samples.customers(ids, seed=3, today=now.date()))
    given = list(samples.consents(persons, seed=3, before=now - timedelta(days=1)))
    samples.write(folder / "customers.csv", persons)
    samples.write(folder / "consents.csv", given)
    return {
        "orders": orders,
        "customers": folder / "customers.csv",
        "consents": folder / "consents.csv",
    }


def set_up(hand: Hand, language: str) -> None:
    link = urlsplit(first_run.link("http://127.0.0.1:8000/"))
    hand.page.goto(f"{link.path}?{link.query}")
    hand.fill(
        {
            "[name=name]": "Lumen & Volt",
            "[name=sender_name]": "Lumen & Volt",
            "[name=sender_email]": "hello@example.com",
            "[name=username]": "owner",
            "[name=email]": "owner@example.com",
            "[name=password]": "correct-horse-9",
        }
    )
    hand.page.locator("[name=language]").select_option(language)
    hand.click("button.is-primary")
    assert urlsplit(hand.page.url).path == "/admin/"


def bring_in(hand: Hand, kind: str, path: Path) -> None:
    hand.page.goto("/admin/profiles/upload/new/")
    hand.page.locator("[name=kind]").select_option(kind)
    hand.page.locator("[name=file]").set_input_files(path)
    hand.click(SUBMIT)
    hand.click(SUBMIT)
    assert "/change/" in hand.page.url
    work_off()
    hand.page.reload()
    # Looked at first, brought in by a second press.
    hand.click("form[action$='/real/'] button")
    work_off()
    hand.page.reload()
    assert hand.page.locator(".c-notice.is-good").count() == 1, hand.text()


def know_customers(hand: Hand) -> Segment:
    hand.page.goto("/admin/profiles/persona/")
    hand.click("form[action$='/persona/build/'] button")
    work_off()
    hand.page.goto("/admin/recommendations/trainingrun/")
    hand.click("form[action$='/trainingrun/train/'] button")
    work_off()
    hand.page.goto("/admin/profiles/persona/")
    assert hand.page.locator(".c-verdict").count() >= 1
    hand.click("form[action$='/1/segment/'] button")
    assert hand.page.locator(".rule").count() == 1
    # The rule of one persona, then everybody who can be written to: the audience of the test.
    hand.page.goto("/admin/profiles/segment/add/")
    hand.fill({"#id_name": "Everybody reachable"})
    hand.page.locator(".ruleGroup-addRule").first.click()
    hand.page.locator(".rule-fields").select_option("consent")
    hand.page.locator(".rule .c-value-of select").select_option("campaign.email:email")
    hand.page.locator(".c-notice.is-good").wait_for()
    hand.click("[name=_save]")
    return Segment.objects.get(name="Everybody reachable")


def write_campaign(hand: Hand, segment: Segment) -> Campaign:
    hand.page.goto("/admin/campaigns/campaign/add/")
    hand.fill({"#id_name": "First letter", "#id_holdout": "20"})
    hand.page.locator("#id_segment").select_option(str(segment.pk))
    hand.click("[name=_save]")
    campaign = Campaign.objects.get(name="First letter")
    heading = hand.page.frame_locator("#preview-frame").locator("h1")
    heading.wait_for()
    hand.page.locator("[name$=-subject]").first.fill("Picked by hand")
    hand.click("form.c-form > .c-row button.is-primary")
    n_before = outbox.count(settings.OUTBOX_DIR)
    hand.click("form[action$='/message/test/'] button")
    assert outbox.count(settings.OUTBOX_DIR) == n_before + 1
    return campaign


def send(hand: Hand, campaign: Campaign) -> None:
    hand.page.goto(f"/admin/campaigns/campaign/{campaign.pk}/change/")
    for verb in ("approve", "plan", "send"):
        hand.click(f"form[action$='/do/{verb}/'] button")
        work_off()
        hand.page.goto(f"/admin/campaigns/campaign/{campaign.pk}/change/")
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FINISHED
    counts = campaign.counts()
    assert counts["sent"] > 0
    sent = campaign.deliveries.exclude(sent_at=None).order_by()
    went_out = set(sent.values_list("variant__key", "locale").distinct())
    assert went_out == {(key, locale) for key in "AB" for locale in ("en", "zh-hans")}
    hand.page.goto("/admin/campaigns/campaign/outbox/")
    hand.click(".c-table a")
    hand.page.frame_locator("iframe").locator("h1").first.wait_for()


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_from_an_empty_shop_to_a_report(
    visit: Visit, tmp_path: Path, language: str, record_property: Callable[[str, object], None]
) -> None:
    hand = Hand(visit(language=language))
    files = write_files(tmp_path)

    set_up(hand, language)
    for kind in ("orders", "customers", "consents"):
        bring_in(hand, kind, files[kind])
    assert Order.objects.exists()
    assert Product.objects.exists()
    assert Customer.objects.count() == N_CUSTOMERS
    campaign = write_campaign(hand, know_customers(hand))
    send(hand, campaign)
    hand.page.goto(f"/admin/campaigns/campaign/{campaign.pk}/report/")

    verdict = hand.page.locator("#verdict").inner_text()
    assert verdict.startswith({"en": "Too early to tell", "zh-hans": "为时尚早"}[language])
    record_property("clicks", hand.n_clicks)
    assert hand.n_clicks <= MAX_CLICKS
