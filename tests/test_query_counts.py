"""The number of queries of a list does not grow with its rows: size 3 against size 100."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib import admin
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import Picture, Provider
from jobs.models import Job
from privacy import audit, second_factor
from privacy.models import (
    ConsentEntry,
    Erasure,
    PrivacyRequest,
    PurposeRecord,
    Recipient,
    RetentionPeriod,
    RootKey,
    Suppression,
    Topic,
    UseRule,
    WebhookDelivery,
    WebhookMessage,
)
from profiles import rates
from profiles.models import (
    ClusteringRun,
    Customer,
    CustomerMerge,
    CustomerTraits,
    CustomTrait,
    Event,
    EventName,
    EventVerdict,
    Persona,
    RejectedEvent,
    ScoreRun,
    Segment,
    StaticList,
    Upload,
)
from profiles.traits import featuring
from recommendations import served_lists
from recommendations.models import Feed, FeedImport, Scenario, TrainingRun
from recommendations.served_lists import Offered
from tests import make

pytestmark = pytest.mark.django_db
SMALL, LARGE = 3, 100


# What every row of traits must have.
TRAITS = {"first_order_at": make.NOW, "last_order_at": make.NOW, "n_orders": 1, "n_items": 1, "n_units": 1,
          "revenue_minor": 9, "average_order_minor": 9, "average_item_minor": 9, "top_hour": 9,
          "top_weekday": 0}  # fmt: skip


def customers(n: int) -> None:
    for number in range(n):
        make.customer(f"q{number}-{n}", email=f"q{number}.{n}@example.com", full_name="Ann Lee")


def buyers(n: int) -> None:
    for number in range(n):
        make.order(make.customer(f"b{number}-{n}"), ("p", "Audio", 1, 100), days_ago=number)
    featuring.build_traits(make.NOW)


def feeds(n: int) -> None:
    for number in range(n):
        feed = Feed.objects.create(name=f"f{number}of{n}", created_at=make.NOW)
        FeedImport.objects.create(feed=feed, created_at=make.NOW, finished_at=make.NOW)


def pictures(n: int) -> None:
    facts = {"width": 1, "height": 1, "n_bytes": 1, "content": b"1", "added_at": make.NOW}
    Picture.objects.bulk_create(Picture(sha256=f"{n}-{one}", **facts) for one in range(n))


def mail_servers(n: int) -> None:
    Provider.objects.bulk_create(
        Provider(name=f"mail{number}of{n}.test:25", per_minute=60) for number in range(n)
    )


def campaigns(n: int) -> None:
    for number in range(n):
        make.campaign(f"Campaign {number} of {n}")


def segments(n: int) -> None:
    """Each names the one before it and a list."""
    condition: dict[str, Any] = {"field": "n_orders", "operator": ">", "value": 1}
    for number in range(n):
        listed = StaticList.objects.create(name=f"List {number} of {n}", created_at=make.NOW)
        rules = [condition, {"field": "list", "operator": "=", "value": str(listed.uuid)}]
        rule = {"combinator": "and", "rules": rules}
        name = f"Segment {number} of {n}"
        segment = Segment.objects.create(name=name, rule=rule, created_at=make.NOW)
        condition = {"field": "segment", "operator": "=", "value": str(segment.uuid)}


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


def customers_of_a_persona(n: int) -> None:
    customers(n)
    persona = Persona.objects.first() or personas_of(1)[0]
    CustomerTraits.objects.bulk_create(
        CustomerTraits(customer=one, persona=persona, as_of=make.NOW, **TRAITS)
        for one in Customer.objects.filter(traits=None)
    )


def personas_of(n: int) -> list[Persona]:
    run = ClusteringRun.objects.filter(is_current=True).first() or ClusteringRun.objects.create(
        as_of=make.NOW, created_at=make.NOW, currency="EUR", n_customers=9, n_clusters=n,
        is_current=True,
    )  # fmt: skip
    first = run.personas.count() + 1
    return [
        Persona.objects.create(
            run=run,
            number=first + number,
            key=first + number,
            n_customers=9,
            share=0.5,
            revenue_share=0.5,
        )
        for number in range(n)
    ]


def runs_of_personas(n: int) -> None:
    for _ in range(n):
        personas_of(2)
        ClusteringRun.objects.create(
            as_of=make.NOW, created_at=make.NOW, currency="EUR", n_customers=9, n_clusters=1,
            compared={"moves": [[1, 2, 9]], "n_moved": 9, "n_common": 9, "ari": 1.0},
        )  # fmt: skip


def personas(n: int) -> None:
    personas_of(n)


def scenarios(n: int) -> None:
    Scenario.objects.bulk_create(
        Scenario(placement=f"p{number}-{n}", name="P") for number in range(n)
    )


def training_runs(n: int) -> None:
    for _ in range(n):
        TrainingRun.objects.create(
            engine="item_based", as_of=make.NOW, n_customers=2, n_products=2, n_interactions=2,
            cpu_seconds=0, peak_rss_mb=0, verdict=TrainingRun.Verdict.BEATS_POPULAR,
            created_at=make.NOW,
        )  # fmt: skip


def lists_served(n: int) -> None:
    lists = [Offered(uuid4(), 1, ["p1", "p2"]) for _ in range(n)]
    served_lists.note(lists, placement="home", now=make.NOW)


def score_runs(n: int) -> None:
    for _ in range(n):
        ScoreRun.objects.create(
            score="churn_risk", as_of=make.NOW, created_at=make.NOW, horizon_days=90,
            currency="EUR", verdict=ScoreRun.Verdict.NOT_BETTER,
        )  # fmt: skip


def own_traits(n: int) -> None:
    for number in range(n):
        CustomTrait.objects.create(
            name=f"t{number}_{n}", label=f"T {number} of {n}", event="E", aggregate="count",
            created_at=make.NOW,
        )  # fmt: skip


def erasures(n: int) -> None:
    for number in range(n):
        Erasure.objects.create(
            subject=make.subject(), subject_tag=f"{n:03}{number:013}".encode(), actor="ann",
            started_at=make.NOW,
        )  # fmt: skip


def recipients(n: int) -> None:
    for number in range(n):
        Recipient.objects.create(name=f"Carrier {number} of {n}", since=make.NOW)


def retention_periods(n: int) -> None:
    for number in range(n):
        RetentionPeriod.objects.create(schedule=f"s{number}-{n}", days=30)


def requests_of_persons(n: int) -> None:
    officer = make.staff(username=f"officer-{n}")
    for number in range(n):
        PrivacyRequest.objects.create(
            subject=make.subject(), kind="erase", law="gdpr", language="en", state="open",
            email=f"p{number}.{n}@example.com", details="Mine", created_at=make.NOW,
            confirmed_at=make.NOW, due_at=make.NOW, handled_by=officer,
        )  # fmt: skip


def use_rules_of(n: int) -> None:
    for number in range(n):
        UseRule.objects.create(
            kind="service", who=f"who-{number}-{n}", purpose="support", data_class="email"
        )


def purposes(n: int) -> None:
    """Leave so many of the purposes that code declares in use, or all where it has fewer."""
    kept = PurposeRecord.objects.order_by("name").values("pk")[:n]
    PurposeRecord.objects.update(is_known=False)
    PurposeRecord.objects.filter(pk__in=list(kept.values_list("pk", flat=True))).update(
        is_known=True
    )
    assert PurposeRecord.objects.filter(is_known=True).count() >= SMALL


def root_keys(n: int) -> None:
    for number in range(n):
        RootKey.objects.create(use="index", version=n + number, wrapped=b"0", created_at=make.NOW)


def staff_members(n: int) -> None:
    for number in range(n):
        second_factor.begin(make.staff(username=f"s{number}-{n}"))


def sources(n: int) -> None:
    for number in range(n):
        make.source(f"Source {number} of {n}")


def keys(n: int) -> None:
    for number in range(n):
        make.key_of(make.source(f"Source {number} of {n}"))


def carts(n: int) -> None:
    for number in range(n):
        make.cart(make.customer(f"b{number}-{n}"), f"cart-{number}-{n}", ("tv", 1, 49_900))


def webhooks(n: int) -> None:
    for number in range(n):
        webhook = make.webhook(f"Webhook {number} of {n}")
        message = WebhookMessage.objects.create(type="job.finished", occurred_at=make.NOW)
        WebhookDelivery.objects.create(message=message, webhook=webhook, due_at=make.NOW)


def merges(n: int) -> None:
    for number in range(n):
        CustomerMerge.objects.create(
            survivor=make.customer(f"m{number}-{n}"), absorbed_id=f"a{number}-{n}",
            absorbed_subject=uuid4(), actor="staff:1", reason="Same", merged_at=make.NOW,
        )  # fmt: skip


def events(n: int) -> None:
    for number in range(n):
        EventName.objects.create(
            kind="track", name=f"Event {number} of {n}", first_at=make.NOW, last_at=make.NOW
        )
        RejectedEvent.objects.create(
            source=make.source(f"Source {number} of {n}"), code="too_large", kind="track",
            body=b"", is_confirmed=True, received_at=make.NOW,
        )  # fmt: skip


def came_in(n: int) -> None:
    for number in range(n):
        source = make.source(f"Source {number} of {n}")
        EventVerdict.objects.create(
            source=source,
            message_id=f"v{number}",
            verdict="rejected",
            code="missing_id",
            received_at=timezone.now(),
        )
        Event.objects.create(
            source=source, message_id=f"m{number}", kind="track", name="Product Viewed",
            properties={"product_id": "tv"}, happened_at=make.NOW, received_at=timezone.now(),
        )  # fmt: skip


def exchange_rates(n: int) -> None:
    for number in range(n):
        day = make.NOW.date() - timedelta(days=1000 * n + number)
        rates.put([rates.rate("USD", "EUR", day, Decimal("0.9"))])


def openings(n: int) -> None:
    for number in range(n):
        customer = make.customer(f"o{number}-{n}")
        staff = make.staff(username=f"s{number}-{n}")
        audit.append(
            "value.revealed", actor=f"staff:{staff.pk}", at=make.NOW,
            subjects=[customer.subject_id.bytes], fields=["customer.email"],
        )  # fmt: skip


def sign_up_forms(number: int) -> None:
    for n in range(number):
        make.sign_up(f"f{number}-{n}")


def topics_of_the_shop(number: int) -> None:
    Topic.objects.bulk_create(Topic(key=f"t{number}-{n}") for n in range(number))


# Every list of the admin, by its model; a new one fails until its rows are made here.
LISTS: dict[str, Callable[[int], None]] = {
    "campaigns.campaign": campaigns,
    "campaigns.picture": pictures,
    "campaigns.provider": mail_servers,
    "campaigns.signupform": sign_up_forms,
    "jobs.job": jobs,
    "privacy.apikey": keys,
    "privacy.auditentry": openings,
    "privacy.consententry": consents,
    "privacy.erasure": erasures,
    "privacy.privacyrequest": requests_of_persons,
    "privacy.purposerecord": purposes,
    "privacy.recipient": recipients,
    "privacy.retentionperiod": retention_periods,
    "privacy.rootkey": root_keys,
    "privacy.source": sources,
    "privacy.staff": staff_members,
    "privacy.suppression": suppressions,
    "privacy.topic": topics_of_the_shop,
    "privacy.userule": use_rules_of,
    "privacy.webhook": webhooks,
    "profiles.cart": carts,
    "profiles.cleaningstate": uploads,
    "profiles.customtrait": own_traits,
    "profiles.customer": customers_of_a_persona,
    "profiles.customermerge": merges,
    "profiles.eventname": events,
    "profiles.persona": personas,
    "profiles.rate": exchange_rates,
    "profiles.scorerun": score_runs,
    "profiles.segment": segments,
    "profiles.upload": uploads,
    "recommendations.feed": feeds,
    "recommendations.product": products,
    "recommendations.scenario": scenarios,
    "recommendations.servedlist": lists_served,
    "recommendations.trainingrun": training_runs,
}
# Pages that show rows of several models.
PAGES: dict[str, Callable[[int], None]] = {
    "": campaigns,
    "connect/": keys,
    "events/": came_in,
    "privacy/": requests_of_persons,
    "privacy/record/": customers,
    "profiles/customer/overview/": buyers,
    "profiles/persona/runs/": runs_of_personas,
}
# Of these there is one, whose list leads to its form.
SINGLE = {
    "campaigns.automation",
    "campaigns.brand",
    "campaigns.sendingrules",
    "recommendations.fairnessrules",
    "privacy.shop",
}


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


@pytest.mark.parametrize("page", [*LISTS, *PAGES])
def test_a_list_asks_no_more_for_a_hundred_rows_than_for_three(client: Client, page: str) -> None:
    make.shop()
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    build = (LISTS | PAGES)[page]
    url = f"/admin/{page.replace('.', '/') + '/' if page in LISTS else page}"

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


def test_the_api_tells_of_many_segments_with_as_many_queries_as_of_few(client: Client) -> None:
    make.shop()
    headers = {"Authorization": f"Bearer {make.secret_key()}"}
    segments(SMALL)

    def load() -> None:
        found = client.get("/v1/segments", {"limit": 200}, headers=headers)
        assert found.status_code == 200
        assert "Segment 0 of 3" in found.json()["data"][-2]["words"]["en"]

    load()
    few = counted(load)
    segments(50)
    many = counted(load)

    assert many <= few
