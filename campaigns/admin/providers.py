from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import throttling
from campaigns.admin.sender import sender_page
from campaigns.models import Provider
from privacy.admin.viewing import ThemedAdmin

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@admin.register(Provider)
class ProviderAdmin(ThemedAdmin[Provider]):
    """Each mail server that was used: how it does, and how fast it may be used."""

    list_display = ["name", "health", "per_minute", "last_error", "failed_at"]
    ordering = ["name"]
    list_before_template = "campaigns/admin/providers_head.html"
    fields = ["name", "per_minute", "health", "n_failures", "last_error", "failed_at"]
    readonly_fields = ["name", "health", "n_failures", "last_error", "failed_at"]

    @admin.display(description=_("health"))
    def health(self, provider: Provider) -> StrOrPromise:
        now = timezone.now()
        if provider.is_shut(now):
            return _("Closed after failures; tried again soon")
        if provider.n_failures:
            return _("Fails")
        limited = provider.limited_at
        if limited is not None and limited > now - throttling.SHOWN_FOR:
            return _("Limited by its rate")
        return _("Works")

    def get_urls(self) -> list[URLPattern]:
        check = self.admin_site.admin_view(sender_page)
        return [path("sender/", check, name="campaigns_provider_sender"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
