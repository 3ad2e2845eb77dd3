from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from privacy.admin.viewing import ViewOnlyAdmin
from profiles import quality
from profiles.models import CleaningState, Order


@admin.register(CleaningState)
class QualityAdmin(ViewOnlyAdmin[CleaningState]):
    """How good the data is: one page instead of a list."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        days, arrived = quality.rejects_by_day(now), quality.events_by_day(now)
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("Data quality"),
            "completeness": quality.completeness(),
            "sources": quality.freshness(now),
            "days": days,
            "by_day": [day.n for day in days],
            "n_rejected": sum(day.n for day in days),
            "arrived": arrived,
            "arrived_by_day": [day.n for day in arrived],
            "reasons": quality.top_reasons(now),
            "warnings": quality.top_warnings(),
            "marks": quality.marks(),
            "marked_orders": quality.marked_orders(),
            "may_see_customers": request.user.has_perm("profiles.view_customer"),
            "n_orders": Order.objects.count(),
            "n_left_out": Order.objects.left_out().count(),
        }
        return render(request, "profiles/quality.html", context)
