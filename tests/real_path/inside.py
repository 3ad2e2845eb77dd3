"""What the proof does inside an installation, one process a step: its database is its own.

`python -m tests.real_path.inside prepare | ask KIND PAYLOAD | campaign | facts`
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import models  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402
from django.utils import timezone  # noqa: E402

from campaigns import approvals, measurement, wording, writing  # noqa: E402
from campaigns.models import Campaign, Conversion, Variant  # noqa: E402
from jobs import queue  # noqa: E402
from jobs.models import Job  # noqa: E402
from privacy.models import ConsentEntry, Shop, Staff  # noqa: E402
from profiles import personas, segmentation  # noqa: E402
from profiles.importing import uploads  # noqa: E402
from profiles.models import (  # noqa: E402
    ClusteringRun,
    Customer,
    CustomerTraits,
    Order,
    OrderLine,
    Refund,
    Upload,
)
from recommendations import lists  # noqa: E402
from recommendations.models import CustomerListing, ProductListing, TrainingRun  # noqa: E402
from tests import make  # noqa: E402

CAMPAIGN = "Nobody was contacted"
SALT = UUID("5a17ab1e-0000-4000-8000-000000000000")
ATTRIBUTION_DAYS = 39
LANGUAGES = ("en", "zh-hans")
PATIENCE = timedelta(minutes=30)
AUDIENCE = {
    "combinator": "and",
    "not": False,
    "rules": [
        {"field": "consent", "operator": "=", "value": "campaign.email:email"},
        {"field": "n_orders", "operator": ">=", "value": 1},
    ],
}


def prepare() -> dict[str, Any]:
    call_command("messages", compile=True, stdout=sys.stderr)
    for alias in ("default", "keystore"):
        call_command("migrate", database=alias, verbosity=0)
    Shop.objects.create(
        pk=1,
        name="Gifts",
        currency="GBP",
        time_zone="Europe/London",
        sender_name="Gifts",
        sender_email="shop@example.com",
        set_up_at=timezone.now(),
    )
    Staff.objects.create_user("approver", password=None, role=Staff.Role.ADMINISTRATOR)
    return {}


def ask(kind: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Enqueue a job as the admin does, and wait until a worker has done it."""
    now = timezone.now()
    if path := payload.get("file"):
        held = make.held(Path(path).read_bytes())
        what = kind.rpartition("_")[2]
        uploads.store(held, what, payload["options"], None, filename=path, now=now)
        job = Job.objects.get(kind=kind)
    else:
        job = queue.enqueue(kind, payload, now=now)
    while job.is_open and timezone.now() - now < PATIENCE:
        time.sleep(0.1)
        job.refresh_from_db()
    if job.state != Job.State.DONE or not job.started_at or not job.finished_at:
        raise SystemExit(f"{kind} is {job.state}: {job.error_code} {job.error_detail}")
    return {"seconds": (job.finished_at - job.started_at).total_seconds(), "worker": job.worker}


def campaign() -> dict[str, Any]:
    """Write and approve a two-language A/B campaign; its salt is fixed, so are its arms."""
    now = timezone.now()
    staff = Staff.objects.get(username="approver")
    made = Campaign.objects.create(
        name=CAMPAIGN,
        segment=segmentation.create("Customers with consent", AUDIENCE, now=now),
        salt=SALT,
        holdout_ppm=200_000,
        attribution_days=ATTRIBUTION_DAYS,
        created_by=staff,
        created_at=now,
    )
    for key in "AB":
        writing.start_from(Variant.objects.create(campaign=made, key=key), "picked_for_you")
    approvals.approve(made, staff=staff, now=now)
    return {"campaign": made.pk}


def facts() -> dict[str, Any]:
    """All that both installations must agree on, by name; floats to within 1e-9."""
    return dict(
        pair
        for part in (_imported, _known, _personas, _trained, _campaign)
        for pair in part()
    )  # fmt: skip


def _imported() -> Iterator[tuple[str, Any]]:
    for upload in Upload.objects.order_by("pk"):
        summary = upload.summary
        if upload.kind != Upload.Kind.ORDERS:
            yield f"import of {upload.kind}", {**summary, "rejects": bool(summary.get("rejects"))}
            continue
        yield "import adds up", summary["balanced"]
        for currency, buckets in summary["buckets"].items():
            for name, (n_lines, minor) in sorted(buckets.items()):
                yield f"import {name}", f"{n_lines:,} lines, {minor / 100:,.2f} {currency}"
            n_lines, minor = summary["totals"][currency]
            yield "import total", f"{n_lines:,} lines, {minor / 100:,.2f} {currency}"
        yield from ((f"import counts {name}", n) for name, n in sorted(summary["counts"].items()))


def _known() -> Iterator[tuple[str, Any]]:
    for model, columns in (
        (Customer, []),
        (Order, ["total_minor", "refunded_minor"]),
        (OrderLine, ["quantity", "total_minor", "refunded_quantity", "refunded_minor"]),
        (Refund, ["quantity", "amount_minor"]),
        (CustomerTraits, _numbers(CustomerTraits)),
    ):
        name = model._meta.verbose_name_plural
        yield f"{name}", model._default_manager.count()
        for column in columns:
            yield f"{name}: sum of {column}", _sum(model, column)
    yield "guest orders", Order.objects.filter(customer=None).count()
    yield "refunds without a line", Refund.objects.filter(line=None).count()
    yield "ledger of consent", ConsentEntry.objects.count()
    shares = CustomerTraits.objects.values_list(
        "customer__external_id", "top_category", "item_shares", "persona__number"
    )
    yield "products and persona of each customer", _digest(shares)


def _numbers(model: type[models.Model]) -> list[str]:
    kinds = (models.IntegerField, models.FloatField)
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, kinds) and not field.is_relation
    ]


def _sum(model: type[models.Model], column: str) -> int | float:
    total: int | float = model._default_manager.aggregate(total=Sum(column))["total"]
    return total


def _personas() -> Iterator[tuple[str, Any]]:
    run = ClusteringRun.objects.get(is_current=True)
    yield "personas: silhouette", run.silhouette
    yield "personas: bootstrap ARI", run.stability
    for language in LANGUAGES:
        for card in personas.overview(run, language):
            name = f"persona {card.number} ({language})"
            yield name, f"{card.n_customers}: {card.title}"
            yield f"{name} sentence", card.sentence


def _trained() -> Iterator[tuple[str, Any]]:
    run = TrainingRun.objects.get()
    yield "training", f"{run.verdict}, {'serves' if run.is_active else 'popular serves'}"
    yield "training data", f"{run.n_customers} customers, {run.n_guest_baskets} guest baskets"
    yield "training parameters", {key: v for key, v in run.parameters.items() if key != "as_of"}
    for name, ours in run.metrics.items():
        yield f"training {name}", float(ours["value"])
        yield f"popularity {name}", float(run.baseline_metrics[name]["value"])
    yield "difference in nDCG@10, low end", float(run.comparison["ndcg@10"]["low"])
    for listing, key in (
        (CustomerListing, "customer__external_id"),
        (ProductListing, "product_id"),
    ):
        stored = list(listing._default_manager.filter(run=run).values_list(key, *lists.COLUMNS))
        entries = lists.read([row[1:] for row in stored])
        rows = [(row[0], entry) for row, entry in zip(stored, entries, strict=True)]
        name = listing._meta.verbose_name_plural
        yield f"{name}", len(rows)
        yield f"{name}: all of them", _digest(rows)


def _campaign() -> Iterator[tuple[str, Any]]:
    found = Campaign.objects.get(name=CAMPAIGN)
    report = measurement.report(found, timezone.now())
    for arm in report.arms:
        text = f"{arm.n} customers, {arm.n_buyers} buyers, {arm.n_orders} orders, {arm.net_minor}"
        yield f"campaign arm {arm.key}", text
    languages = found.deliveries.order_by().values_list("locale").annotate(n=Count("pk"))
    yield "campaign languages", dict(languages.order_by("locale"))
    yield "campaign conversions", Conversion.objects.filter(delivery__campaign=found).count()
    yield "campaign messages sent", found.deliveries.exclude(sent_at=None).count()
    yield "campaign verdict", str(report.verdict.code)
    for language in LANGUAGES:
        yield f"campaign verdict ({language})", wording.verdict_text(report, language)


def _digest(rows: Iterable[Sequence[Any]]) -> str:
    """A SHA-256 of rows in the order of their first column; floats as eight digits."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: str(row[0])):
        digest.update(json.dumps(_blurred(list(row)), sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _blurred(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.8g}"
    if isinstance(value, dict):
        return {key: _blurred(one) for key, one in value.items()}
    return [_blurred(one) for one in value] if isinstance(value, list) else value


def main(verb: str, *arguments: str) -> None:
    if verb == "ask":
        found = ask(arguments[0], json.loads(arguments[1]))
    else:
        found = {"prepare": prepare, "campaign": campaign, "facts": facts}[verb]()
    sys.stdout.write(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
