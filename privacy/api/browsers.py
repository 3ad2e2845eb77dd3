from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.views import APIView

from privacy.api.authentication import cors_headers


class BrowserReachable(APIView):
    """A view that pages of the shop call: answers preflights, names the origins it knows."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response: HttpResponseBase
        if request.method == "OPTIONS":
            response = HttpResponse(status=HTTPStatus.NO_CONTENT)
        else:
            response = super().dispatch(request, *args, **kwargs)
        if request.headers.get("Origin"):
            for name, value in cors_headers(request).items():
                response[name] = value
        return response
