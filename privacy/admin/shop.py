from __future__ import annotations

from decimal import Decimal
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from privacy.admin.viewing import ThemedAdmin
from privacy.models import Shop

CURRENCIES = ("AUD", "CAD", "CHF", "CNY", "EUR", "GBP", "HKD", "JPY", "KRW", "SGD", "TWD", "USD")


class PercentField(forms.DecimalField):
    """Shown and typed in percent, kept as a rate in 0-1."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            min_value=Decimal(0),
            max_value=Decimal(100),
            decimal_places=2,
            widget=UnfoldAdminDecimalFieldWidget,
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            return (value * 100).normalize().to_eng_string()
        return value

    def clean(self, value: Any) -> Any:
        percent = super().clean(value)
        return percent / 100 if percent is not None else None


class ShopForm(forms.ModelForm[Shop]):
    """The facts that every report and message of this shop rests on."""

    currency = forms.ChoiceField(label=_("Currency"), widget=UnfoldAdminSelectWidget)
    time_zone = forms.ChoiceField(label=_("Time zone"), widget=UnfoldAdminSelectWidget)
    language = forms.ChoiceField(
        label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget
    )
    tax_rate = PercentField(label=_("Tax in prices, %"))
    margin_rate = PercentField(
        label=_("Margin, %"),
        help_text=_("Part of net revenue that stays, for products without a known cost."),
    )

    class Meta:
        model = Shop
        fields = [
            "name",
            "language",
            "currency",
            "time_zone",
            "tax_rate",
            "margin_rate",
            "sender_name",
            "sender_email",
            "privacy_law",
            "legal_footer",
        ]
        widgets = {
            "privacy_law": UnfoldAdminSelectWidget,
            "legal_footer": UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        codes = sorted({*CURRENCIES, settings.SHOP_CURRENCY})
        _offer(self.fields["currency"], codes)
        _offer(self.fields["time_zone"], sorted(available_timezones()))
        if self.instance._state.adding:
            self.initial.update(
                {
                    "currency": settings.SHOP_CURRENCY,
                    "time_zone": settings.SHOP_TIME_ZONE,
                    "tax_rate": Decimal(0),
                    "margin_rate": Decimal("0.25"),
                }
            )

    def clean_sender_name(self) -> str:
        name: str = self.cleaned_data["sender_name"]
        if name and not name.isprintable():
            raise ValidationError(_("Write the name on one line, without control characters."))
        return name


def _offer(field: forms.Field, values: list[str]) -> None:
    if isinstance(field, forms.ChoiceField):
        field.choices = [(value, value) for value in values]


@admin.register(Shop)
class ShopAdmin(ThemedAdmin[Shop]):
    """The one shop: its list is its page."""

    form = ShopForm
    fields = [
        "name",
        ("language", "currency", "time_zone"),
        ("tax_rate", "margin_rate"),
        ("sender_name", "sender_email"),
        ("privacy_law", "privacy_contact"),
        "legal_footer",
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if Shop.objects.filter(pk=1).exists():
            return redirect("admin:privacy_shop_change", 1)
        return redirect("first-run")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
