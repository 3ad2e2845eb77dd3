"""The number of queries of a list does not grow with its rows: size 3 against size 100."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib import admin
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs.models import Job
from privacy import audit
from privacy.models import (
    ConsentEntry,
    PrivacyRequest,
    Suppression,
    WebhookDelivery,
    WebhookMessage,
)
from profiles import featuring
from profiles.models import (
    ClusteringRun,
    Customer,
    CustomerTraits,
    Persona,
    Segment,
    Upload,
)
from recommendations import serving
from recommendations.models import TrainingRun
from tests import make

pytestmark = pytest.mark.django_db
SMALL, LARGE = 3, 100


# What every row of traits must have.
TRAITS = {"recency_days": 3, "tenure_days": 3, "n_orders": 1, "n_items": 1, "n_units": 1,
          "revenue_minor": 9, "average_order_minor": 9, "average_item_minor": 9, "top_hour": 9,
          "top_weekday": 0}  # fmt: skip


def customers(n: int) -> None:
    for number in range(n):
        make.customer(f"q{number}-{n}", email=f"q{number}.{n}@example.com", full_name="Ann Lee")


def campaigns(n: int) -> None:
    for number in range(n):
        make.campaign(f"Campaign {number} of {n}")


def segments(n: int) -> None:
    rule = {"combinator": "and", "rules": [{"field": "n_orders", "operator": ">", "value": 1}]}
    for number in range(n):
        Segment.objects.create(name=f"Segment {number} of {n}", rule=rule, created_at=make.NOW)


def products(n: int) -> None:
    for number in range(n):
        make.product(f"p{number}-{n}")


def uploads(n: int) -> None:
    owner = make.staff(username=f"staff-{n}")
    for number in range(n):
        Upload.objects.create(
            kind="orders", filename=f"{number}.csv", staff=owner, created_at=make.NOW
        )


def jobs(n: int) -> None:
    for _ in range(n):
        Job.objects.create(
            kind="profiles.build", queue="batch", not_before=make.NOW, created_at=make.NOW
        )


def consents(n: int) -> None:
    for _ in range(n):
        ConsentEntry.objects.create(
            subject=make.subject(),
            purpose="campaign.email",
            channel="email",
            state="given",
            happened_at=make.NOW,
            recorded_at=make.NOW,
        )


def suppressions(n: int) -> None:
    for number in range(n):
        Suppression.objects.create(
            channel="email",
            address_tag=f"{n:03}{number:013}".encode(),
            reason="imported",
            created_at=make.NOW,
        )


def carts(n: int) -> None:
    for number in range(n):
        make.cart(make.customer(f"b{number}-{n}"), f"cart-{number}-{n}", ("tv", 1, 49_900))


def requests(n: int) -> None:
    for _ in range(n):
        PrivacyRequest.objects.create(
            subject=make.subject(), kind="erase", law="gdpr", language="en", state="open",
            created_at=make.NOW, confirmed_at=make.NOW, due_at=make.NOW,
        )  # fmt: skip


def openings(n: int) -> None:
    for number in range(n):
        customer = make.customer(f"o{number}-{n}")
        staff = make.staff(username=f"s{number}-{n}")
        audit.append(
            "value.revealed", actor=f"staff:{staff.pk}", at=make.NOW,
            subjects=[customer.subject_id.bytes], fields=["customer.email"],
        )  # fmt: skip


def webhooks(n: int) -> None:
    for number in range(n):
        webhook = make.webhook(f"Webhook {number} of {n}")
        message = WebhookMessage.objects.create(type="job.finished", occurred_at=make.NOW)
        WebhookDelivery.objects.create(message=message, webhook=webhook, due_at=make.NOW)


LISTS: dict[str, Callable[[int], None]] = {
    "/admin/profiles/customer/": customers,
    "/admin/campaigns/campaign/": campaigns,
    "/admin/profiles/segment/": segments,
    "/admin/profiles/cart/": carts,
    "/admin/recommendations/product/": products,
    "/admin/profiles/upload/": uploads,
    "/admin/profiles/cleaningstate/": uploads,
    "/admin/jobs/job/": jobs,
    "/admin/privacy/consententry/": consents,
    "/admin/privacy/suppression/": suppressions,
    "/admin/privacy/": requests,
    "/admin/privacy/privacyrequest/": requests,
    "/admin/privacy/auditentry/": openings,
    "/admin/privacy/record/": customers,
    "/admin/privacy/webhook/": webhooks,
    "/admin/": campaigns,
}
# Of the shop there is one, whose list leads to its form.
SINGLE = {"privacy.shop"}


def test_every_list_of_the_admin_is_counted() -> None:
    registered = {model._meta.label_lower for model in admin.site._registry}
    assert registered == set(LISTS) | SINGLE


def counted(act: Callable[[], object]) -> int:
    with (
        CaptureQueriesContext(connections["default"]) as data,
        CaptureQueriesContext(connections["keystore"]) as keys,
    ):
        act()
    return len(data) + len(keys)


@pytest.mark.parametrize("label", [*LISTS, "home"])
def test_a_list_asks_no_more_for_a_hundred_rows_than_for_three(client: Client, label: str) -> None:
    make.shop()
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    build = LISTS.get(label, campaigns)
    url = f"/admin/{label.replace('.', '/')}/" if label in LISTS else "/admin/"

    def load() -> None:
        assert client.get(url).status_code == 200

    build(SMALL)
    load()
    few = counted(load)
    build(LARGE)
    many = counted(load)

    assert many <= few


@pytest.mark.parametrize("page", ["profiles/customer/{}/change/", "recommendations/product/", ""])
def test_a_page_asks_once_for_the_shop_however_much_money_it_shows(
    client: Client, page: str
) -> None:
    make.shop()
    customer = make.customer()
    make.order(customer, ("p1", "Audio", 1, 100), days_ago=1)
    featuring.build_traits(make.NOW)
    products(SMALL)
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")

    with CaptureQueriesContext(connections["default"]) as queries:
        shown = client.get(f"/admin/{page.format(customer.pk)}").content.decode()

    of_the_shop = [one for one in queries if 'FROM "privacy_shop"' in one["sql"]]
    assert "€" in shown
    assert len(of_the_shop) == 1


def test_recommendations_for_many_ask_no_more_than_for_few() -> None:
    make.shop()
    products(20)
    few_of_them = [make.customer(f"f{number}").pk for number in range(SMALL)]
    many_of_them = [make.customer(f"m{number}").pk for number in range(LARGE)]

    few = counted(lambda: serving.for_customers(few_of_them, n=4, language="en"))
    many = counted(lambda: serving.for_customers(many_of_them, n=4, language="en"))

    assert many <= few
