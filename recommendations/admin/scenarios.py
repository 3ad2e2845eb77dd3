"""Placements in the admin, with a look at what one shows before it is saved."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from privacy.admin.viewing import ThemedAdmin
from privacy.models import Shop
from profiles.admin.amounts import in_money
from profiles.models import Customer
from recommendations import placing
from recommendations.fitting import LeftOut
from recommendations.models import Product, Scenario
from recommendations.placing import Asked

MAX_IDS = 500
N_PREVIEW = 10


class ProductIdsField(forms.CharField):
    """Ids of products of the catalogue, one a line, in their order."""

    def __init__(self, label: Any) -> None:
        super().__init__(
            label=label,
            required=False,
            widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
            help_text=gettext_lazy("Product ids, one a line."),
        )

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)

    def clean(self, value: Any) -> list[str]:
        lines = (line.strip() for line in super().clean(value).splitlines())
        ids = list(dict.fromkeys(filter(None, lines)))
        if len(ids) > MAX_IDS:
            raise forms.ValidationError(_("Name at most %(n)s products.") % {"n": MAX_IDS})
        known = Product.objects.filter(product_id__in=ids).values_list("product_id", flat=True)
        if unknown := [id_ for id_ in ids if id_ not in set(known)]:
            told = ", ".join(unknown[:5])
            raise forms.ValidationError(_("The catalogue has no product %(ids)s.") % {"ids": told})
        return ids


class ScenarioForm(forms.ModelForm[Scenario]):
    seen_by = forms.CharField(
        label=gettext_lazy("Customer id"), required=False, widget=UnfoldAdminTextInputWidget
    )
    seen_beside = forms.CharField(
        label=gettext_lazy("Product id"), required=False, widget=UnfoldAdminTextInputWidget
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_money(self, Shop.current().currency, "price_from_minor", "price_to_minor")
        for name in ("never_shown", "pinned"):
            if name in self.fields:
                self.fields[name] = ProductIdsField(self.fields[name].label)


@admin.register(Scenario)
class ScenarioAdmin(ThemedAdmin[Scenario]):
    form = ScenarioForm
    list_display = ["placement", "name", "kind", "is_active"]
    list_filter = ["kind", "is_active"]
    search_fields = ["placement", "name"]
    ordering = ["placement"]
    change_form_after_template = "recommendations/scenario_preview_button.html"
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
        (gettext_lazy("Order"), {"fields": ["pinned", "diversity", "fills_up"]}),
        (gettext_lazy("Preview for"), {"fields": [("seen_by", "seen_beside")]}),
    ]

    def get_urls(self) -> list[URLPattern]:
        preview = path(
            "preview/",
            self.admin_site.admin_view(preview_page),
            name="recommendations_scenario_preview",
        )
        return [preview, *super().get_urls()]


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
        context |= _preview(form)
    return render(request, "recommendations/scenario_preview.html", context)


def modelform() -> type[forms.ModelForm[Scenario]]:
    return forms.modelform_factory(Scenario, form=ScenarioForm, fields="__all__")


def _preview(form: forms.ModelForm[Scenario]) -> dict[str, Any]:
    scenario: Scenario = form.save(commit=False)
    who, beside = form.cleaned_data["seen_by"].strip(), form.cleaned_data["seen_beside"].strip()
    customer = Customer.objects.filter(external_id=who).first() if who else None
    asked = Asked(
        customer_pk=customer.pk if customer else None,
        product_ids=(beside,) if beside else (),
        recent_product_ids=(beside,) if beside else (),
        n=N_PREVIEW,
        language=get_language() or "en",
    )
    placed = placing.place(scenario, asked, now=timezone.now())
    titles = dict(
        Product.objects.filter(product_id__in=list(placed.left_out)[:N_PREVIEW]).values_list(
            "product_id", "title"
        )
    )
    return {
        "scenario": scenario,
        "placed": placed,
        "is_unknown": bool(who) and customer is None,
        "left_out": [
            (titles[id_], id_, LeftOut(reason).label)
            for id_, reason in placed.left_out.items()
            if id_ in titles
        ],
        "n_left_out": len(placed.left_out),
        "filled_with": [FILLED[step] for step in placed.filled_with],
    }


FILLED = {
    placing.FOR_YOU: gettext_lazy("the customer's own list"),
    placing.POPULAR: gettext_lazy("popular products"),
    placing.NEWEST: gettext_lazy("new products"),
}
