"""On-site content by API: what a page shows a visitor at its places, and that it was shown."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.validators import RegexValidator
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import onsite
from campaigns.tracking import Visit
from privacy.api.authentication import key_of
from privacy.api.browsers import BrowserReachable, VisitorSerializer, require_visitor
from privacy.api.fields import Text
from privacy.problems import DomainError
from profiles.events import visitors

MOST_PLACES = 20


class DecisionsAskSerializer(VisitorSerializer):
    """Members that are empty count as left out."""

    placements = serializers.ListField(
        child=Text(validators=[RegexValidator(r"^[A-Za-z0-9_-]{1,64}\Z")]),
        min_length=1,
        max_length=MOST_PLACES,
        help_text="The places of the page, such as home-hero.",
    )
    language = Text(
        max_length=12,
        required=False,
        allow_blank=True,
        help_text="Of the page; without it, what Accept-Language says.",
    )


class DecisionContentSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    text = serializers.CharField()
    button = serializers.CharField()
    imageUrl = serializers.CharField(source="image_url")


class DecisionSerializer(serializers.Serializer[Any]):
    placement = serializers.CharField()
    campaignId = serializers.UUIDField(source="campaign")
    variant = serializers.CharField()
    token = serializers.CharField(help_text="Say with it that the content was shown.")
    link = serializers.CharField(help_text="Leads to the target and counts the click.")
    content = DecisionContentSerializer(source="card")


class DecisionsSerializer(serializers.Serializer[Any]):
    decisions = DecisionSerializer(
        many=True, help_text="At most one a place; a place without one shows the shop's own."
    )


class DecisionSeenSerializer(serializers.Serializer[Any]):
    token = serializers.RegexField(r"^[A-Za-z0-9_-]{43}$")


class CountedSerializer(serializers.Serializer[Any]):
    counted = serializers.BooleanField()


class DecisionsView(BrowserReachable):
    required_scope = "decisions:read"

    @extend_schema(
        operation_id="decisions",
        summary="What a page shows a visitor at its places",
        request=DecisionsAskSerializer,
        responses=DecisionsSerializer,
    )
    def post(self, request: Request) -> Response:
        """Decided anew at each request; nothing may keep the answer."""
        ask = DecisionsAskSerializer(data=request.data)
        ask.is_valid(raise_exception=True)
        facts, now = ask.validated_data, timezone.now()
        require_visitor(key_of(request), facts, now=now)
        visitor = visitors.customer_of(
            user_id=facts.get("userId", ""), anonymous_id=facts.get("anonymousId", "")
        )
        language = facts.get("language") or translation.get_language() or ""
        found = onsite.decide(facts["placements"], visitor, language, now)
        response = Response(DecisionsSerializer({"decisions": found}).data)
        response["Cache-Control"] = "no-store"
        return response


class SeenView(BrowserReachable):
    required_scope = "decisions:read"

    @extend_schema(
        operation_id="decision_seen",
        summary="Say that a page showed its content",
        request=DecisionSeenSerializer,
        responses={202: CountedSerializer},
    )
    def post(self, request: Request) -> Response:
        told = DecisionSeenSerializer(data=request.data)
        told.is_valid(raise_exception=True)
        visit = Visit(request.method or "", request.headers.get("User-Agent", ""))
        if not onsite.seen(told.validated_data["token"], visit, timezone.now()):
            detail = _("Nothing that is shown on pages has this token.")
            raise DomainError(
                "unknown_decision", detail, status=HTTPStatus.NOT_FOUND, pointer="/token"
            )
        return Response({"counted": True}, status=HTTPStatus.ACCEPTED)
