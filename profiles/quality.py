"""How good the data is: what is filled in, how fresh each source is, what was rejected and why."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from privacy.models import Shop, Source
from profiles import cleaning, figures, reject_words
from profiles.models import (
    Customer,
    Event,
    EventDay,
    EventKey,
    EventVerdict,
    Order,
    OrderLine,
    Upload,
)
from profiles.models.quality import NOT_COUNTED, Quality

DAYS: Final = 30
EVENTS_LOOKED_AT: Final = 10_000
COUNTED_FOR: Final = dt.timedelta(days=7)  # as rejected events are kept
TOP_REASONS: Final = 10
ORDERS_SHOWN: Final = 20
REJECTED: Final = EventVerdict.Verdict.REJECTED


@dataclass(frozen=True)
class Filled:
    """In how many of `n_all` rows something is filled in; `value` is the share in 0-1.

    `mark` is the whole, so that a half is drawn as half a bar.
    """

    label: str
    n: int
    n_all: int
    mark: float = 1.0

    @property
    def value(self) -> float:
        return self.n / self.n_all if self.n_all else 0.0

    @property
    def text(self) -> str:
        return figures.percent(self.value, get_language() or "en", "#,##0%")


@dataclass(frozen=True)
class Freshness:
    """A source: its last event and order, and how its events of seven days fared."""

    name: str
    kind: str
    last_event_at: dt.datetime | None
    last_order_at: dt.datetime | None
    n_events: int
    n_rejected: int

    @property
    def rejected_rate(self) -> float | None:
        told = self.n_events + self.n_rejected
        return self.n_rejected / told if told else None


@dataclass(frozen=True)
class Day:
    on: dt.date
    n_rows: int
    n_events: int

    @property
    def n(self) -> int:
        return self.n_rows + self.n_events


@dataclass(frozen=True)
class Arrived:
    """The events of a day, and how many of them came from which source, the most first."""

    on: dt.date
    by_source: tuple[tuple[str, int], ...]

    @property
    def n(self) -> int:
        return sum(n for _name, n in self.by_source)


@dataclass(frozen=True)
class Reason:
    """Why something was rejected, in words, and where it came from; `value` is how often."""

    code: str
    words: str
    where: str
    value: float

    @property
    def label(self) -> str:
        return f"{self.words.rstrip('.。')} · {self.where}"

    @property
    def text(self) -> str:
        return f"{self.value:,.0f}"


def completeness() -> dict[str, list[Filled]]:
    """What is filled in of customers, orders, their lines, and the last 10,000 events."""
    return {
        _("Customers"): _filled(
            Customer.objects.all(),
            {
                _("E-mail"): Q(email_tag__isnull=False),
                _("Phone"): Q(phone_tag__isnull=False),
                _("Name"): Q(full_name__isnull=False),
                _("Birth year"): Q(birth_year__isnull=False),
                _("Country"): ~Q(country=""),
                _("Locale"): ~Q(locale=""),
            },
        ),
        _("Orders"): _filled(
            Order.objects.all(),
            {_("Customer"): Q(customer__isnull=False), _("Country"): ~Q(country="")},
        ),
        _("Order lines"): _filled(
            OrderLine.objects.all(), {_("Title"): ~Q(title=""), _("Category"): ~Q(category="")}
        ),
        _("Latest events"): _filled(
            Event.objects.filter(pk__in=list(_latest_events())),
            {
                _("Customer"): Q(customer__isnull=False),
                _("Product"): ~Q(product_id=""),
                _("Good"): Q(quality=""),
            },
        ),
    }


def _latest_events() -> Any:
    return Event.objects.order_by("-pk").values_list("pk", flat=True)[:EVENTS_LOOKED_AT]


def _filled(rows: Any, parts: dict[str, Q]) -> list[Filled]:
    names = {f"part_{n}": label for n, label in enumerate(parts)}
    found = rows.aggregate(
        n_all=Count("pk"),
        **{name: Count("pk", filter=parts[label]) for name, label in names.items()},
    )
    return [Filled(label, found[name], found["n_all"]) for name, label in names.items()]


def freshness(now: dt.datetime) -> list[Freshness]:
    """Every source with its events of the last seven days, the one heard of last first."""
    lately = EventKey.objects.filter(seen_at__gte=now - COUNTED_FOR)
    events: dict[int, dict[str, Any]] = {
        row["source"]: dict(row)
        for row in lately.values("source").annotate(n=Count("pk"), last=Max("seen_at"))
    }
    orders = dict(
        Order.objects.values("source").annotate(last=Max("placed_at")).values_list("source", "last")
    )
    rejected = dict(
        EventVerdict.objects.filter(verdict=REJECTED)
        .values("source")
        .annotate(n=Count("pk"))
        .values_list("source", "n")
    )
    found = [
        Freshness(
            source.name,
            source.get_kind_display(),
            events.get(source.pk, {}).get("last"),
            orders.get(source.pk),
            events.get(source.pk, {}).get("n", 0),
            rejected.get(source.pk, 0),
        )
        for source in Source.objects.order_by("name")
    ]
    never = dt.datetime.min.replace(tzinfo=dt.UTC)
    return sorted(
        found,
        key=lambda one: max(one.last_event_at or never, one.last_order_at or never),
        reverse=True,
    )


def events_by_day(now: dt.datetime) -> list[Arrived]:
    """Events taken in on each of the last 30 days by UTC, as they were counted at the merge."""
    today = now.astimezone(dt.UTC).date()
    days = [today - dt.timedelta(days=back) for back in reversed(range(DAYS))]
    found: dict[dt.date, list[tuple[str, int]]] = {day: [] for day in days}
    counted = (
        EventDay.objects.filter(day__gte=days[0], day__lte=today)
        .values("day", "source__name")
        .annotate(n=Sum("n_events"))
        .order_by("day", "-n", "source__name")
    )
    for row in counted:
        found[row["day"]].append((row["source__name"], row["n"]))
    return [Arrived(day, tuple(rows)) for day, rows in found.items()]


def rejects_by_day(now: dt.datetime) -> list[Day]:
    """Rejected rows of files and events of each of the last 30 days; events are known for seven."""
    zone = ZoneInfo(Shop.current().time_zone)
    today = now.astimezone(zone).date()
    rows: Counter[dt.date] = Counter()
    for at, n in _uploads(now).values_list("finished_at", "n_rejected"):
        rows[at.astimezone(zone).date()] += n
    events = dict(
        EventVerdict.objects.filter(verdict=REJECTED)
        .annotate(day=TruncDate("received_at", tzinfo=zone))
        .values("day")
        .annotate(n=Count("pk"))
        .values_list("day", "n")
    )
    days = [today - dt.timedelta(days=back) for back in reversed(range(DAYS))]
    return [Day(day, rows[day], events.get(day, 0)) for day in days]


def _uploads(now: dt.datetime) -> Any:
    """Files of the last 30 days that were brought in; a dry run rejects nothing yet."""
    since = now - dt.timedelta(days=DAYS)
    return Upload.objects.filter(finished_at__gte=since).exclude(options__has_key="preview")


def top_reasons(now: dt.datetime) -> list[Reason]:
    """The most frequent reasons of 30 days of files and seven days of events, by source."""
    found: Counter[tuple[str, str, str]] = Counter()
    kinds = dict(Upload.Kind.choices)
    for kind, summary in _uploads(now).values_list("kind", "summary"):
        for code, n in (summary.get("reasons") or {}).items():
            where = _("File: %(kind)s") % {"kind": kinds[kind]}
            found[code, reject_words.of_row(code), where] += n
    found += _events_by_reason(REJECTED)
    return [Reason(*reason, n) for reason, n in found.most_common(TOP_REASONS)]


def top_warnings() -> list[Reason]:
    """What most often happened to events of seven days that were taken all the same, by source."""
    found = _events_by_reason(EventVerdict.Verdict.WARNED)
    return [Reason(*reason, n) for reason, n in found.most_common(TOP_REASONS)]


def _events_by_reason(verdict: str) -> Counter[tuple[str, str, str]]:
    rows = (
        EventVerdict.objects.filter(verdict=verdict)
        .values("code", "source__name")
        .annotate(n=Count("pk"))
        .order_by("-n", "code", "source__name")[:TOP_REASONS]
    )
    return Counter(
        {
            (row["code"], reject_words.of_event(row["code"]), row["source__name"]): row["n"]
            for row in rows
        }
    )


def marked_orders() -> QuerySet[Order]:
    """The newest orders that bear a mark."""
    marked = Order.objects.filter(quality__gt="").select_related("customer")
    return marked.order_by("-placed_at", "-pk")[:ORDERS_SHOWN]


def marks() -> Sequence[tuple[str, int, int, bool]]:
    """Each mark of cleaning: its name, events, orders, and whether it still counts."""
    found = cleaning.counts()
    return [
        (
            str(mark.label),
            found[f"events:{mark}"],
            found[f"orders:{mark}"],
            mark not in NOT_COUNTED,
        )
        for mark in Quality
        if mark
    ]
