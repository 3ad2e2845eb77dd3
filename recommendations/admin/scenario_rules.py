"""Filters and boosts of a placement, put together by clicking, and read back while one does."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, JsonResponse
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import get_language, gettext, gettext_lazy
from django.views.decorators.http import require_POST

from privacy.models import Shop
from profiles.admin import rule_form
from profiles.money import exponent
from profiles.segments.rules import RuleError
from recommendations import product_rules, rule_words
from recommendations.models import Product
from recommendations.product_rules import Effect, Ruling, parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recommendations.product_rules import ProductRule

MOST_COUNTED: Final = 5_000
EFFECTS: Final = {
    Effect.KEEP: gettext_lazy("Show only"),
    Effect.DROP: gettext_lazy("Take away"),
    Effect.BOOST: gettext_lazy("Multiply the score"),
}


class RulesWidget(forms.Textarea):
    """One builder a rule over a hidden text area; without script the rules stand in words."""

    template_name = "recommendations/placement_rules.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        language, currency = get_language() or "en", Shop.current().currency
        context["widget"] |= {
            "library": rule_form.LIBRARY,
            "check": reverse_lazy("admin:recommendations_scenario_rules"),
            "exponent": exponent(currency),
            "said": _said(context["widget"]["value"]),
            "fields": [asdict(card) for card in rule_words.fields(language)],
            "known": rule_words.known_values(),
            "words": rule_form.words_of(currency) | _words(),
        }
        return context


def _words() -> dict[str, Any]:
    return {
        "effects": [[effect.value, str(text)] for effect, text in EFFECTS.items()],
        "effect": gettext("What happens"),
        "factor": gettext("Factor"),
        "nth": gettext("Rule"),
        "addFilter": gettext("Add filter"),
        "addBoost": gettext("Add boost"),
        "remove": gettext("Remove rule"),
        "none": gettext("No rules: everything may be shown, by its own score."),
        "bounds": gettext("0.1 to 10"),
    }


def _said(text: str | None) -> list[str]:
    try:
        return said(rule_form.read_tree(text or "[]"))
    except ValueError as error:
        return [str(error)]


def said(rules: Any) -> list[str]:
    """Each of the stored rules as a sentence, or what is wrong with them."""
    language, currency = get_language() or "en", Shop.current().currency
    try:
        read = parsed(rules or [])
    except RuleError as error:
        return [_fault(error)]
    return [rule_words.describe(rule, language, currency=currency) for rule in read]


class RulesField(rule_form.RuleField):
    """Rules as JSON; what cannot be read or meant is refused with its place."""

    def __init__(self, **how: Any) -> None:
        super().__init__(
            label=gettext_lazy("Filters and boosts"), required=False, widget=RulesWidget, **how
        )

    def clean(self, value: Any) -> list[Any]:
        told: list[Any] = super().clean(value or "[]") or []
        try:
            parsed(told)
        except RuleError as error:
            raise ValidationError(_fault(error)) from error
        return told


@require_POST
@permission_required("recommendations.change_scenario", raise_exception=True)
def rules_check(request: HttpRequest) -> JsonResponse:
    """Answer each rule in words, and of how many products on sale it holds."""
    language, currency = get_language() or "en", Shop.current().currency
    try:
        rules = parsed(rule_form.read_tree(request.POST.get("rules", "[]")))
    except RuleError as error:
        return JsonResponse(
            {"ok": False, "text": rule_form.fault_words(error.message), "at": _place(error.pointer)}
        )
    except ValueError as error:
        return JsonResponse({"ok": False, "text": str(error), "at": None})
    counts, n_sold = counted(rules)
    told = [
        {"text": rule_words.describe(rule, language, currency=currency), "count": text}
        for rule, text in zip(rules, in_words(rules, counts, n_sold), strict=True)
    ]
    return JsonResponse({"ok": True, "rules": told})


def _fault(error: RuleError) -> str:
    what = rule_form.fault_words(error.message)
    at = _place(error.pointer)
    return what if at is None else gettext("Rule %(n)s: %(what)s") % {"n": at + 1, "what": what}


def _place(pointer: str) -> int | None:
    first = pointer.removeprefix("/").partition("/")[0]
    return int(first) if first.isdecimal() else None


def counted(rules: Sequence[ProductRule]) -> tuple[list[int], int]:
    """Of how many products on sale each rule's condition holds, and how many were looked at."""
    counts, n_sold = [0] * len(rules), 0
    ruling = Ruling(rules, timezone.now())
    columns = ("product_id", "category", "price_minor", *product_rules.COLUMNS)
    sold = Product.objects.filter(is_active=True).order_by("-pk").only(*columns)[:MOST_COUNTED]
    for product in sold if rules else ():
        n_sold += 1
        for n, holds in enumerate(ruling.holds_for(product)):
            counts[n] += holds
    return counts, n_sold


def in_words(rules: Sequence[ProductRule], counts: Sequence[int], n_sold: int) -> list[str]:
    """What each rule does to the products on sale, in words."""
    texts = {
        Effect.KEEP: gettext("leaves %(n)s of %(all)s products on sale"),
        Effect.DROP: gettext("takes away %(n)s of %(all)s products on sale"),
        Effect.BOOST: gettext("moves %(n)s of %(all)s products on sale"),
    }
    return [
        texts[rule.effect] % {"n": n, "all": n_sold} for rule, n in zip(rules, counts, strict=True)
    ]
