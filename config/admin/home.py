"""Home: what needs attention, what the campaigns earned, how the shop does, what is fresh."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from campaigns import measurement, wording
from campaigns.measurement import Report
from campaigns.models import Campaign
from config.admin.checklist import checklist
from jobs.models import Job, Pulse
from privacy.admin.viewing import shop_of
from privacy.models import Shop, Webhook
from profiles import persona_runs, personas
from profiles.models import Customer, Event, Order
from recommendations.models import TrainingRun

WINDOW = timedelta(days=28)
SILENT_AFTER = timedelta(seconds=90)
N_REPORTS = 3


@dataclass(frozen=True)
class Alert:
    text: str
    url: str
    tone: str = "warn"


@dataclass(frozen=True)
class Told:
    """A campaign with its one sentence."""

    campaign: Campaign
    sentence: str
    report: Report


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    now, shop = timezone.now(), shop_of(request)
    context |= {
        "title": shop.name or _("Home"),
        "alerts": list(_alerts(now)),
        "told": _told(now),
        "running": Campaign.objects.plans()
        .filter(
            status__in=[Campaign.Status.PLANNING, Campaign.Status.SENDING, Campaign.Status.PAUSED]
        )
        .order_by("-planned_at"),
        "sales": home_sales(shop, now),
        "currency": shop.currency,
        "freshness": _freshness(),
        "active_run": TrainingRun.objects.active(),
        "checklist": checklist(request),
        "is_demo": shop.is_demo,
    }
    return context


def _alerts(now: datetime) -> Iterator[Alert]:
    if n_dead := Job.objects.filter(state=Job.State.DEAD, finished_at__gt=now - WINDOW).count():
        text = ngettext("%(n)s job failed.", "%(n)s jobs failed.", n_dead) % {"n": n_dead}
        yield Alert(text, reverse("admin:jobs_job_changelist") + "?state__exact=dead", "bad")
    last = Pulse.objects.aggregate(last=Max("beat_at"))["last"]
    if last is None or last < now - SILENT_AFTER:
        yield Alert(
            _("Background work stands still: no worker has answered."),
            reverse("admin:jobs_job_changelist"),
        )
    by_themselves = Webhook.objects.filter(state__in=[Webhook.State.GONE, Webhook.State.FAILING])
    if n_off := by_themselves.count():
        text = ngettext("%(n)s webhook was disabled.", "%(n)s webhooks were disabled.", n_off)
        yield Alert(text % {"n": n_off}, reverse("admin:privacy_webhook_changelist"), "bad")
    if shifted := persona_runs.warning(personas.current_run()):
        yield Alert(shifted, reverse("admin:profiles_persona_runs"))
    if not Customer.objects.exists():
        yield Alert(
            _("There are no customers yet: bring in your orders and customers."),
            reverse("admin:profiles_upload_changelist"),
        )


def _told(now: datetime) -> list[Told]:
    language = get_language() or "en"
    planned = Campaign.objects.plans().filter(planned_at__isnull=False).exclude(status="cancelled")
    found = []
    for campaign in planned.order_by("-planned_at")[:N_REPORTS]:
        report = measurement.report(campaign, now)
        found.append(Told(campaign, wording.verdict_text(report, language), report))
    return found


@dataclass(frozen=True)
class Sales:
    """The last 28 days beside the 28 before; money in minor units of the shop's currency."""

    net_minor: int
    before_minor: int
    n_orders: int
    n_left_out: int
    n_customers: int
    n_reachable: int
    by_day: list[float]
    first: date
    last: date

    @property
    def change(self) -> float | None:
        """Relative change of net revenue, 0.1 being ten percent more."""
        return self.net_minor / self.before_minor - 1 if self.before_minor > 0 else None


def home_sales(shop: Shop, now: datetime) -> Sales:
    start, zone = now - WINDOW, ZoneInfo(shop.time_zone)
    net = Sum("total_minor") - Sum("refunded_minor")
    of_shop = Order.objects.filter(currency=shop.currency)
    sales = of_shop.countable()
    recent = sales.filter(placed_at__gt=start, placed_at__lte=now)
    before = sales.filter(placed_at__gt=start - WINDOW, placed_at__lte=start)
    found = recent.aggregate(net=net, n=Count("pk"))
    days = dict(
        recent.annotate(day=TruncDate("placed_at", tzinfo=zone))
        .order_by()
        .values_list("day")
        .annotate(net=net)
    )
    # Whole days only: a last one that has just begun would look like a fall.
    yesterday = now.astimezone(zone).date() - timedelta(days=1)
    span = [yesterday - timedelta(days=n) for n in reversed(range(WINDOW.days - 1))]
    reachable = Customer.objects.for_purpose("campaign.email", channel="email")
    return Sales(
        net_minor=found["net"] or 0,
        before_minor=before.aggregate(net=net)["net"] or 0,
        n_orders=found["n"],
        n_left_out=of_shop.left_out().filter(placed_at__gt=start, placed_at__lte=now).count(),
        n_customers=Customer.objects.count(),
        n_reachable=reachable.count(),
        by_day=[float(days.get(day, 0)) for day in span],
        first=span[0],
        last=span[-1],
    )


def _freshness() -> list[tuple[str, datetime | None]]:
    return [
        (_("Last order"), Order.objects.aggregate(last=Max("placed_at"))["last"]),
        (_("Last event"), Event.objects.aggregate(last=Max("happened_at"))["last"]),
        (
            _("Recommendations trained"),
            TrainingRun.objects.aggregate(last=Max("created_at"))["last"],
        ),
    ]
