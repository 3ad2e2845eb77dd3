"""Typed builders of test rows: one function a thing, sensible defaults, no magic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from campaigns import approvals
from campaigns.models import (
    Campaign,
    Delivery,
    SignUp,
    SignUpForm,
    SignUpWording,
    Template,
    Variant,
)
from privacy import doors
from privacy.models import ApiKey, Consent, Shop, Source, Staff, Subject, Webhook
from profiles import changes
from profiles.importing.uploads import Incoming
from profiles.models import Cart, Customer, Order, OrderLine, Refund, Segment
from profiles.orders import carts
from recommendations.models import Product

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def staff(role: str = Staff.Role.ADMINISTRATOR, *, username: str = "") -> Staff:
    return Staff.objects.create_user(username or role, password=None, role=role)


def source(name: str = "Web shop", *, kind: str = Source.Kind.WEBSITE) -> Source:
    return Source.objects.get_or_create(name=name, defaults={"kind": kind, "created_at": NOW})[0]


def write_key(*, origins: Iterable[str] = (), is_test: bool = False) -> str:
    """The plaintext of a browser key."""
    kind = ApiKey.Kind.WRITE
    return doors.issue(source(), kind=kind, origins=origins, is_test=is_test, now=NOW)[1]


def secret_key(scopes: Iterable[str] = doors.SECRET_SCOPES) -> str:
    """The plaintext of a server key."""
    return doors.issue(source(), kind=ApiKey.Kind.SECRET, scopes=scopes, now=NOW)[1]


def shop(**columns: Any) -> Shop:
    columns = {"pk": 1, "name": "Shop", "currency": "EUR", "time_zone": "UTC"} | columns
    return Shop.objects.create(**columns)


def held(content: bytes) -> UUID:
    """A file as the upload page holds it, sealed."""
    incoming = Incoming()
    incoming.write(content)
    incoming.finish()
    return incoming.uuid


def subject(**flags: Any) -> Subject:
    return Subject.objects.create(**flags)


def customer(external_id: str = "", *, of: Subject | None = None, **columns: Any) -> Customer:
    return Customer.objects.create(
        external_id=external_id or f"c{Customer.objects.count() + 1}",
        subject=of or subject(),
        created_at=columns.pop("created_at", NOW),
        **columns,
    )


def consent(
    to: Customer,
    purpose: str = "campaign.email",
    channel: str = "email",
    *,
    state: str = "given",
) -> Consent:
    return Consent.objects.create(
        subject=to.subject, purpose=purpose, channel=channel, state=state, since=NOW
    )


def order(
    by: Customer | None,
    *items: tuple[str, str, int, int],
    days_ago: float = 0,
    at: datetime | None = None,
    **columns: Any,
) -> Order:
    """Make an order of items: (product id, category, quantity, unit price in minor units)."""
    made = Order.objects.create(
        number=columns.pop("number", f"o{Order.objects.count() + 1}"),
        customer=by,
        source=source(),
        placed_at=at or NOW - timedelta(days=days_ago),
        currency=columns.pop("currency", "EUR"),
        total_minor=sum(quantity * price for _id, _category, quantity, price in items),
        **columns,
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=made,
            line_key=str(n),
            product_id=product_id,
            category=category,
            quantity=quantity,
            unit_price_minor=price,
            total_minor=quantity * price,
        )
        for n, (product_id, category, quantity, price) in enumerate(items)
    )
    changes.mark([by.pk] if by else [])
    return made


def cart(of: Customer | None, cart_id: str, *items: tuple[str, int, int], **columns: Any) -> Cart:
    """Make a cart of items: (product id, quantity, unit price in minor units)."""
    made = Cart(cart_id=cart_id, customer=of, source=source(), currency="EUR", **columns)
    made.opened_at = made.changed_at = NOW
    carts.state(made, [carts.Item(*item) for item in items], at=NOW)
    carts.save([made])
    return made


def refund(of: OrderLine, *, amount_minor: int, at: datetime) -> Refund:
    return Refund.objects.create(
        line=of,
        customer=of.order.customer,
        source=of.order.source,
        refund_key=f"r{Refund.objects.count() + 1}",
        product_id=of.product_id,
        quantity=1,
        amount_minor=amount_minor,
        currency=of.order.currency,
        refunded_at=at,
    )


def product(product_id: str, title: str = "", **columns: Any) -> Product:
    columns.setdefault("price_minor", 1_999)
    return Product.objects.create(
        product_id=product_id, title=title or f"Product {product_id}", created_at=NOW, **columns
    )


def key_of(of: Source, *, kind: str = ApiKey.Kind.WRITE) -> ApiKey:
    scopes = doors.SECRET_SCOPES if kind == ApiKey.Kind.SECRET else ()
    return doors.issue(of, kind=kind, scopes=scopes, now=NOW)[0]


def webhook(
    name: str = "ERP",
    url: str = "https://erp.example/hook",
    *,
    events: Sequence[str] = ("job.finished",),
    **columns: Any,
) -> Webhook:
    """A webhook with what it listens to, wherever it leads."""
    columns = {"created_at": NOW, "event_types": sorted(events)} | columns
    return Webhook.objects.create(name=name, url=url, **columns)


def campaign(name: str = "Spring", *, variants: str = "AB", **columns: Any) -> Campaign:
    """Make a campaign planned at NOW, with one variant a letter; nobody is in it yet."""
    everybody = {"rule": {"combinator": "and", "rules": []}, "created_at": NOW}
    segment = (
        columns.pop("segment", None)
        or (Segment.objects.get_or_create(name="Everybody", defaults=everybody)[0])
    )
    columns = {"status": Campaign.Status.PLANNED, "planned_at": NOW, "created_at": NOW} | columns
    made = Campaign.objects.create(name=name, segment=segment, **columns)
    Variant.objects.bulk_create(Variant(campaign=made, key=key) for key in variants)
    return made


def delivery(
    of: Campaign, to: Customer, arm: str = "A", *, state: str = "sent", **columns: Any
) -> Delivery:
    """Give a customer a place in a campaign: an arm by its key, or the holdout."""
    held_out = arm == "holdout"
    return Delivery.objects.create(
        campaign=of,
        customer=to,
        variant=None if held_out else of.variants.get(key=arm),
        bucket=0,
        state=Delivery.State.HOLDOUT if held_out else state,
        due_at=of.planned_at or NOW,
        **columns,
    )


def reader(external_id: str = "", *, locale: str = "en", **columns: Any) -> Customer:
    """A customer who agreed to e-mail, with an address and a name."""
    name = external_id or f"c{Customer.objects.count() + 1}"
    made = customer(
        name,
        locale=locale,
        email=columns.pop("email", f"{name}@example.com"),
        full_name=columns.pop("full_name", "Ann Lee"),
        **columns,
    )
    consent(made)
    return made


def readers(n: int, *, first: int = 0) -> None:
    """Make `n` more readers, c0 and on, all at once."""
    people = Subject.objects.bulk_create(Subject() for _ in range(n))
    Customer.objects.bulk_create(
        Customer(
            external_id=f"c{number}",
            subject=one,
            created_at=NOW,
            locale="en",
            email=f"c{number}@example.com",
            full_name="Ann Lee",
        )
        for number, one in enumerate(people, first)
    )
    Consent.objects.bulk_create(
        Consent(subject=one, purpose="campaign.email", channel="email", state="given", since=NOW)
        for one in people
    )


def sign_up(key: str) -> SignUp:
    """Somebody who asked for news on a form of their own, and did not confirm it."""
    form = SignUpForm.objects.create(key=key, name="News", created_at=NOW)
    words = SignUpWording.objects.create(form=form, locale="en", version=1, text="Yes.", since=NOW)
    return SignUp.objects.create(
        subject=subject(), form=form, wording=words, locale="en", asked_at=NOW
    )


MESSAGE = (
    '<body><p>Hi {{ customer.first_name }}</p><a href="https://shop.test/{{ language }}">Go</a>'
    '<a href="{{ unsubscribe_url }}">Stop</a></body>'
)


def written_campaign(
    name: str = "June",
    *,
    weights: Mapping[str, int] | None = None,
    locales: Sequence[str] = ("en",),
    subject: str = "Hello",
    body: str = MESSAGE,
    holdout_ppm: int = 0,
    approved: bool = True,
    **columns: Any,
) -> Campaign:
    """Make a campaign to everybody with its messages, approved as it stands and not planned."""
    if not Shop.objects.exists():
        shop(pk=1, sender_email="shop@shop.test", sender_name="Shop")
    everybody = {"combinator": "and", "not": False, "rules": []}
    made = Campaign.objects.create(
        name=name,
        segment=columns.pop("segment", None)
        or Segment.objects.create(name=f"All for {name}", rule=everybody, created_at=NOW),
        holdout_ppm=holdout_ppm,
        created_at=NOW,
        **columns,
    )
    for key, weight in (weights or {"A": 1}).items():
        variant = Variant.objects.create(campaign=made, key=key, weight=weight)
        for locale in locales:
            Template.objects.create(
                variant=variant, locale=locale, subject=f"{subject} {key} {locale}", body_html=body
            )
    if approved:
        boss = Staff.objects.filter(username="boss").first() or staff(username="boss")
        approvals.approve(made, staff=boss, now=NOW)
    return made
