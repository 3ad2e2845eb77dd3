"""The OpenAPI document and its two viewers; what makes them is loaded once somebody asks."""

from __future__ import annotations

from csp.decorators import csp_replace
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from config import policy

viewer = csp_replace(policy.VIEWERS)


def schema(request: HttpRequest) -> HttpResponseBase:
    from drf_spectacular.views import SpectacularAPIView  # noqa: PLC0415 -- as said above

    return SpectacularAPIView.as_view()(request)


@viewer
def swagger(request: HttpRequest) -> HttpResponseBase:
    from drf_spectacular.views import SpectacularSwaggerSplitView  # noqa: PLC0415 -- as said above

    return SpectacularSwaggerSplitView.as_view(url_name="schema")(request)


@viewer
def redoc(request: HttpRequest) -> HttpResponseBase:
    from drf_spectacular.views import SpectacularRedocView  # noqa: PLC0415 -- as said above

    view = SpectacularRedocView.as_view(url_name="schema", template_name="api/redoc.html")
    return view(request)
