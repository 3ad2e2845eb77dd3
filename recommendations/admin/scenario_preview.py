"""What a placement would show to somebody with the settings of the form, beside what it shows now."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from privacy.models import Shop
from profiles.models import Customer
from recommendations import inspecting, placing, rule_words
from recommendations.admin import scenario_rules
from recommendations.admin.scenario_form import ScenarioForm
from recommendations.fitting import LeftOut
from recommendations.models import Product, Scenario
from recommendations.placing import Asked, Placed
from recommendations.product_rules import Effect, Ruling, parsed
from recommendations.serving import Recommended

N_PREVIEW: Final = 10
FILLED: Final = {
    placing.FOR_YOU: gettext_lazy("the customer's own list"),
    placing.POPULAR: gettext_lazy("popular products"),
    placing.NEWEST: gettext_lazy("new products"),
}


@require_POST
def preview_page(request: HttpRequest) -> HttpResponse:
    """What the rules in the form would show to somebody; nothing is saved."""
    if not request.user.has_perm("recommendations.change_scenario"):
        raise PermissionDenied
    there = Scenario.objects.filter(placement=request.POST.get("placement", "")).first()
    form = modelform()(request.POST, instance=there)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Preview"),
        "form": form,
    }
    if form.is_valid():
        context |= _preview(request, form)
    return render(request, "recommendations/scenario_preview.html", context)


def modelform() -> type[forms.ModelForm[Scenario]]:
    return forms.modelform_factory(Scenario, form=ScenarioForm, fields="__all__")


def _preview(request: HttpRequest, form: forms.ModelForm[Scenario]) -> dict[str, Any]:
    scenario: Scenario = form.save(commit=False)
    customer = _customer(request, form.cleaned_data["seen_by"].strip())
    asked = _asked(customer, form.cleaned_data["seen_beside"].strip())
    now = timezone.now()
    saved = Scenario.objects.filter(pk=scenario.pk).first() if scenario.pk else None
    bare = Scenario(placement=scenario.placement, kind=scenario.kind)
    before = told_in(asked.language, placing.place(saved or bare, asked, now=now))
    placed = told_in(asked.language, placing.place(scenario, asked, now=now))
    told = titles_of(list(placed.left_out)[: 3 * N_PREVIEW], asked.language)
    return {
        "scenario": scenario,
        "placed": placed,
        "before": before,
        "before_title": _("As it is saved") if saved else _("Without any rules"),
        "before_items": _beside(before, placed),
        "after_items": [
            (item, place, told)
            for (item, place), (_item, told) in zip(
                _beside(placed, before), boosts_told(scenario, asked, placed, now=now), strict=True
            )
        ],
        "rule_rows": rules_told(scenario, placed),
        "customer": customer,
        "is_unknown": bool(form.cleaned_data["seen_by"].strip()) and customer is None,
        "left_out": [
            (told[id_], id_, why_left_out(id_, placed)) for id_ in placed.left_out if id_ in told
        ],
        "n_left_out": len(placed.left_out),
        "filled_with": [FILLED[step] for step in placed.filled_with],
    }


def _customer(request: HttpRequest, external_id: str) -> Customer | None:
    """Whom it is for: a look at a customer is written down, and needs to be allowed."""
    if not external_id:
        return None
    if not request.user.has_perm("profiles.view_customer"):
        raise PermissionDenied
    customer = Customer.objects.filter(external_id=external_id).first()
    if customer is not None:
        actor = f"staff:{request.user.pk}"
        inspecting.look_at(customer, actor=actor, now=timezone.now())
    return customer


def told_in(language: str, placed: Placed) -> Placed:
    """Return the same with the categories called as they are in that language."""
    ids = [item.product_id for item in placed.items]
    columns = ("product_id", "category", "translations")
    products = Product.objects.filter(product_id__in=ids).only(*columns)
    words = {one.product_id: one.category_in(language) for one in products}
    return replace(
        placed,
        items=[
            replace(one, category=words.get(one.product_id, one.category)) for one in placed.items
        ],
    )


def titles_of(product_ids: list[str], language: str) -> dict[str, str]:
    """Return what products are called in that language, by their ids."""
    found = Product.objects.filter(product_id__in=product_ids)
    products = found.only("product_id", "title", "translations")
    return {one.product_id: one.title_in(language) for one in products}


def _asked(customer: Customer | None, beside: str) -> Asked:
    return Asked(
        customer_pk=customer.pk if customer else None,
        product_ids=(beside,) if beside else (),
        recent_product_ids=(beside,) if beside else (),
        n=N_PREVIEW,
        language=get_language() or "en",
    )


def _beside(one: Placed, other: Placed) -> list[tuple[Recommended, int]]:
    """The items of one list with their places in the other, 0 where they have none."""
    places = {item.product_id: n for n, item in enumerate(other.items, 1)}
    return [(item, places.get(item.product_id, 0)) for item in one.items]


def rules_told(scenario: Scenario, placed: Placed) -> list[dict[str, Any]]:
    """Say each rule of a placement in words, and how many products it took from this list."""
    rules = parsed(scenario.rules)
    taken = Counter(placed.ruled_out.values())
    counts = scenario_rules.in_words(rules, *scenario_rules.counted(rules))
    language, currency = get_language() or "en", Shop.current().currency
    return [
        {
            "text": rule_words.describe(rule, language, currency=currency),
            "count": count,
            "n_taken": taken[n],
            "is_boost": rule.effect == Effect.BOOST,
        }
        for n, (rule, count) in enumerate(zip(rules, counts, strict=True))
    ]


def boosts_told(
    scenario: Scenario, asked: Asked, placed: Placed, *, now: datetime
) -> list[tuple[Recommended, str]]:
    """The items shown, each with what boosts did to it: by which rules, and from which place.

    The list is made once more without boosts; only those that hold for a product are named.
    """
    rules = parsed(scenario.rules)
    is_boost = [rule.effect == Effect.BOOST for rule in rules]
    if not any(is_boost):
        return [(item, "") for item in placed.items]
    bare = copy(scenario)
    bare.rules = [rule for rule, boosts in zip(scenario.rules, is_boost, strict=True) if not boosts]
    without = placing.place(bare, asked, now=now)
    ruling, ids = Ruling(rules, now), [item.product_id for item in placed.items]
    products = {one.product_id: one for one in Product.objects.filter(product_id__in=ids)}
    told = []
    for here, (item, there) in enumerate(_beside(placed, without), 1):
        holds = ruling.holds_for(products[item.product_id])
        numbers = [
            n
            for n, (one, boosts) in enumerate(zip(holds, is_boost, strict=True), 1)
            if one and boosts
        ]
        told.append((item, _moved(numbers, there, here)))
    return told


def _moved(numbers: list[int], there: int, here: int) -> str:
    if not numbers:
        return ""
    facts = {"rules": ", ".join(map(str, numbers)), "there": there, "here": here}
    if not there:
        return _("Boost (rule %(rules)s): not in the list without it") % facts
    if there == here:
        return _("Boost (rule %(rules)s): keeps place %(here)s") % facts
    return _("Boost (rule %(rules)s): from place %(there)s to %(here)s") % facts


def why_left_out(product_id: str, placed: Placed) -> str:
    """Say why a product is not shown: by which rule of the placement, or the reason of all."""
    if (rule := placed.ruled_out.get(product_id)) is not None:
        return _("Rule %(n)s of the placement") % {"n": rule + 1}
    return str(LeftOut(placed.left_out[product_id]).label)
