from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from campaigns import throttling
from campaigns.admin.sender import sender_page
from campaigns.models import Provider
from campaigns.models.provider import DOMAIN
from campaigns.rendering.message import AddressError, mailable
from privacy.admin.viewing import ThemedAdmin

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


class DomainForm(forms.ModelForm[Provider]):
    """A receiving domain with its rate; servers come by themselves when they are used."""

    domain = forms.CharField(
        label=_("receiving domain"),
        max_length=253,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Such as gmail.com: mail to it keeps to this rate, whichever server sends it."),
    )

    class Meta:
        model = Provider
        fields = ["per_minute"]

    def clean_domain(self) -> str:
        told = str(self.cleaned_data["domain"]).strip().lower().lstrip("@")
        try:
            mailable(f"x@{told}")
        except AddressError:
            raise forms.ValidationError(_("This is no domain.")) from None
        if Provider.objects.filter(name=DOMAIN + told).exists():
            raise forms.ValidationError(_("This domain has a rate already."))
        self.instance.name = DOMAIN + told
        return told


@admin.register(Provider)
class ProviderAdmin(ThemedAdmin[Provider]):
    """Each mail server that was used: how it does, and how fast it may be used."""

    list_display = ["name", "health", "per_minute", "warm_up_from", "last_error", "failed_at"]
    ordering = ["name"]
    list_before_template = "campaigns/admin/providers_head.html"
    change_form_outer_after_template = "campaigns/admin/warm_up.html"
    fields = [
        "name",
        "per_minute",
        "warm_up_from",
        "health",
        "n_failures",
        "last_error",
        "failed_at",
    ]
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
            quota = provider.quota(now)
            spent = quota is not None and provider.counted(now) >= quota
            return _("Limited by its warm-up") if spent else _("Limited by its rate")
        return _("Works")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        now, provider = timezone.now(), self.get_object(request, object_id)
        plan = provider.warm_up() if provider else []
        context = {
            "warm_up": plan,
            "most": plan[-1].quota if plan else 0,
            "today": now.astimezone(UTC).date(),
            "n_today": provider.counted(now) if provider else 0,
        }
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), **context}
        )

    def get_urls(self) -> list[URLPattern]:
        check = self.admin_site.admin_view(sender_page)
        return [path("sender/", check, name="campaigns_provider_sender"), *super().get_urls()]

    def get_form(
        self,
        request: HttpRequest,
        obj: Provider | None = None,
        change: bool = False,  # noqa: FBT001, FBT002 -- Django's signature
        **kwargs: Any,
    ) -> Any:
        form = {} if obj else {"form": DomainForm}
        return super().get_form(request, obj, change, **kwargs, **form)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields if obj else ["domain", "per_minute"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
