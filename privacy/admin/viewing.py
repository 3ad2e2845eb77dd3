"""Bases of all admin pages: the theme's, typed as Django's, and one that only shows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import capfirst
from unfold.admin import ModelAdmin

from privacy.models import Shop

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:

    class ThemedAdmin(admin.ModelAdmin[M]):
        """The theme's admin, whose own annotations are narrower than what it accepts."""

        change_form_outer_before_template: str
        change_form_outer_after_template: str
        list_before_template: str

else:

    class ThemedAdmin(ModelAdmin):
        def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
            title = {"title": capfirst(self.opts.verbose_name_plural)}
            return super().changelist_view(request, {**title, **(extra_context or {})})


def shop_of(request: HttpRequest) -> Shop:
    """Return the shop as it is now, read once a request however many parts of a page ask."""
    kept = vars(request)
    if "shop" not in kept:
        kept["shop"] = Shop.current()
    shop: Shop = kept["shop"]
    return shop


def shown_once(
    request: HttpRequest, title: str, shown: Iterable[tuple[str, str]], *, back: str
) -> HttpResponse:
    """A page of secrets that exist in plain only in this answer, which nothing may keep."""
    context = {
        **admin.site.each_context(request),
        "title": title,
        "shown": list(shown),
        "back": back,
    }
    answer = render(request, "privacy/admin/shown_once.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


class ViewOnlyAdmin(ThemedAdmin[M]):
    """Rows that come from elsewhere: nobody adds, edits or deletes them by hand."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
