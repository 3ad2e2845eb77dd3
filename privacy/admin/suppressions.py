"""Addresses that are not written to, as tags; found by their customer's id, and lifted with a reason."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from privacy import audit, registry, suppression
from privacy.admin.confirming import confirmed
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import Channel, Suppression
from privacy.problems import DomainError
from privacy.spreadsheets import cell

LIFT: Final = "privacy.delete_suppression"
ADD: Final = "privacy.add_suppression"
COLUMNS: Final = ("channel", "reason", "source", "created_at", "customer_id", "tag")


@admin.register(Suppression)
class SuppressionAdmin(ViewOnlyAdmin[Suppression]):
    list_display = ["created_at", "channel", "reason", "source"]
    list_filter = ["channel", "reason"]
    search_fields = ["pk"]
    search_help_text = gettext_lazy("Exact customer id")
    fields = ["created_at", "channel", "reason", "source"]
    ordering = ["-created_at", "-pk"]
    show_full_result_count = False
    change_form_outer_after_template = "privacy/admin/lift.html"
    list_before_template = "privacy/admin/suppressions_head.html"

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
        add = self.admin_site.admin_view(add_action)
        export = self.admin_site.admin_view(export_file)
        return [
            path("<int:pk>/lift/", lift, name="privacy_suppression_lift"),
            path("by-hand/", add, name="privacy_suppression_by_hand"),
            path("export.csv", export, name="privacy_suppression_export"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "may_add": request.user.has_perm(ADD),
            "channels": [Channel.EMAIL, Channel.SMS],
        }
        return super().changelist_view(request, context | (extra_context or {}))

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


@require_POST
def add_action(request: HttpRequest) -> HttpResponse:
    """Keep an address off that somebody told the staff of; the address is not kept."""
    if not request.user.has_perm(ADD):
        raise PermissionDenied
    channel, address = request.POST.get("channel", ""), request.POST.get("address", "").strip()
    try:
        suppression.by_hand(channel, address, actor=f"staff:{request.user.pk}", now=timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, gettext("The address is never written to again."))
    return redirect("admin:privacy_suppression_changelist")


@require_GET
def export_file(request: HttpRequest) -> StreamingHttpResponse:
    """The whole list as CSV, for whoever may see it; that it was taken is kept."""
    if not request.user.has_perm("privacy.view_suppression"):
        raise PermissionDenied
    actor = f"staff:{request.user.pk}"
    audit.append("suppression.exported", actor=actor, at=timezone.now(), reason="csv")
    answer = StreamingHttpResponse(_lines(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="suppressions.csv"'
    return answer


class _Echo:
    """Gives back what a writer writes, so that no line waits for the next."""

    def write(self, text: str) -> str:
        return text


def _lines() -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for row in suppression.exported(Suppression.objects.all()):
        yield writer.writerow([cell(row[name]) for name in COLUMNS])
