"""The form of a placement: amounts and lists as people write them, rules put together by clicking."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from privacy.models import Shop
from profiles.admin.amounts import in_money
from recommendations.admin.scenario_rules import RulesField
from recommendations.models import Product, Scenario

MAX_IDS: Final = 500


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
        label=gettext_lazy("Customer id"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "customers"}),
    )
    seen_beside = forms.CharField(
        label=gettext_lazy("Product id"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "products"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_money(self, Shop.current().currency, "price_from_minor", "price_to_minor")
        for name in ("never_shown", "pinned"):
            if name in self.fields:
                self.fields[name] = ProductIdsField(self.fields[name].label)
        if "rules" in self.fields:
            self.fields["rules"] = RulesField()
