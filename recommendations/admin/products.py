from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet, Value
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from privacy.admin.viewing import ThemedAdmin, shop_of
from privacy.models import Shop
from profiles import figures
from profiles.admin.amounts import in_money
from recommendations.admin.likely import likely_page
from recommendations.models import Product


class ProductForm(forms.ModelForm[Product]):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_money(self, Shop.current().currency, "price_minor", "cost_minor")

    def clean_accessory_for(self) -> list[str]:
        told = self.cleaned_data["accessory_for"] or []
        if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
            raise forms.ValidationError(_('Write a list of categories such as ["Phones"].'))
        return told


@admin.register(Product)
class ProductAdmin(ThemedAdmin[Product]):
    form = ProductForm
    list_display = ["product_id", "title", "category", "brand", "price", "is_active"]
    list_filter = ["category", "brand", "is_active"]
    search_fields = ["product_id", "title"]
    ordering = ["title", "pk"]
    change_form_outer_before_template = "recommendations/product_head.html"
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(likely_page)
        return [
            path("likely/", view, name="recommendations_product_likely"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        products: QuerySet[Product] = super().get_queryset(request)
        return products.annotate(currency=Value(shop_of(request).currency))

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        # Where nothing can be typed there is no form to turn minor units into amounts.
        is_form = obj is None or self.has_change_permission(request, obj)
        money = ("price_minor", "cost_minor") if is_form else ("price", "cost")
        return [
            (
                None,
                {
                    "fields": [
                        "product_id",
                        "title",
                        ("category", "brand"),
                        ("is_active", "stock"),
                        "family",
                    ]
                },
            ),
            (_("Money"), {"fields": [money]}),
            (_("Texts"), {"fields": ["description", "translations"]}),
            (_("Details"), {"fields": ["specs", "accessory_for", "image_url", "link"]}),
        ]

    @admin.display(description=_("price"), ordering="price_minor")
    def price(self, product: Any) -> str:
        return _amount(product.price_minor, product.currency)

    @admin.display(description=_("cost"))
    def cost(self, product: Any) -> str:
        return _amount(product.cost_minor, product.currency)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001
        if not change:
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)


def _amount(minor: int | None, currency: str) -> str:
    return "–" if minor is None else figures.money(minor, currency, get_language() or "en")
