"""A shop's life with the canaries in it: every way in, every job, campaign and request."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from django.core.management import CommandError, call_command
from django.urls import reverse

from campaigns import approvals, attribution, delivery, writing
from campaigns.models import Campaign, Variant
from config.leaks.calling import Api
from config.leaks.canaries import Canary
from config.leaks.dealing import deal, listen
from config.leaks.findings import Sweep
from config.leaks.walking import look_at, visitor
from jobs import running
from jobs.models import Job
from privacy import consent, doors, links, opt_in, preferences, requests
from privacy.models import ApiKey, Channel, ConsentEntry, PrivacyRequest, Shop, Source, Staff
from profiles import segmentation
from profiles.models import Customer
from recommendations import catalogue

N_PRODUCTS = 12
WORDING = "Yes, send me offers by e-mail."
EVERYBODY: dict[str, Any] = {"combinator": "and", "not": False, "rules": []}


def live(sweep: Sweep, *, now: datetime) -> dict[str, str]:
    """Let the canaries in by every door and be worked with; return API keys by kind."""
    people = sweep.flock.people
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
            scopes=doors.SCOPES if kind == ApiKey.Kind.SECRET else (),
            now=now,
        )[1]
        for kind in ApiKey.Kind.values
    }
    api = Api(sweep, keys)
    listen(api)
    half = len(people) // 2
    _import(people[:half])
    _tell(people[half:], api)
    _misdirect(people[0], api)
    catalogue.upsert(
        [
            catalogue.ProductFacts(product_id=f"p{n}", title=f"Thing {n}", category="things")
            for n in range(N_PRODUCTS)
        ],
        now=now,
    )
    _buy(people, api, now)
    _agree(now)
    work_off(now)
    for command in ("build_profiles", "train_recommendations"):
        with suppress(CommandError):  # a dozen people may be too few to learn from
            call_command(command, verbosity=0, stdout=io.StringIO(), stderr=io.StringIO())
    _write_to_everybody(now)
    _ask(sweep, now)
    work_off(now)
    deal(people[-5:], api, now)
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


def _tell(people: tuple[Canary, ...], api: Api) -> None:
    """By the API, some as customers and some as Segment's identify and track."""
    for number, person in enumerate(people):
        facts = {name: value for name, value in _row(person).items() if name != "customer_id"}
        facts["full_name"] = facts.pop("name")
        if number % 2:
            api.send("PUT", f"/v1/customers/{person.external_id}", facts)
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
            api.send("POST", "/v1/batch", {"batch": batch})


def _misdirect(person: Canary, api: Api) -> None:
    """Values where none belong: in paths, in wrong fields, in broken bodies."""
    api.send("GET", f"/v1/customers/{person.email}", "")
    api.send("GET", f"/nowhere/{person.email}?phone={person.phone}", "")
    api.send("PUT", "/v1/customers/somebody", {"country": person.email, "email": person.phone})
    api.send("PUT", f"/v1/orders/{person.email}", {"currency": person.full_name})
    api.send("POST", "/v1/batch", '{"batch": [{"type": "' + person.email)
    api.send("POST", "/v1/batch", {"batch": [{"type": person.email}]}, kind=ApiKey.Kind.WRITE)
    visitor().post("/admin/login/", {"username": person.email, "password": person.phone})


def _buy(people: tuple[Canary, ...], api: Api, now: datetime) -> None:
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
        api.send("PUT", f"/v1/orders/leak-{number}", body)


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


def _ask(sweep: Sweep, now: datetime) -> None:
    """The first asks for a copy and gets it, and follows every link of their own."""
    person = sweep.flock.people[0]
    officer = Staff.objects.create_user(
        "leak-officer", "officer@shop.example", role=Staff.Role.PRIVACY_OFFICER
    )
    requests.submit(
        "access", person.email, details="", language="en", visitor="203.0.113.8", now=now
    )
    asked = PrivacyRequest.objects.get()
    customer = Customer.objects.get(external_id=person.external_id)
    choice = opt_in.ask(
        customer.subject,
        "campaign.email",
        Channel.EMAIL,
        wording=WORDING,
        source="footer",
        now=now,
    )
    own = (
        reverse("confirm-request", args=[links.token(asked)]),
        urlsplit(opt_in.link(choice)).path,
        urlsplit(preferences.link(customer.subject.uuid)).path,
    )
    for path in own:
        look_at(sweep, "pages: own links", path, visitor().get(path))
        look_at(sweep, "pages: own links", path, visitor().post(path))
    asked.refresh_from_db()
    requests.export(asked, staff=officer, now=now)
    work_off(now)
    requests.remind(asked.due_at or now)
