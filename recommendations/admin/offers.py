"""What a product costs in countries, edited on its page: amounts in each country's own money."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminURLInputWidget

from profiles import money
from profiles.orders.parsing import MAX_PRICE
from recommendations.models import Offer

AMOUNTS = ("price_minor", "list_price_minor")


class OfferForm(forms.ModelForm[Offer]):
    link = forms.URLField(
        label=gettext_lazy("link"),
        required=False,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in AMOUNTS:
            if name in self.fields:
                self.fields[name] = forms.DecimalField(
                    label=self.fields[name].label,
                    required=False,
                    min_value=0,
                    max_value=MAX_PRICE,
                    widget=UnfoldAdminDecimalFieldWidget,
                )
                minor = getattr(self.instance, name)
                if minor is not None:
                    self.initial[name] = money.from_minor(minor, self.instance.currency)

    def clean_country(self) -> str:
        country: str = self.cleaned_data["country"].strip().upper()
        if len(country) != 2 or not (country.isascii() and country.isalpha()):  # noqa: PLR2004 -- ISO 3166
            raise forms.ValidationError(
                _("Write the country as two letters of ISO 3166, such as DE.")
            )
        return country

    def clean_currency(self) -> str:
        currency: str = self.cleaned_data["currency"].strip().upper()
        try:
            money.exponent(currency)
        except money.UnknownCurrencyError as error:
            raise forms.ValidationError(error.detail) from error
        return currency

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        currency = str(given.get("currency") or "")
        for name in AMOUNTS if currency else ():
            if (amount := given.get(name)) is None:
                continue
            if amount != round(amount, money.exponent(currency)):
                text = _("This currency has %(n)s decimals.")
                self.add_error(name, text % {"n": money.exponent(currency)})
            else:
                given[name] = money.to_minor(amount, currency)
        price, before = given.get("price_minor"), given.get("list_price_minor")
        if before is not None and (price is None or before < price):
            text = _("It is what the price is reduced from, so not below it.")
            self.add_error("list_price_minor", text)
        return given


class OfferInline(TabularInline):
    model = Offer
    form = OfferForm
    fk_name = "product"
    extra = 0
    verbose_name = gettext_lazy("offer in a country")
    verbose_name_plural = gettext_lazy("offers in countries")
    fields = [
        "country",
        "currency",
        "price_minor",
        "list_price_minor",
        "availability",
        "stock",
        "link",
    ]
    ordering = ["country"]
