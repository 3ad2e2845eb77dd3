"""The inspector: what a customer or a product gets, why, and what is left out; two runs beside."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from profiles.models import Customer
from recommendations import inspecting, placing
from recommendations.admin.scenario_preview import (
    FILLED,
    boosts_told,
    rules_told,
    titles_of,
    told_in,
    why_left_out,
)
from recommendations.models import Product, Scenario, TrainingRun
from recommendations.placing import Asked

N_SAMPLES: Final = 200
RULES: Final = (
    "in_stock_only",
    "hides_owned",
    "hides_returned",
    "one_per_family",
    "fills_up",
)


@permission_required("recommendations.view_trainingrun", raise_exception=True)
@permission_required("profiles.view_customer", raise_exception=True)
def inspect_page(request: HttpRequest) -> HttpResponse:
    """What is recommended and why; each look at a customer is written down."""
    asked = {name: request.GET.get(name, "").strip() for name in ASKED}
    runs = inspecting.with_lists()
    chosen = _chosen(runs, asked)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Why this product"),
        "asked": asked,
        "runs": runs,
        "chosen": [run.pk for run in chosen],
        "placements": Scenario.objects.order_by("placement"),
        "sample_customers": Customer.objects.order_by("pk").values_list("external_id", flat=True)[
            :N_SAMPLES
        ],
        "sample_products": Product.objects.order_by("title").values_list("product_id", "title")[
            : 2 * N_SAMPLES
        ],
    }
    if asked["customer"]:
        context |= _of_customer(request, asked, chosen)
    elif asked["product"]:
        context |= _of_product(asked, chosen)
    return render(request, "recommendations/inspect.html", context)


ASKED: Final = ("customer", "product", "run", "beside", "placement")


def _chosen(runs: list[TrainingRun], asked: dict[str, str]) -> list[TrainingRun]:
    """The run asked for, else the one that serves; then the one beside it, if another."""
    by_number = {str(run.pk): run for run in runs}
    first = by_number.get(asked["run"]) or (runs[0] if runs else None)
    beside = by_number.get(asked["beside"])
    return [run for run in (first, beside if beside != first else None) if run is not None]


def _of_customer(
    request: HttpRequest, asked: dict[str, str], runs: list[TrainingRun]
) -> dict[str, Any]:
    customer = Customer.objects.filter(external_id=asked["customer"]).first()
    if customer is None:
        return {"unknown": True, **_placed(asked, None)}
    listed = inspecting.of_customer(
        customer,
        runs,
        language=get_language() or "en",
        actor=f"staff:{request.user.pk}",
        now=timezone.now(),
    )
    return {
        "customer": customer,
        "refused": listed is None,
        "listed": listed or [],
        **_placed(asked, customer),
    }


def _of_product(asked: dict[str, str], runs: list[TrainingRun]) -> dict[str, Any]:
    language = get_language() or "en"
    return {
        "unknown": not Product.objects.filter(product_id=asked["product"]).exists(),
        "listed": inspecting.of_product(asked["product"], runs, language=language),
        **_placed(asked, None),
    }


def _placed(asked: dict[str, str], customer: Customer | None) -> dict[str, Any]:
    """What a placement shows of it now, by the run that serves, and which rules left out what."""
    scenario = Scenario.objects.filter(placement=asked["placement"]).first()
    if scenario is None:
        scenario = Scenario(placement="", kind=_kind(asked))
    beside = (asked["product"],) if asked["product"] and not asked["customer"] else ()
    now = timezone.now()
    ask = Asked(
        customer_pk=customer.pk if customer else None,
        product_ids=beside,
        n=inspecting.N_SHOWN,
        language=get_language() or "en",
    )
    placed = told_in(ask.language, placing.place(scenario, ask, now=now))
    told = list(placed.left_out)[: 3 * inspecting.N_SHOWN]
    titles = titles_of(told, ask.language)
    return {
        "scenario": scenario,
        "placed": placed,
        "placed_items": boosts_told(scenario, ask, placed, now=now),
        "rules": [
            Scenario._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            for name in RULES
            if getattr(scenario, name)
        ],
        "left_out": [
            (titles[id_], id_, why_left_out(id_, placed)) for id_ in told if id_ in titles
        ],
        "rule_rows": rules_told(scenario, placed),
        "n_left_out": len(placed.left_out),
        "filled_with": [FILLED[step] for step in placed.filled_with],
    }


def _kind(asked: dict[str, str]) -> str:
    is_product = bool(asked["product"]) and not asked["customer"]
    return Scenario.Kind.TOGETHER.value if is_product else Scenario.Kind.FOR_YOU.value
