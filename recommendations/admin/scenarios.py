"""Placements in the admin: settings, filters and boosts, versions; a look before they are saved."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from privacy.admin.viewing import ThemedAdmin
from privacy.problems import DomainError
from profiles.models import Customer
from recommendations import versions
from recommendations.admin.scenario_form import ScenarioForm
from recommendations.admin.scenario_preview import preview_page
from recommendations.admin.scenario_rules import rules_check, said
from recommendations.models import Product, Scenario, ScenarioVersion

N_SAMPLES: Final = 200
N_VERSIONS: Final = 20


@admin.register(Scenario)
class ScenarioAdmin(ThemedAdmin[Scenario]):
    form = ScenarioForm
    list_display = ["placement", "name", "kind", "n_rules", "is_active"]
    list_filter = ["kind", "is_active"]
    search_fields = ["placement", "name"]
    ordering = ["placement"]
    change_form_after_template = "recommendations/scenario_preview_button.html"
    change_form_outer_after_template = "recommendations/scenario_versions.html"
    fieldsets = [
        (None, {"fields": ["placement", "name", "kind", "is_active"]}),
        (
            gettext_lazy("Left out"),
            {
                "fields": [
                    ("in_stock_only", "hides_owned"),
                    ("hides_returned", "one_per_family"),
                    ("price_from_minor", "price_to_minor"),
                    "never_shown",
                ]
            },
        ),
        (gettext_lazy("Filters and boosts"), {"fields": ["rules"]}),
        (gettext_lazy("Order of the list"), {"fields": ["pinned", "diversity", "fills_up"]}),
        (gettext_lazy("Preview for"), {"fields": [("seen_by", "seen_beside")]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "recommendations_scenario_{}".format
        return [
            path("preview/", wrap(preview_page), name=name("preview")),
            path("rules/", wrap(rules_check), name=name("rules")),
            path("<int:pk>/restore/<int:number>/", wrap(restore_action), name=name("restore")),
            *super().get_urls(),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        ids = Customer.objects.order_by("pk").values_list("external_id", flat=True)
        may_see = request.user.has_perm("profiles.view_customer")
        beside = (extra_context or {}) | {
            "sample_customers": ids[:N_SAMPLES] if may_see else (),
            "sample_products": Product.objects.order_by("title", "pk").values_list(
                "product_id", "title"
            )[:N_SAMPLES],
        }
        there = self.get_object(request, unquote(object_id)) if object_id else None
        if there is not None:
            beside |= {
                "versions": _versions(there),
                "may_restore": self.has_change_permission(request, there),
            }
        return super().changeform_view(request, object_id, form_url, beside)

    def save_model(self, request: HttpRequest, obj: Scenario, form: Any, change: bool) -> None:  # noqa: FBT001
        versions.save(obj, now=timezone.now(), actor=request.user.get_username())

    @admin.display(description=gettext_lazy("filters and boosts"))
    def n_rules(self, scenario: Scenario) -> str:
        return str(len(scenario.rules)) if scenario.rules else "–"


@require_POST
def restore_action(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Make the settings of an earlier version the next one."""
    if not request.user.has_perm("recommendations.change_scenario"):
        raise PermissionDenied
    scenario = get_object_or_404(Scenario, pk=pk)
    get_object_or_404(ScenarioVersion, scenario=scenario, number=number)
    try:
        versions.restore(scenario, number, now=timezone.now(), actor=request.user.get_username())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        told = _("The settings of version %(number)s are in use again.")
        messages.success(request, told % {"number": number})
    return redirect("admin:recommendations_scenario_change", pk)


def _versions(scenario: Scenario) -> list[dict[str, Any]]:
    """The newest versions with their rules in words, and what else each changed."""
    kept = list(scenario.versions.order_by("-number")[: N_VERSIONS + 1])
    return [
        {
            "number": one.number,
            "made_at": one.made_at,
            "made_by": one.made_by,
            "said": said(one.settings.get("rules")),
            "changed": _changed(before.settings if before else one.settings, one.settings),
        }
        for one, before in zip_longest(kept[:N_VERSIONS], kept[1:])
        if one is not None
    ]


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    names = [name for name in after if name != "rules" and before.get(name) != after[name]]
    return [str(Scenario._meta.get_field(name).verbose_name) for name in names]  # type: ignore[union-attr]
