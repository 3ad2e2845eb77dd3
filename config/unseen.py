"""Keeping values out of sight: masks fit who looks, and reports of errors hold none."""

from __future__ import annotations

from collections.abc import Callable, ItemsView
from types import TracebackType
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.views.debug import SafeExceptionReporterFilter

from privacy import masking
from privacy.models import Staff

if TYPE_CHECKING:
    from types import FrameType


class Looking:
    """Tells the masks which role looks; the account is read only when something is masked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with masking.looking(lambda: _role_of(request)):
            return self.get_response(request)


def _role_of(request: HttpRequest) -> str:
    return request.user.role if isinstance(request.user, Staff) else ""


class NoValues(SafeExceptionReporterFilter):
    """Reports of errors say where and of which types, never what: no variable, no form field."""

    def is_active(self, request: HttpRequest | None) -> bool:
        return True

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        given = super().get_post_parameters(request)
        return dict.fromkeys(given, self.cleansed_substitute)

    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: FrameType | TracebackType
    ) -> ItemsView[str, Any]:
        shown = getattr(tb_frame, "f_locals", {})
        return {name: f"<{type(value).__name__}>" for name, value in shown.items()}.items()
