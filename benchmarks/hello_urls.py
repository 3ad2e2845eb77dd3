"""The URLs of an installation, and the least that a view can do behind the same middleware."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from config.urls import urlpatterns as of_installation


def hello(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b'{"hello": "world"}', content_type="application/json")


urlpatterns = [path("v1/hello", hello), *of_installation]
