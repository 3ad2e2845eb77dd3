from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db import models
from django.db.models import QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from privacy.admin.viewing import ThemedAdmin, shop_of
from privacy.models import Shop
from profiles import figures
from profiles.admin.amounts import in_money
from recommendations import catalogue_writing, product_fit, product_history
from recommendations.admin.likely import likely_page
from recommendations.admin.offers import OfferInline
from recommendations.feeds.rows import is_gtin
from recommendations.models import Product

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

MONEY = ("price_minor", "list_price_minor", "cost_minor")
MOST_VARIANTS = 50


class ProductForm(forms.ModelForm[Product]):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = Shop.current().currency
        in_money(self, currency, "price_minor", "list_price_minor", "cost_minor")

    def clean_accessory_for(self) -> list[str]:
        return self._texts("accessory_for", _('Write a list of categories such as ["Phones"].'))

    def clean_fits_products(self) -> list[str]:
        return self._texts("fits_products", _('Write a list of product ids such as ["ph-15"].'))

    def clean_tags(self) -> list[str]:
        return self._texts("tags", _('Write a list of words such as ["sale"].'))

    def clean_images(self) -> list[str]:
        fix = _('Write a list of addresses such as ["https://…"].')
        told = self._texts("images", fix)
        if not all(one.startswith(("https://", "http://")) for one in told):
            raise forms.ValidationError(fix)
        return told

    def clean_gtin(self) -> str:
        gtin: str = self.cleaned_data["gtin"].strip()
        if gtin and not is_gtin(gtin):
            raise forms.ValidationError(_("The check digit is wrong."))
        return gtin

    def clean_list_price_minor(self) -> int | None:
        before: int | None = self.cleaned_data["list_price_minor"]
        price = self.cleaned_data.get("price_minor")
        if before is not None and (price is None or before < price):
            raise forms.ValidationError(_("It is what the price is reduced from, so not below it."))
        return before

    def _texts(self, name: str, fix: StrOrPromise) -> list[str]:
        told = self.cleaned_data[name] or []
        if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
            raise forms.ValidationError(fix)
        return told


@admin.register(Product)
class ProductAdmin(ThemedAdmin[Product]):
    form = ProductForm
    inlines = [OfferInline]
    list_display = ["product_id", "title", "category", "brand", "price", "is_active"]
    list_filter = ["category", "brand", "is_active"]
    search_fields = ["product_id", "title"]
    ordering = ["title", "pk"]
    change_form_outer_before_template = "recommendations/product_head.html"
    change_form_outer_after_template = "recommendations/product_beside.html"
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
        money = MONEY if is_form else ("price", "list_price", "cost")
        return [
            (
                None,
                {
                    "fields": [
                        "product_id",
                        "title",
                        ("category", "brand"),
                        ("is_active", "is_consumable"),
                        ("stock", "availability"),
                        "family",
                        "tags",
                        ("gtin", "mpn", "condition"),
                    ]
                },
            ),
            (_("Money"), {"fields": [money]}),
            (_("Texts"), {"fields": ["description", "translations"]}),
            (_("Fits"), {"fields": ["specs", "accessory_for", "fits_products"]}),
            (_("Details"), {"fields": ["link", "image_url", "images"]}),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        beside = extra_context or {}
        product = self.get_object(request, unquote(object_id))
        if product is not None:
            beside |= _beside(product, shop_of(request))
        return super().change_view(request, object_id, form_url, beside)

    @admin.display(description=_("price"), ordering="price_minor")
    def price(self, product: Any) -> str:
        return _amount(product.price_minor, product.currency)

    @admin.display(description=_("reduced from"))
    def list_price(self, product: Any) -> str:
        return _amount(product.list_price_minor, product.currency)

    @admin.display(description=_("cost"))
    def cost(self, product: Any) -> str:
        return _amount(product.cost_minor, product.currency)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001
        if not change:
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)
        catalogue_writing.note(obj, now=timezone.now())

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001
        super().save_formset(request, form, formset, change)
        for offer in (*formset.new_objects, *(changed for changed, _of in formset.changed_objects)):
            catalogue_writing.note_offer(offer, now=timezone.now())


def _beside(product: Product, shop: Shop) -> dict[str, Any]:
    """What the page shows beside the form: what fits, the variants, the offers, the history."""
    variants = Product.objects.none()
    if product.family:
        variants = Product.objects.filter(family=product.family).exclude(pk=product.pk)
    return {
        "fit": product_fit.of(product),
        "variants": variants.order_by("title", "pk")[:MOST_VARIANTS],
        "offers": product.offers.order_by("country"),
        "currency": shop.currency,
        "history": product_history.of(product, now=timezone.now(), time_zone=shop.time_zone),
    }


def _amount(minor: int | None, currency: str) -> str:
    return "–" if minor is None else figures.money(minor, currency, get_language() or "en")
