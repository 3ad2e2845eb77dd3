"""Addresses that are not written to, as tags; found by their customer's id, and lifted with a reason."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST

from privacy import registry, suppression
from privacy.admin.confirming import confirmed
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import Suppression
from privacy.problems import DomainError

LIFT: Final = "privacy.delete_suppression"


@admin.register(Suppression)
class SuppressionAdmin(ViewOnlyAdmin[Suppression]):
    list_display = ["created_at", "channel", "reason"]
    list_filter = ["channel", "reason"]
    search_fields = ["pk"]
    search_help_text = gettext_lazy("Exact customer id")
    fields = ["created_at", "channel", "reason"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    change_form_outer_after_template = "privacy/admin/lift.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Suppression], search_term: str
    ) -> tuple[QuerySet[Suppression], bool]:
        if not (term := search_term.strip()):
            return queryset, False
        matches = Q(pk__in=[])
        for subject in registry.subjects_called(term):
            for channel, tag in registry.addresses_of(subject):
                matches |= Q(channel=channel, address_tag=tag)
        return queryset.filter(matches), False

    def get_urls(self) -> list[URLPattern]:
        lift = self.admin_site.admin_view(lift_action)
        return [
            path("<int:pk>/lift/", lift, name="privacy_suppression_lift"),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        there = self.get_object(request, object_id)
        can = there is not None and there.reason in suppression.LIFTABLE
        context = {"is_liftable": can, "may_lift": request.user.has_perm(LIFT)}
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))


@require_POST
def lift_action(request: HttpRequest, pk: int) -> HttpResponse:
    if not request.user.has_perm(LIFT):
        raise PermissionDenied
    return _lift(request, pk)


@confirmed
def _lift(request: HttpRequest, pk: int) -> HttpResponse:
    there = get_object_or_404(Suppression, pk=pk)
    reason, actor = request.POST.get("reason", ""), f"staff:{request.user.pk}"
    try:
        suppression.lift(there, reason=reason, actor=actor, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("admin:privacy_suppression_change", pk)
    messages.success(request, gettext("The address may be written to again."))
    return redirect("admin:privacy_suppression_changelist")
