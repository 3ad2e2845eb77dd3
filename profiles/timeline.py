"""The timeline of a customer: rows of several tables in one list, newest first, page by page.

Of every kind of row a page asks once, for as many rows as the page has: what is beyond cannot
be among the newest of all. A page ends at a row; the next one begins behind that row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from privacy import topics
from privacy.models import ConsentEntry, PrivacyRequest
from privacy.models.topic import in_language
from privacy.purpose_registry import REGISTRY
from profiles import figures, registry
from profiles.events import event_names
from profiles.models import Customer, Event, Order, OrderLine, ProductFact, Refund
from profiles.models.event import ORDER_EVENTS
from profiles.registry import TimelineRows, Told

PAGE = 50
TITLES_SHOWN = 3


@dataclass(frozen=True, order=True)
class Place:
    """Where a row stands among all: by its moment, then by kind and key."""

    at: datetime
    kind: str
    pk: int

    def as_text(self) -> str:
        return f"{self.at.isoformat()}~{self.kind}~{self.pk}"

    @classmethod
    def read(cls, text: str) -> Place | None:
        """Return the place a link names; None for what is none."""
        try:
            at, kind, pk = text.split("~")
            place = cls(datetime.fromisoformat(at), kind, int(pk))
        except ValueError:
            return None
        return None if place.at.tzinfo is None else place


@dataclass(frozen=True)
class Entry:
    place: Place
    label: str
    told: Told


@dataclass(frozen=True)
class Page:
    """Entries newest first; `older` is where the next page begins, empty on the last one."""

    entries: tuple[Entry, ...]
    older: str


def page(
    customer: Customer, *, before: Place | None = None, kinds: Iterable[str] = (), size: int = PAGE
) -> Page:
    """Return what happened before a place, of all kinds or of some; one query each."""
    sources = registry.timeline()
    wanted = {kind: sources[kind] for kind in kinds if kind in sources} or sources
    found = [
        Entry(Place(getattr(row, of.moment), kind, row.pk), str(of.label), of.tell(row))
        for kind, of in wanted.items()
        for row in _newest(of, customer, kind, before)[: size + 1]
    ]
    newest = nlargest(size + 1, found, key=lambda entry: entry.place)
    shown = tuple(newest[:size])
    return Page(shown, shown[-1].place.as_text() if len(newest) > size else "")


def _newest(of: TimelineRows, customer: Customer, kind: str, before: Place | None) -> QuerySet[Any]:
    rows = of.rows(customer).order_by(f"-{of.moment}", "-pk")
    if before is None:
        return rows
    earlier = Q(**{f"{of.moment}__lt": before.at})
    if kind > before.kind:
        return rows.filter(earlier)
    at_once = Q(**{of.moment: before.at})
    if kind == before.kind:
        at_once &= Q(pk__lt=before.pk)
    return rows.filter(earlier | at_once)


def labels() -> Mapping[str, str]:
    return {kind: str(of.label) for kind, of in registry.timeline().items()}


# What profiles and privacy tell --------------------------------------------------------------


def declare() -> None:
    tell = registry.tell_timeline
    tell("consent", TimelineRows(gettext_lazy("Consent"), _consents, "happened_at", _consent))
    tell("event", TimelineRows(gettext_lazy("Event"), _events, "happened_at", _event))
    tell("order", TimelineRows(gettext_lazy("Order"), _orders, "placed_at", _order))
    tell("refund", TimelineRows(gettext_lazy("Refund"), _refunds, "refunded_at", _refund))
    tell("request", TimelineRows(gettext_lazy("Request"), requests, "created_at", _request))


def _events(customer: Customer) -> QuerySet[Any]:
    """Without those of orders, which stand there themselves."""
    events = Event.objects.filter(customer=customer).exclude(name__in=ORDER_EVENTS)
    return events.annotate(product_title=_title())


def _event(event: Event) -> Told:
    said = str(event_names.meaning(event.name)) or event.name or str(event.get_kind_display())
    return Told(said, _marked(_product(event), event))


def _marked(text: str, row: Event | Order) -> str:
    """What is told of a row, with what cleaning marked it as."""
    mark = str(row.get_quality_display()) if row.quality else ""
    return " · ".join(filter(None, (text, mark)))


def _title() -> Coalesce:
    """What the row's product is called: by the catalogue, else by whoever bought it."""
    named = ProductFact.objects.filter(pk=OuterRef("product_id"), title__gt="")
    bought = OrderLine.objects.filter(product_id=OuterRef("product_id"), title__gt="")
    return Coalesce(
        Subquery(named.values("title")[:1]),
        Subquery(bought.order_by("-order").values("title")[:1]),
        Value(""),
    )


def _product(row: Any) -> str:
    return str(row.product_title or row.product_id)


def _orders(customer: Customer) -> QuerySet[Order]:
    return Order.objects.filter(customer=customer).prefetch_related("lines")


def _order(order: Order) -> Told:
    lines = sorted(order.lines.all(), key=lambda line: line.pk)
    titles = [f"{line.quantity} × {line.title or line.product_id}" for line in lines[:TITLES_SHOWN]]
    if len(lines) > TITLES_SHOWN:
        titles.append("…")
    amount = figures.money(order.total_minor, order.currency, get_language() or "en")
    title = _("%(number)s, %(amount)s, %(status)s") % {
        "number": order.number,
        "amount": amount,
        "status": order.get_status_display(),
    }
    return Told(title, _marked(", ".join(titles), order))


def _refunds(customer: Customer) -> QuerySet[Any]:
    return Refund.objects.filter(customer=customer).annotate(product_title=_title())


def _refund(refund: Refund) -> Told:
    amount = figures.money(refund.said_minor, refund.currency, get_language() or "en")
    return Told(amount, _product(refund))


def _consents(customer: Customer) -> QuerySet[ConsentEntry]:
    entries = ConsentEntry.objects.filter(subject__uuid=customer.subject_id)
    return entries.annotate(topic_titles=topics.titles_of("purpose"))


def _consent(entry: Any) -> Told:
    topic = in_language(entry.topic_titles or {}, get_language() or "en")
    purpose = REGISTRY.get(entry.purpose)
    title = _("%(state)s: %(purpose)s, %(channel)s") % {
        "state": entry.get_state_display(),
        "purpose": topic or (purpose.label if purpose else entry.purpose),
        "channel": entry.get_channel_display(),
    }
    return Told(title, entry.source)


def requests(customer: Customer) -> QuerySet[PrivacyRequest]:
    """What the person asked of the shop about their own data."""
    return PrivacyRequest.objects.filter(about__uuid=customer.subject_id)


def _request(request: PrivacyRequest) -> Told:
    url = reverse("admin:privacy_privacyrequest_change", args=[request.pk])
    return Told(str(request.get_kind_display()), str(request.get_state_display()), url)


def requests_panel(customer: Customer, _now: datetime) -> dict[str, Any]:
    """What the customer's page shows of the requests, newest first."""
    return {"requests": requests(customer).order_by("-created_at", "-pk")}
