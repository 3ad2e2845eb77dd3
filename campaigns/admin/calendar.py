"""The calendar of campaigns: a month as a grid, and the same as a table."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import month
from privacy.admin.viewing import shop_of


@permission_required("campaigns.view_campaign", raise_exception=True)
def calendar_page(request: HttpRequest) -> HttpResponse:
    """Show the month of `?month=2026-11`, or the one that is."""
    today = timezone.now().astimezone(ZoneInfo(shop_of(request).time_zone)).date()
    context = {
        **admin.site.each_context(request),
        "title": _("Calendar"),
        "month": month.of(_asked(request.GET.get("month", ""), today), today),
        "today": today,
        "may_add": request.user.has_perm("campaigns.add_campaign"),
    }
    return render(request, "campaigns/admin/calendar.html", context)


def _asked(told: str, today: date) -> date:
    """Return the first day of the month that is asked for; of this month if that is none."""
    try:
        asked = date.fromisoformat(f"{told}-01")
    except ValueError:
        asked = today.replace(day=1)
    return min(max(asked, month.FIRST), month.LAST.replace(day=1))
