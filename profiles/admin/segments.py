from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Value
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse_lazy
from django.utils import timezone
from django.utils.translation import get_language, gettext, ngettext
from django.utils.translation import gettext_lazy as _

from privacy.admin.viewing import ThemedAdmin, shop_of
from privacy.models import Shop
from privacy.problems import DomainError
from profiles import asking, segment_fields, segment_rules, segmentation
from profiles.models import Customer, CustomTrait, Segment
from profiles.money import exponent

MAX_NESTING = 40
FREE_TEXT = (
    "bought_product",
    "bought_category",
    "country",
    "city",
    "locale",
    "occupation",
    "top_category",
)


class RuleWidget(forms.Textarea):
    """Rows to click together; without script the rule's JSON itself can be edited."""

    template_name = "profiles/rule_builder.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        language = get_language() or "en"
        context["widget"] |= {
            "preview": reverse_lazy("admin:profiles_segment_preview"),
            "exponent": exponent(Shop.current().currency),
            "fields": [
                asdict(card)
                | {
                    "known": segment_fields.known_values(card.name)
                    if card.name in FREE_TEXT
                    else []
                }
                for card in segment_fields.fields(language)
            ],
            "words": _words(),
        }
        return context


def _words() -> dict[str, Any]:
    return {
        "all": gettext("all of these"),
        "any": gettext("any of these"),
        "combine": gettext("How conditions combine"),
        "is": gettext("Customers who match"),
        "isNot": gettext("Customers who do not match"),
        "negate": gettext("Keep or exclude"),
        "addCondition": gettext("Add condition"),
        "addGroup": gettext("Add group"),
        "remove": gettext("Remove"),
        "field": gettext("What"),
        "operator": gettext("Comparison"),
        "value": gettext("Value"),
        "several": gettext("several, with commas"),
        "within": gettext("within the last"),
        "traits": list(CustomTrait.objects.order_by("label").values_list("name", "label")),
        "units": {
            "days": gettext("days"),
            "money": Shop.current().currency,
            "share": gettext("percent"),
        },
    }


class RuleField(forms.JSONField):
    """The tree as JSON; what cannot be read is shown again as it was typed."""

    def to_python(self, value: Any) -> Any:
        try:
            return read_tree(value)
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def prepare_value(self, value: Any) -> Any:
        """A rule that a link brings along is text already."""
        return value if isinstance(value, str) else super().prepare_value(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        try:
            return read_tree(data)
        except ValueError:
            return InvalidJSONInput(data)


def read_tree(text: Any) -> Any:
    """Return the JSON of `text`; raises ValueError for what cannot be read, shown or kept."""
    if not isinstance(text, str):
        return text
    depths = accumulate((sign in "[{") - (sign in "]}") for sign in text)
    if max(depths, default=0) <= MAX_NESTING:
        with suppress(ValueError):
            tree = json.loads(text)
            json.dumps(tree, ensure_ascii=False).encode()
            return tree
    raise ValueError(gettext("The rule is not JSON that can be read; put it together anew."))


class SegmentForm(forms.ModelForm[Segment]):
    class Meta:
        model = Segment
        fields = ["name", "rule"]
        widgets = {"rule": RuleWidget}
        field_classes = {"rule": RuleField}

    def clean_rule(self) -> dict[str, Any]:
        rule: dict[str, Any] = self.cleaned_data["rule"]
        try:
            segment_rules.checked(rule, of=str(self.instance.uuid))
            return segment_rules.stored(rule)
        except DomainError as error:
            raise ValidationError(f"{error.pointer}: {error.detail}") from error


@admin.register(Segment)
class SegmentAdmin(ThemedAdmin[Segment]):
    """Named rules; the size is counted when a rule is saved and by the action."""

    form = SegmentForm
    list_display = ["name", "in_words", "n_customers", "counted_at"]
    search_fields = ["name"]
    ordering = ["name"]
    actions = ["recount"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        segments: QuerySet[Segment] = super().get_queryset(request)
        return segments.annotate(currency=Value(shop_of(request).currency))

    @admin.display(description=_("rule"))
    def in_words(self, segment: Any) -> str:
        return segmentation.in_words(segment, get_language() or "en", currency=segment.currency)

    @admin.action(description=_("Count again"), permissions=["change"])
    def recount(self, _request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        for segment in queryset:
            segmentation.recount(segment, now=timezone.now())

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:  # noqa: FBT001
        now, actor = timezone.now(), request.user.get_username()
        if change:
            segmentation.change(obj, name=obj.name, rule=obj.rule, now=now, actor=actor)
        else:
            made = segmentation.create(obj.name, obj.rule, now=now, actor=actor)
            obj.pk, obj.uuid, obj.created_at = made.pk, made.uuid, made.created_at
        asking.ask_for_refresh(obj.pk, now)

    def get_urls(self) -> list[URLPattern]:
        preview = self.admin_site.admin_view(self.preview)
        return [path("preview/", preview, name="profiles_segment_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest) -> JsonResponse:
        """Count a rule while it is written; answers words that can be shown as they are."""
        now = timezone.now()
        try:
            rule = read_tree(request.POST.get("rule", ""))
            found = segmentation.members(rule, now)
            n_found = found.count()
        except (DomainError, ValueError) as error:
            return JsonResponse({"ok": False, "text": str(error)})
        reachable = Customer.objects.for_purpose("campaign.email", channel="email")
        n_reachable = found.filter(pk__in=reachable.values("pk")).count()
        words = segmentation.describe(
            rule, get_language() or "en", currency=shop_of(request).currency
        )
        counted = ngettext(
            "%(n)s customer, %(reachable)s reachable by e-mail.",
            "%(n)s customers, %(reachable)s reachable by e-mail.",
            n_found,
        ) % {"n": n_found, "reachable": n_reachable}
        return JsonResponse({"ok": True, "text": f"{counted} {words}"})
