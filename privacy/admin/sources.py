"""Sources, and on each one's page the identity secret with which the shop vouches for its visitors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from privacy import doors, requests
from privacy.admin.confirming import ask_again, is_recent
from privacy.admin.viewing import ThemedAdmin, shown_once
from privacy.models import Source
from privacy.problems import DomainError

CHANGE: Final = "privacy.change_source"


@admin.register(Source)
class SourceAdmin(ThemedAdmin[Source]):
    list_display = ["name", "kind", "is_test", "created_at"]
    list_filter = ["kind", "is_test"]
    fields = ["name", "kind", "is_test"]
    ordering = ["name"]
    change_form_outer_after_template = "privacy/admin/identity_secret.html"

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:  # noqa: FBT001
        if not change:
            obj.created_at = timezone.now()
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        act = path(
            "<int:pk>/identity-secret/<str:act>/",
            self.admin_site.admin_view(identity_secret_action),
            name="privacy_source_identity_secret",
        )
        return [act, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        source = self.get_object(request, object_id)
        context = {"identity": _identity(source, timezone.now())} if source else {}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))


def _identity(source: Source, now: datetime) -> dict[str, Any]:
    """How many secrets vouch now, and until when the older one does."""
    is_rotating = source.vouches_by_two(now)
    return {
        "until": source.identity_rotated_until if is_rotating else None,
        "zone": requests.zone(),
    }


@require_POST
def identity_secret_action(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Replace or end a secret; whoever asks shows first who they are."""
    if act not in ACTS or not request.user.has_perm(CHANGE):
        raise Http404
    source = get_object_or_404(Source, pk=pk)
    if not is_recent(request, timezone.now()):
        return ask_again(request)
    try:
        answer = ACTS[act](source, request, timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
        answer = None
    return answer or redirect("admin:privacy_source_change", pk)


def _rotate(source: Source, request: HttpRequest, now: datetime) -> HttpResponse:
    secret = doors.rotate_identity_secret(source, actor=_actor(request), now=now)
    back = reverse("admin:privacy_source_change", args=[source.pk])
    title = gettext("The new identity secret")
    return shown_once(request, title, [(source.name, secret)], back=back)


def _end_old(source: Source, request: HttpRequest, now: datetime) -> None:
    doors.end_old_identity_secret(source, actor=_actor(request), now=now)
    messages.success(request, gettext("The new secret alone vouches from now on."))


def _actor(request: HttpRequest) -> str:
    return f"staff:{request.user.pk}"


ACTS: Final[dict[str, Callable[[Source, HttpRequest, datetime], HttpResponse | None]]] = {
    "rotate": _rotate,
    "end-old": _end_old,
}
