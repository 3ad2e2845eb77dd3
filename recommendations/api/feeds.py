"""Feeds: the catalogue as Merchant Center reads it, and a shop's own feed by its address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from django.core.validators import RegexValidator
from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.fields import Flag, Text
from profiles.api.identifiers import checked, in_path
from recommendations import asking
from recommendations.feeds import arriving, writing

NAME = in_path("name", "main")
COUNTRY = RegexValidator(r"^([A-Za-z]{2})?$")
LANGUAGE = RegexValidator(r"^([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?$")


class AskedSerializer(serializers.Serializer[Any]):
    country = serializers.RegexField(
        r"^[A-Z]{2}$",
        required=False,
        default="",
        help_text="Prices, stock and links of that country, and only what is offered there.",
    )
    language = serializers.RegexField(
        r"^[a-z]{2,3}(-[a-z0-9]{2,8})*$",
        required=False,
        default="",
        help_text="Of titles and descriptions, where there are any in it.",
    )


class MerchantView(APIView):
    required_scope = "products:read"
    write: Callable[..., Iterator[str]] = staticmethod(writing.tsv)
    content_type = "text/tab-separated-values; charset=utf-8"

    @extend_schema(
        operation_id="merchant_tsv",
        summary="The products on sale as a Merchant feed",
        parameters=[AskedSerializer],
        responses={(200, "text/tab-separated-values"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Read with Basic authentication: the key is the user name."""
        asked = AskedSerializer(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        return StreamingHttpResponse(
            self.write(**asked.validated_data), content_type=self.content_type
        )


class MerchantXmlView(MerchantView):
    write = staticmethod(writing.rss)
    content_type = "application/rss+xml; charset=utf-8"

    @extend_schema(
        operation_id="merchant_xml",
        summary="The products on sale as a Merchant feed in RSS 2.0",
        parameters=[AskedSerializer],
        responses={(200, "application/rss+xml"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        return super().get(request)


class AddressSerializer(serializers.Serializer[Any]):
    url = Text(max_length=1_000, help_text="https, of a file to fetch now and again.")
    everyHours = serializers.IntegerField(
        source="every_hours", min_value=1, max_value=24 * 7, default=24
    )
    country = Text(max_length=2, default="", allow_blank=True, validators=[COUNTRY])
    language = Text(max_length=10, default="", allow_blank=True, validators=[LANGUAGE])
    isWhole = Flag(
        source="is_whole",
        default=True,
        help_text="Whether what is not in it any more goes off sale.",
    )


class FeedFetchView(APIView):
    required_scope = "products:write"

    @extend_schema(
        operation_id="fetch_feed",
        summary="Bring in a feed from its address, now and on schedule",
        parameters=[NAME],
        request=AddressSerializer,
        responses={202: OpenApiResponse(description="Begun; how far it is stands at `Location`.")},
    )
    def post(self, request: Request, name: str) -> Response:
        facts = AddressSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        now = timezone.now()
        feed = arriving.feed_named(checked(name), now=now, **facts.validated_data)
        job = asking.ask_for_fetch(feed, now)
        return Response(
            status=HTTPStatus.ACCEPTED, headers={"Location": reverse("job", args=[job.uuid])}
        )
