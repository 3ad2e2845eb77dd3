"""The keys page: which root keys there are, how old, and how far a rotation is."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from privacy import rotation
from privacy.admin.confirming import confirmed
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import RootKey

TITLES = {
    "epochs": _("Wrap people's keys anew"),
    "people": _("Give everybody a new key"),
    "indexes": _("Tag indexes anew"),
}


@admin.register(RootKey)
class RootKeyAdmin(ViewOnlyAdmin[RootKey]):
    list_display = ["use", "version", "is_written", "created_at"]
    fields = ["use", "version", "is_written", "created_at"]
    list_filter = ["use"]
    ordering = ["use", "-version"]
    list_before_template = "privacy/admin/keys_head.html"

    def get_urls(self) -> list[URLPattern]:
        start = path(
            "rotate/<slug:what>/",
            self.admin_site.admin_view(rotate_action),
            name="privacy_rootkey_rotate",
        )
        return [start, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        kinds = [
            {"what": what, "title": title, "job": rotation.last(what)}
            for what, title in TITLES.items()
        ]
        head = {"kinds": kinds, "is_due": rotation.is_due(timezone.now())}
        return super().changelist_view(request, {"head": head, **(extra_context or {})})


@require_POST
def rotate_action(request: HttpRequest, what: str) -> HttpResponse:
    if not request.user.has_perm("privacy.change_rootkey"):
        raise PermissionDenied
    if what not in rotation.KINDS:
        return HttpResponseBadRequest()
    return _rotate(request, what)


@confirmed
def _rotate(_request: HttpRequest, what: str) -> HttpResponse:
    rotation.ask_for(what, timezone.now())
    return redirect("admin:privacy_rootkey_changelist")
