from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldAdminURLInputWidget

from campaigns.models import Brand
from privacy.admin.viewing import ThemedAdmin

COLOURS = ("accent", "on_accent", "ink", "soft", "page", "card")


class SecureURLField(forms.URLField):
    """An address that is taken for https where it does not say."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"assume_scheme": "https"})


class BrandForm(forms.ModelForm[Brand]):
    class Meta:
        model = Brand
        fields = ["logo_url", *COLOURS]
        field_classes = {"logo_url": SecureURLField}
        widgets = {
            "logo_url": UnfoldAdminURLInputWidget,
            **{
                name: UnfoldAdminTextInputWidget(attrs={"type": "color", "class": "h-10 w-24"})
                for name in COLOURS
            },
        }


@admin.register(Brand)
class BrandAdmin(ThemedAdmin[Brand]):
    """The one row of the brand kit: its list is its page."""

    form = BrandForm
    fieldsets = [
        (
            None,
            {
                "fields": ["logo_url"],
                "description": _(
                    "Messages in blocks look like this. One that is there already takes a new look "
                    "when it is next saved."
                ),
            },
        ),
        (_("Colours"), {"fields": [("accent", "on_accent"), ("ink", "soft"), ("page", "card")]}),
    ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        Brand.objects.get_or_create(pk=1)
        return redirect("admin:campaigns_brand_change", 1)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
