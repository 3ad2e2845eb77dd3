"""A shop with one person everywhere a person can be, and a neighbour nothing may happen to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

from campaigns.models import Conversion, Hit
from jobs import running
from jobs.models import Job
from privacy import erasure, subject_export
from privacy.models import Erasure, SubjectExport
from profiles.events import staging, wire
from profiles.models import (
    ClusteringRun,
    Customer,
    CustomerTraits,
    Event,
    Identity,
    Order,
    Persona,
    StagedLine,
    Upload,
)
from profiles.orders import carts
from recommendations.models import TrainingRun
from tests import make
from tests.make import NOW
from tests.recommendations import listed

# Each stands for the person somewhere, and nowhere else.
CANARIES = (
    "canary-shop-id",
    "canary-visitor",
    "canary-mail@example.com",
    "Canary Fullname",
    "+447700900123",
    "canary-town",
)


@dataclass
class World:
    person: Customer
    neighbour: Customer
    order: Order
    message: Path


def world() -> World:
    person = make.reader(
        CANARIES[0],
        email=CANARIES[2],
        full_name=CANARIES[3],
        phone=CANARIES[4],
        city=CANARIES[5],
    )
    neighbour = make.reader("neighbour")
    order = make.order(person, ("tv", "tv", 1, 49_900), days_ago=3, coupon="FOR-CANARY")
    make.refund(order.lines.get(), amount_minor=900, at=NOW)
    make.order(neighbour, ("radio", "audio", 1, 5_000), days_ago=2)
    _behaviour(person)
    _figures(person)
    return World(person, neighbour, order, _message(person, order))


def _behaviour(person: Customer) -> None:
    common: dict[str, Any] = {"source_id": make.source().pk, "kind": "track", "name": "Seen"}
    common |= {"happened_at": NOW, "received_at": NOW, "product_id": ""}
    Identity.objects.create(anonymous_id=CANARIES[1], customer=person, joined_at=NOW)
    for whose in (person, None):
        cart = make.cart(
            whose, f"cart-{CANARIES[1]}-{whose}", ("tv", 1, 49_900), anonymous_id=CANARIES[1]
        )
        carts.issue_token(cart, now=NOW)
    Event.objects.create(message_id="m1", customer=person, anonymous_id=CANARIES[1], **common)
    Event.objects.create(message_id="m2", customer=None, anonymous_id=CANARIES[1], **common)
    staging.write(  # a parcel that holds the neighbour's too
        [
            wire.Message(
                kind="track",
                message_id=f"s{number}",
                name="Seen",
                user_id=customer,
                anonymous_id=visitor,
                previous_id="",
                product_id="",
                properties={},
                context={},
                happened_at=NOW,
            )
            for number, (customer, visitor) in enumerate(
                [(CANARIES[0], ""), ("", CANARIES[1]), ("neighbour", "")]
            )
        ],
        source_id=make.source().pk,
        is_confirmed=True,
        received_at=NOW,
    )
    upload = Upload.objects.create(
        kind="orders", filename="orders.csv", fingerprint="0", created_at=NOW
    )
    StagedLine.objects.create(
        upload=upload,
        line_number=1,
        kind="sale",
        number="staged",
        customer=CANARIES[0],
        product="tv",
        quantity=1,
        price="1",
        unit_price_minor=100,
        discount_minor=0,
        total_minor=100,
        currency="EUR",
        placed_at=NOW,
        status="fulfilled",
    )


def _figures(person: Customer) -> None:
    run = ClusteringRun.objects.create(
        as_of=NOW, created_at=NOW, currency="EUR", n_customers=2, n_clusters=1, is_current=True
    )
    persona = Persona.objects.create(run=run, number=1, n_customers=2, share=1, revenue_share=1)
    CustomerTraits.objects.create(
        customer=person,
        persona=persona,
        as_of=NOW,
        first_order_at=NOW - timedelta(days=3),
        last_order_at=NOW - timedelta(days=3),
        n_orders=1,
        n_items=1,
        n_units=1,
        revenue_minor=49_000,
        average_order_minor=49_000,
        average_item_minor=49_000,
        top_hour=9,
        top_weekday=0,
    )
    training = TrainingRun.objects.create(
        engine="item_based",
        as_of=NOW,
        n_customers=2,
        n_products=2,
        n_interactions=2,
        cpu_seconds=0,
        peak_rss_mb=0,
        is_active=True,
        verdict=TrainingRun.Verdict.BEATS_POPULAR,
        created_at=NOW,
        finished_at=NOW,
        activated_at=NOW,
    )
    make.product("radio", "Radio")
    listed.customer(training, person, [["radio", 1.5, "because_you_bought", ["tv"]]])


def _message(person: Customer, order: Order) -> Path:
    """A message that went out and earned an order, and one that waits."""
    sent = make.delivery(make.campaign("Sent"), person, sent_at=NOW, token="t" * 43)
    Hit.objects.create(delivery=sent, kind=Hit.Kind.CLICK, at=NOW)
    Conversion.objects.create(
        delivery=sent, order=order, net_minor=49_000, margin_minor=9_000, ordered_at=NOW
    )
    make.delivery(make.campaign("Waiting", status="sending"), person, state="planned")
    folder = Path(settings.OUTBOX_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NOW:%Y%m%dT%H%M%S}-{sent.pk}.eml"
    path.write_text(f"To: {CANARIES[2]}\n\nDear {CANARIES[3]}\n")
    return path


def copy_of(person: Customer) -> SubjectExport:
    """A copy of all about a person, made."""
    export = subject_export.ask(person.subject, actor="service:1", now=NOW)
    job = Job.objects.get(kind=subject_export.JOB, payload__export=export.pk)
    ended = running.run(job.pk, clock=lambda: NOW)
    assert ended is not None
    assert ended.state == Job.State.DONE, ended.error_code
    export.refresh_from_db()
    return export


def erase(person: Customer) -> Erasure:
    """Erase a person to the end, an hour after NOW."""
    later = NOW + timedelta(hours=1)
    begun = erasure.begin(person.subject, actor="staff:1", now=later)
    job = begun_job(begun)
    assert running.run(job, clock=lambda: later) is not None
    begun.refresh_from_db()
    return begun


def begun_job(begun: Erasure) -> int:
    return Job.objects.get(uuid=str(begun.job_uuid)).pk


def everything() -> str:
    """Every row of every table of both databases, as one text to search."""
    rows = []
    for alias in ("default", "keystore"):
        connection = connections[alias]
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 -- names of our tables
                rows += [repr(row) for row in cursor.fetchall()]
    return "\n".join(rows)
