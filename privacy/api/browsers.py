from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.views import APIView

from privacy import doors
from privacy.api.authentication import cors_headers
from privacy.api.fields import Text
from privacy.models import ApiKey
from privacy.problems import DomainError


class BrowserReachable(APIView):
    """A view that pages of the shop call: answers preflights, names the origins it knows."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase
        if request.method == "OPTIONS":
            response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        else:
            response = super().dispatch(request, *args, **kwargs)
        return self.to_browser(request, response)

    @staticmethod
    def to_browser(
        request: HttpRequest, response: HttpResponseBase, *, named_by: ApiKey | None = None
    ) -> HttpResponseBase:
        """The answer with what lets a page of a known origin read it."""
        if request.headers.get("Origin"):
            for name, value in cors_headers(request, named_by=named_by).items():
                response[name] = value
        return response


class VisitorSerializer(serializers.Serializer[Any]):
    """Whom a page asks for; what is empty counts as left out."""

    userId = Text(max_length=100, required=False, allow_blank=True)
    userHash = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="HMAC-SHA256 in hex of `userId.userHashExpires` under the identity secret;"
        " a publishable key needs it to read by userId.",
    )
    userHashExpires = serializers.IntegerField(
        required=False, help_text="Seconds since 1970, at most 24 hours ahead."
    )
    anonymousId = Text(max_length=200, required=False, allow_blank=True)


def require_visitor(key: ApiKey, facts: Mapping[str, Any], *, now: datetime) -> None:
    """Refuse a publishable key that names nobody, or a user id that the shop does not vouch for.

    Raises DomainError `visitor_needed`, `invalid_user_hash` (403).
    """
    if key.kind == ApiKey.Kind.SECRET:
        return
    if not facts.get("userId"):
        if not facts.get("anonymousId"):
            detail = _("A publishable key needs an anonymousId, or a userId with its userHash.")
            raise DomainError("visitor_needed", detail)
        return
    is_vouched = doors.vouches(
        key.source,
        facts["userId"],
        facts.get("userHash", ""),
        facts.get("userHashExpires", 0),
        now,
    )
    if not is_vouched:
        detail = _("The userHash does not fit the userId, or it has expired.")
        raise DomainError("invalid_user_hash", detail, status=HTTPStatus.FORBIDDEN)
