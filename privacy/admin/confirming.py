"""Sign-in beyond the password: how long it lasts, the second factor, asking again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from privacy import second_factor
from privacy.models import Staff

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

LONGEST: Final = timedelta(hours=8)
IDLE: Final = timedelta(minutes=30)
RECENT: Final = timedelta(minutes=10)
SEEN_NOTED_EVERY: Final = timedelta(minutes=1)
# What somebody may open who gave the password and not yet the code.
BEFORE_THE_CODE: Final = ("admin:privacy_staff_second_factor", "admin:logout", "set_language")
View = Callable[..., HttpResponse]


class StaffDoor:
    """Ends sessions after 8 hours or 30 idle minutes, and asks for the second factor."""

    def __init__(self, get_response: View) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and isinstance(request.user, Staff):
            now = timezone.now()
            if _is_over(request.session, now):
                logout(request)
            else:
                _note(request, now)
                if lacks_second_factor(request) and not _may_open(request):
                    return redirect(_asking(request, "admin:privacy_staff_second_factor"))
        return self.get_response(request)


def lacks_second_factor(request: HttpRequest) -> bool:
    """Whether the account has, or must have, a second factor that this session did not give."""
    factor = second_factor.of(request.user) if isinstance(request.user, Staff) else None
    if factor is None:
        return bool(settings.STAFF_MFA == "required")
    return request.session.get("second_factor") != factor.uuid.hex


def passed(request: HttpRequest, staff: Staff, now: datetime) -> None:
    """Note that whoever sits there has just shown who they are."""
    if factor := second_factor.of(staff):
        request.session["second_factor"] = factor.uuid.hex
    request.session["confirmed_at"] = now.timestamp()
    request.session.cycle_key()


def is_recent(request: HttpRequest, now: datetime) -> bool:
    """Whether the person signed in or confirmed within the last ten minutes."""
    at = request.session.get("confirmed_at")
    return at is not None and now - _moment(at) <= RECENT


def ask_again(request: HttpRequest) -> HttpResponse:
    """Send the person to the page that asks who they are, and back to where they were."""
    messages.warning(request, _("Confirm that it is you, then try again."))
    return redirect(_asking(request, "admin:privacy_staff_confirm"))


def confirmed(view: View) -> View:
    """Let only somebody through who showed within ten minutes who they are."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not is_recent(request, timezone.now()):
            return ask_again(request)
        return view(request, *args, **kwargs)

    return asked


class ConfirmedChanges:
    """For a ModelAdmin whose every change asks who it is: forms at once, actions when done."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        view: View = confirmed(super().changeform_view)  # type: ignore[misc]
        return view(request, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        view: View = confirmed(super().delete_view)  # type: ignore[misc]
        return view(request, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        view: View = super().changelist_view  # type: ignore[misc]
        acts = request.method == "POST"
        return (confirmed(view) if acts else view)(request, *args, **kwargs)


def back_to(request: HttpRequest) -> str:
    """The page of ours that `next` names, else the home page."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    hosts, is_https = {request.get_host()}, request.is_secure()
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts=hosts, require_https=is_https):
        return wanted
    return reverse("admin:index")


def _asking(request: HttpRequest, page: str) -> str:
    wanted = request.get_full_path()
    if request.method != "GET":  # what was posted is gone; the page it came from is not
        came_from = urlsplit(request.headers.get("Referer", ""))
        wanted = came_from.path if came_from.netloc == request.get_host() else ""
    return f"{reverse(page)}?{urlencode({'next': wanted})}" if wanted else reverse(page)


def _may_open(request: HttpRequest) -> bool:
    return request.path in {reverse(page) for page in BEFORE_THE_CODE}


def _is_over(session: SessionBase, now: datetime) -> bool:
    started, seen = session.get("signed_in_at"), session.get("seen_at")
    if started is None or seen is None:
        return False
    return now - _moment(started) > LONGEST or now - _moment(seen) > IDLE


def _note(request: HttpRequest, now: datetime) -> None:
    session, at = request.session, now.timestamp()
    if session.get("signed_in_at") is None:
        session.update({"signed_in_at": at, "seen_at": at, "confirmed_at": at})
    # A page that asks by itself how a job fares is nobody's presence.
    elif "HX-Request" not in request.headers and now - _moment(session["seen_at"]) > (
        SEEN_NOTED_EVERY
    ):
        session["seen_at"] = at


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.get_default_timezone())
