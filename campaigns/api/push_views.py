"""Web push by API: the key a browser subscribes with, and the subscriptions it gave."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import pushing
from campaigns.channels import push
from privacy.api.authentication import key_of
from privacy.api.browsers import BrowserReachable, require_visitor
from privacy.api.fields import Text
from privacy.problems import DomainError

ADDRESS = r"^https?://[!-~]+$"


class PushKeysSerializer(serializers.Serializer[Any]):
    p256dh = serializers.RegexField(r"^[A-Za-z0-9_-]{87}$")
    auth = serializers.RegexField(r"^[A-Za-z0-9_-]{22}$")


class PushTargetSerializer(serializers.Serializer[Any]):
    """As `subscription.toJSON()` gives it."""

    endpoint = serializers.RegexField(ADDRESS, max_length=1_000)
    keys = PushKeysSerializer()
    expirationTime = serializers.FloatField(required=False, allow_null=True)


class PushSubscribeSerializer(serializers.Serializer[Any]):
    userId = Text(max_length=100)
    userHash = Text(max_length=64, required=False, allow_blank=True)
    userHashExpires = serializers.IntegerField(required=False)
    wording = Text(max_length=1_000, help_text="What the person agreed to, word for word.")
    language = Text(max_length=12, required=False, allow_blank=True)
    subscription = PushTargetSerializer()


class PushForgetSerializer(serializers.Serializer[Any]):
    endpoint = serializers.RegexField(ADDRESS, max_length=1_000)


class PushKeySerializer(serializers.Serializer[Any]):
    applicationServerKey = serializers.CharField(help_text="For pushManager.subscribe().")


class PushStateSerializer(serializers.Serializer[Any]):
    subscribed = serializers.BooleanField()


class PushKeyView(BrowserReachable):
    required_scope = "push:write"

    @extend_schema(
        operation_id="push_key",
        summary="The key that browsers subscribe to push with",
        responses=PushKeySerializer,
    )
    def get(self, request: Request) -> Response:
        return Response({"applicationServerKey": push.public_key()})


class PushSubscriptionsView(BrowserReachable):
    required_scope = "push:write"

    @extend_schema(
        operation_id="subscribe_to_push",
        summary="A customer's browser takes push messages",
        request=PushSubscribeSerializer,
        responses={202: PushStateSerializer},
    )
    def post(self, request: Request) -> Response:
        """A publishable key needs the userHash: it records what a known customer agrees to."""
        ask = PushSubscribeSerializer(data=request.data)
        ask.is_valid(raise_exception=True)
        facts, key, now = ask.validated_data, key_of(request), timezone.now()
        if not facts["wording"].strip():
            detail = _("Say in %(field)s.") % {"field": "wording"}
            raise DomainError("required", detail, pointer="/wording")
        require_visitor(key, facts, now=now)
        given = facts["subscription"]
        pushing.subscribe(
            facts["userId"],
            {"endpoint": given["endpoint"], **given["keys"]},
            wording=facts["wording"],
            source=f"push: {key.source.name}"[:100],
            language=facts.get("language", ""),
            now=now,
        )
        return Response({"subscribed": True}, status=status.HTTP_202_ACCEPTED)


class PushForgetView(BrowserReachable):
    required_scope = "push:write"

    @extend_schema(
        operation_id="end_push",
        summary="A browser takes no push messages any more",
        request=PushForgetSerializer,
        responses={202: PushStateSerializer},
    )
    def post(self, request: Request) -> Response:
        """Answers alike for an endpoint that is known and one that is not."""
        ask = PushForgetSerializer(data=request.data)
        ask.is_valid(raise_exception=True)
        pushing.forget(ask.validated_data["endpoint"])
        return Response({"subscribed": False}, status=status.HTTP_202_ACCEPTED)
