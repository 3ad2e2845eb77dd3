"""A shop's life with the canaries in it: every way in, every job, campaign and request."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.core.management import CommandError, call_command

from campaigns import approvals, attribution, delivery, writing
from campaigns.models import Campaign, Variant
from config.leaks.canaries import Canary, Flock
from config.leaks.walking import visitor
from jobs import running
from jobs.models import Job
from privacy import consent, doors, requests
from privacy.models import ApiKey, Channel, ConsentEntry, Shop, Source, Staff
from profiles import segmentation
from profiles.models import Customer
from recommendations import catalogue

N_PRODUCTS = 12
WORDING = "Yes, send me offers by e-mail."
EVERYBODY: dict[str, Any] = {"combinator": "and", "not": False, "rules": []}


def live(flock: Flock, *, now: datetime) -> dict[str, str]:
    """Let the canaries in by every door and be worked with; return API keys by kind."""
    Shop.objects.create(
        pk=1,
        name="Canary shop",
        currency="EUR",
        time_zone="UTC",
        sender_name="Canary shop",
        sender_email="hello@shop.example",
        legal_footer="1 Example Street",
        set_up_at=now,
    )
    source = Source.objects.create(name="Leak check", kind=Source.Kind.SERVER, created_at=now)
    keys = {
        kind: doors.issue(
            source,
            kind=kind,
            scopes=doors.SECRET_SCOPES if kind == ApiKey.Kind.SECRET else (),
            now=now,
        )[1]
        for kind in ApiKey.Kind.values
    }
    half = len(flock.people) // 2
    _import(flock.people[:half])
    _tell(flock.people[half:], keys[ApiKey.Kind.SECRET])
    _misdirect(flock.people, keys)
    catalogue.upsert(
        [
            catalogue.ProductFacts(product_id=f"p{n}", title=f"Thing {n}", category="things")
            for n in range(N_PRODUCTS)
        ],
        now=now,
    )
    _buy(flock.people, keys[ApiKey.Kind.SECRET], now)
    _agree(now)
    work_off(now)
    for command in ("build_profiles", "train_recommendations"):
        with suppress(CommandError):  # a dozen people may be too few to learn from
            call_command(command, verbosity=0, stdout=io.StringIO(), stderr=io.StringIO())
    _write_to_everybody(now)
    _ask(flock.people, now)
    work_off(now)
    return keys


def work_off(now: datetime) -> None:
    """Run every job that waits, as a worker would, until none is left."""
    while waiting := Job.objects.waiting(now).values_list("pk", flat=True).first():
        running.run(waiting, clock=lambda: now)


def _row(person: Canary) -> dict[str, str]:
    return {
        "customer_id": person.external_id,
        "name": person.full_name,
        "email": person.email,
        "phone": person.phone,
        "birth_date": person.birth_date.isoformat(),
        "locale": "en-GB",
        "country": "GB",
    }


def _import(people: tuple[Canary, ...]) -> None:
    """By file; the last row is broken in every cell, so that it is rejected."""
    rows = [_row(person) for person in people]
    rows.append(rows[0] | {"customer_id": "", "locale": people[0].email})
    with _as_file(rows) as path:
        call_command(
            "import_customers", path, verbosity=0, stdout=io.StringIO(), stderr=io.StringIO()
        )


@contextmanager
def _as_file(rows: list[dict[str, str]]) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "people.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        yield str(path)


def send(method: str, path: str, key: str, body: Any) -> tuple[int, bytes]:
    """Make one API call with a secret key; returns status and body."""
    text = body if isinstance(body, str) else json.dumps(body)
    headers = {"Authorization": f"Bearer {key}"}
    answer = visitor().generic(method, path, text, content_type="application/json", headers=headers)
    return answer.status_code, answer.content


def _tell(people: tuple[Canary, ...], key: str) -> None:
    """By the API, some as customers and some as Segment's identify and track."""
    for number, person in enumerate(people):
        facts = {name: value for name, value in _row(person).items() if name != "customer_id"}
        facts["full_name"] = facts.pop("name")
        if number % 2:
            send("PUT", f"/v1/customers/{person.external_id}", key, facts)
        else:
            traits = {"email": person.email, "phone": person.phone, "name": person.full_name}
            calls = [
                {"type": "identify", "userId": person.external_id, "traits": traits},
                {
                    "type": "track",
                    "userId": person.external_id,
                    "event": "Product Viewed",
                    "properties": {"product_id": "p1", "note": f"call {person.phone}"},
                    "context": {"traits": traits, "ip": "203.0.113.7"},
                },
            ]
            batch = [call | {"messageId": f"{number}-{n}"} for n, call in enumerate(calls)]
            send("POST", "/v1/batch", key, {"batch": batch})


def _misdirect(people: tuple[Canary, ...], keys: dict[str, str]) -> None:
    """Values where none belong: in paths, in wrong fields, in broken bodies."""
    person, secret = people[0], keys[ApiKey.Kind.SECRET]
    send("GET", f"/v1/customers/{person.email}", secret, "")
    send("GET", f"/nowhere/{person.email}?phone={person.phone}", secret, "")
    send("PUT", "/v1/customers/somebody", secret, {"country": person.email, "email": person.phone})
    send("PUT", f"/v1/orders/{person.email}", secret, {"currency": person.full_name})
    send("POST", "/v1/batch", secret, '{"batch": [{"type": "' + person.email)
    send("POST", "/v1/batch", keys[ApiKey.Kind.WRITE], {"batch": [{"type": person.email}]})
    visitor().post("/admin/login/", {"username": person.email, "password": person.phone})


def _buy(people: tuple[Canary, ...], key: str, now: datetime) -> None:
    for number, person in enumerate(people):
        body = {
            "customer_id": person.external_id,
            "currency": "EUR",
            "placed_at": (now - timedelta(days=number % 60 + 1)).isoformat(),
            "lines": [
                {
                    "product_id": f"p{(number + n) % N_PRODUCTS}",
                    "quantity": 1,
                    "unit_price": "19.99",
                }
                for n in range(2)
            ],
        }
        send("PUT", f"/v1/orders/leak-{number}", key, body)


def _agree(now: datetime) -> None:
    subjects = Customer.objects.values_list("subject__uuid", flat=True)
    consent.record_many(
        [
            consent.Declaration(
                subject=subject,
                purpose="campaign.email",
                channel=Channel.EMAIL,
                state=ConsentEntry.State.GIVEN,
                wording=WORDING,
                source="checkout",
                happened_at=now - timedelta(days=30),
            )
            for subject in subjects
        ],
        now=now,
    )


def _write_to_everybody(now: datetime) -> None:
    staff = Staff.objects.create_user("leak-author", role=Staff.Role.ADMINISTRATOR)
    segment = segmentation.create("Everybody", EVERYBODY, now=now)
    campaign = Campaign.objects.create(
        name="Leak check", segment=segment, created_by=staff, created_at=now, holdout_ppm=100_000
    )
    writing.start_from(Variant.objects.create(campaign=campaign, key="A"), "picked_for_you")
    approvals.approve(campaign, staff=staff, now=now)
    delivery.plan(campaign, now)
    approvals.launch(campaign)
    while delivery.send_due(now, campaign=campaign):
        pass
    attribution.attribute(campaign, now)


def _ask(people: tuple[Canary, ...], now: datetime) -> None:
    """The first asks for a copy in words that name them; all mails stay letters to them."""
    requests.submit(
        "access",
        people[0].email,
        details="",
        language="en",
        visitor="203.0.113.8",
        now=now,
    )
