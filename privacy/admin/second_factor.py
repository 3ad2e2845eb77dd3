"""Pages of the account itself: set up and give the second factor, confirm who one is."""

from __future__ import annotations

from typing import Any

import segno
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from privacy import second_factor, throttling
from privacy.admin import confirming
from privacy.admin.viewing import shown_once
from privacy.models import Staff
from privacy.throttling import Limit, TooManyError

PASSWORDS = Limit("confirm", 10, 600)
PAGE = "privacy/admin/second_factor.html"


@never_cache
@require_http_methods(["GET", "POST"])
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Set the second factor up, give its code, or look after it, whichever is due."""
    staff = _staff(request)
    if second_factor.of(staff) is None:
        return _set_up(request, staff)
    if confirming.lacks_second_factor(request):
        return _give_code(request, staff)
    return _look_after(request, staff)


@never_cache
@require_http_methods(["GET", "POST"])
def confirm_page(request: HttpRequest) -> HttpResponse:
    """Ask for password and code again, before something dangerous."""
    staff, now = _staff(request), timezone.now()
    if request.method == "POST":
        try:
            throttling.take([(PASSWORDS, f"staff:{staff.pk}")], now=now)
        except TooManyError as error:
            messages.error(request, error.detail)
        else:
            if _is_who_they_are(request, staff):
                confirming.passed(request, staff, now)
                return redirect(confirming.back_to(request))
            messages.error(request, _("That is not right; nothing was done."))
    has_factor = second_factor.of(staff) is not None
    return _page(request, _("Is it you?"), step="confirm", asks_code=has_factor)


def _is_who_they_are(request: HttpRequest, staff: Staff) -> bool:
    if not staff.check_password(request.POST.get("password", "")):
        return False
    if second_factor.of(staff) is None:
        return True
    return second_factor.check(staff, request.POST.get("code", ""), now=timezone.now())


def _set_up(request: HttpRequest, staff: Staff) -> HttpResponse:
    factor, now = second_factor.begin(staff), timezone.now()
    if not confirming.is_recent(request, now):
        return confirming.ask_again(request)
    if request.method == "POST":
        if codes := second_factor.confirm(factor, request.POST.get("code", ""), now=now):
            staff.refresh_from_db()
            confirming.passed(request, staff, now)
            return _codes(request, codes)
        messages.error(request, _("The code does not fit; is the telephone's clock right?"))
    drawn = segno.make(second_factor.address(factor)).svg_inline(scale=4, border=2, omitsize=True)
    return _page(
        request,
        _("Set up the second factor"),
        step="set_up",
        drawn=mark_safe(drawn),  # noqa: S308 -- drawn by segno: paths and numbers  # nosec B308 B703
        secret=second_factor.secret(factor),
    )


def _give_code(request: HttpRequest, staff: Staff) -> HttpResponse:
    now = timezone.now()
    if request.method == "POST":
        if second_factor.check(staff, request.POST.get("code", ""), now=now):
            confirming.passed(request, staff, now)
            return redirect(confirming.back_to(request))
        messages.error(
            request, _("The code does not fit. After five wrong ones you must wait a while.")
        )
    return _page(request, _("Second factor"), step="give")


def _look_after(request: HttpRequest, staff: Staff) -> HttpResponse:
    factor, now = second_factor.begin(staff), timezone.now()
    if request.method == "POST":
        if not confirming.is_recent(request, now):
            return confirming.ask_again(request)
        if request.POST.get("act") == "codes":
            return _codes(request, second_factor.renew_codes(staff, now=now))
        if request.POST.get("act") == "remove":
            second_factor.remove(staff, by=staff, now=now)
            messages.success(request, _("The second factor is removed."))
            return redirect("admin:index")
    n_left = factor.recovery_codes.filter(used_at__isnull=True).count()
    return _page(request, _("Second factor"), step="look_after", factor=factor, n_left=n_left)


def _codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    shown = [(str(number), code) for number, code in enumerate(codes, 1)]
    return shown_once(request, _("Recovery codes"), shown, back=reverse("admin:index"))


def _page(request: HttpRequest, title: str, **facts: Any) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": title,
        "next": confirming.back_to(request),
        **facts,
    }
    if confirming.lacks_second_factor(request):
        context |= {"available_apps": [], "sidebar_navigation": []}
    return render(request, PAGE, context)


def _staff(request: HttpRequest) -> Staff:
    assert isinstance(request.user, Staff)  # noqa: S101 -- admin_view lets nobody else in  # nosec B101
    return request.user
