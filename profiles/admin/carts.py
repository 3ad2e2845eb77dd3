from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import get_language, gettext_lazy
from unfold.admin import TabularInline

from privacy.admin.viewing import ViewOnlyAdmin
from profiles import figures
from profiles.models import Cart, CartLine


def _money(minor: int, currency: str) -> str:
    return figures.money(minor, currency, get_language() or "en")


class CartLineInline(TabularInline):
    model = CartLine
    fields = readonly_fields = ("product_id", "title", "category", "quantity", "price")
    extra = 0
    hide_title = True
    can_delete = False

    @admin.display(description=gettext_lazy("unit price"))
    def price(self, line: CartLine) -> str:
        return _money(line.unit_price_minor, line.cart.currency)

    def get_queryset(self, request: HttpRequest) -> QuerySet[CartLine]:
        lines: QuerySet[CartLine] = super().get_queryset(request)
        return lines.select_related("cart").order_by("pk")

    def has_add_permission(self, *_args: Any) -> bool:
        return False

    def has_change_permission(self, *_args: Any) -> bool:
        return False


@admin.register(Cart)
class CartAdmin(ViewOnlyAdmin[Cart]):
    """What is about to be bought, and what was left behind."""

    list_display = ["cart_id", "customer", "state", "n_units", "total", "changed_at"]
    list_filter = ["state"]
    list_select_related = ["customer"]
    search_fields = ["cart_id"]
    search_help_text = gettext_lazy("Exact cart or customer id")
    ordering = ["-changed_at", "-pk"]
    show_full_result_count = False
    fields = [
        ("cart_id", "customer", "state"),
        ("total", "n_units"),
        ("opened_at", "changed_at"),
        ("abandoned_at", "recovered_at", "ordered_at"),
    ]
    inlines = [CartLineInline]

    @admin.display(description=gettext_lazy("total"), ordering="total_minor")
    def total(self, cart: Cart) -> str:
        return _money(cart.total_minor, cart.currency)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Cart], search_term: str
    ) -> tuple[QuerySet[Cart], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        mine = queryset.filter(cart_id=term) | queryset.filter(customer__external_id=term)
        return mine, False
