"""Webhooks by API: what listens to what, what was sent, and once more."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy import posting, webhooks
from privacy.api import paging
from privacy.api.authentication import key_of
from privacy.api.fields import Text
from privacy.api.gate import keep_as
from privacy.models import Webhook, WebhookAttempt, WebhookDelivery

STATES = WebhookDelivery.State.choices


class WebhookSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uuid", read_only=True)
    name = Text(max_length=100)
    url = Text(max_length=1000, help_text="https, port 443.")
    eventTypes = serializers.ListField(
        source="event_types",
        child=Text(max_length=64),
        min_length=1,
        max_length=100,
        help_text="Who hears of customers hears of `customer.erased` too.",
    )
    isEnabled = serializers.BooleanField(source="is_enabled", required=False)
    state = serializers.ChoiceField(choices=Webhook.State.choices, read_only=True)
    failingSince = serializers.DateTimeField(
        source="failing_since", read_only=True, allow_null=True
    )
    disabledAt = serializers.DateTimeField(source="disabled_at", read_only=True, allow_null=True)
    oldSecretUntil = serializers.DateTimeField(
        source="rotated_until",
        read_only=True,
        allow_null=True,
        help_text="Until then messages bear the old signature too.",
    )
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)


class NewWebhookSerializer(WebhookSerializer):
    """A webhook and its secret, which is shown this once."""

    isEnabled = serializers.BooleanField(source="is_enabled", read_only=True)
    secret = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="`whsec_…`, shown once; null in the repeat of an Idempotency-Key.",
    )


class WebhookPageSerializer(serializers.Serializer[Any]):
    data = WebhookSerializer(many=True)  # type: ignore[assignment]  # the wire's name
    next = serializers.CharField(allow_null=True)


class WebhookAttemptSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField()
    milliseconds = serializers.IntegerField(source="n_ms")


class WebhookDeliverySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uuid")
    messageId = serializers.CharField(source="message.wire_id", help_text="The `webhook-id`.")
    eventType = serializers.CharField(source="message.type")
    occurredAt = serializers.DateTimeField(source="message.occurred_at")
    state = serializers.ChoiceField(choices=STATES)
    status = serializers.IntegerField(allow_null=True, help_text="Of the last reply.")
    reason = serializers.CharField(help_text="Why it is not delivered; empty where it is.")
    dueAt = serializers.DateTimeField(source="due_at")
    endedAt = serializers.DateTimeField(source="ended_at", allow_null=True)
    attempts = WebhookAttemptSerializer(source="attempts.all", many=True)


class WebhookDeliveryPageSerializer(serializers.Serializer[Any]):
    data = WebhookDeliverySerializer(many=True)  # type: ignore[assignment]
    next = serializers.CharField(allow_null=True)


class WebhookReplaySerializer(serializers.Serializer[Any]):
    """One delivery by its id, or all that failed of what happened since a moment."""

    deliveryId = serializers.UUIDField(required=False)
    since = serializers.DateTimeField(required=False)

    def validate(self, facts: dict[str, Any]) -> dict[str, Any]:
        if len(facts) != 1:
            raise serializers.ValidationError(
                gettext("Give deliveryId or since, one of them."), "one_of"
            )
        return facts


class WebhookReplayedSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="How many are sent again.")


class WebhooksView(APIView):
    required_scope = "webhooks"

    @extend_schema(
        operation_id="webhooks",
        summary="The webhooks",
        parameters=paging.PARAMETERS,
        responses=WebhookPageSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(
            paging.page(
                Webhook.objects.all(),
                request.query_params,
                lambda rows: WebhookSerializer(rows, many=True).data,
            )
        )

    @extend_schema(
        operation_id="create_webhook",
        summary="Make a webhook",
        request=NewWebhookSerializer,
        responses=NewWebhookSerializer,
    )
    def post(self, request: Request) -> Response:
        facts = NewWebhookSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        given = facts.validated_data
        webhook, secret = webhooks.create(
            given["name"],
            given["url"],
            given["event_types"],
            actor=_actor(request),
            now=timezone.now(),
        )
        return _with_secret(webhook, secret)


class WebhookView(APIView):
    required_scope = "webhooks"

    @extend_schema(operation_id="webhook", summary="A webhook", responses=WebhookSerializer)
    def get(self, _request: Request, uuid: UUID) -> Response:
        return Response(WebhookSerializer(_found(uuid)).data)

    @extend_schema(
        operation_id="put_webhook",
        summary="Change a webhook",
        request=WebhookSerializer(partial=True),
        responses=WebhookSerializer,
    )
    def put(self, request: Request, uuid: UUID) -> Response:
        """Members that are left out stay. Enabling it forgets its failures."""
        facts = WebhookSerializer(data=request.data, partial=True)
        facts.is_valid(raise_exception=True)
        given = facts.validated_data
        webhook = webhooks.change(
            _found(uuid),
            name=given.get("name"),
            url=given.get("url"),
            chosen=given.get("event_types"),
            is_enabled=given.get("is_enabled"),
            actor=_actor(request),
            now=timezone.now(),
        )
        return Response(WebhookSerializer(webhook).data)

    @extend_schema(
        operation_id="delete_webhook",
        summary="Delete a webhook",
        responses={200: WebhookSerializer},
    )
    def delete(self, request: Request, uuid: UUID) -> Response:
        """With what waits for it; answers with what it was."""
        webhook = _found(uuid)
        told = WebhookSerializer(webhook).data
        webhooks.delete(webhook, actor=_actor(request), now=timezone.now())
        return Response(told)


class RotateWebhookView(APIView):
    required_scope = "webhooks:write"

    @extend_schema(
        operation_id="rotate_webhook",
        summary="Make a new secret",
        request=None,
        responses=NewWebhookSerializer,
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """For seven days messages bear two signatures, by the new and the old secret."""
        webhook = _found(uuid)
        secret = webhooks.rotate(webhook, actor=_actor(request), now=timezone.now())
        return _with_secret(webhook, secret)


class TestWebhookView(APIView):
    required_scope = "webhooks:write"

    @extend_schema(
        operation_id="test_webhook",
        summary="Send a test",
        request=None,
        responses=WebhookDeliverySerializer,
    )
    def post(self, _request: Request, uuid: UUID) -> Response:
        """Posts `webhook.test` at once, once, and answers with what came of it."""
        delivery = webhooks.test_message(_found(uuid), now=timezone.now())
        posting.send_now(delivery, timezone.now())
        return Response(WebhookDeliverySerializer(_deliveries().get(pk=delivery.pk)).data)


class DeliveriesView(APIView):
    required_scope = "webhooks"

    @extend_schema(
        operation_id="webhook_deliveries",
        summary="What was sent to a webhook",
        parameters=[
            *paging.PARAMETERS,
            OpenApiParameter("state", str, enum=[value for value, _label in STATES]),
        ],
        responses=WebhookDeliveryPageSerializer,
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """The newest first, for 30 days."""
        rows = _deliveries().filter(webhook=_found(uuid))
        if state := request.query_params.get("state", ""):
            rows = rows.filter(state=serializers.ChoiceField(STATES).run_validation(state))
        return Response(
            paging.page(
                rows,
                request.query_params,
                lambda found: WebhookDeliverySerializer(found, many=True).data,
            )
        )


class ReplayView(APIView):
    required_scope = "webhooks:write"

    @extend_schema(
        operation_id="replay_webhook",
        summary="Send messages again",
        request=WebhookReplaySerializer,
        responses=WebhookReplayedSerializer,
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """Under the same ids, with all their attempts."""
        facts = WebhookReplaySerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        webhook, now = _found(uuid), timezone.now()
        if since := facts.validated_data.get("since"):
            return Response({"replayed": webhooks.replay_failed(webhook, since=since, now=now)})
        one = facts.validated_data["deliveryId"]
        webhooks.replay(get_object_or_404(webhook.deliveries, uuid=one), now=now)
        return Response({"replayed": 1})


def _found(uuid: UUID) -> Webhook:
    return get_object_or_404(Webhook, uuid=uuid)


def _deliveries() -> Any:
    attempts = Prefetch("attempts", WebhookAttempt.objects.order_by("pk"))
    return WebhookDelivery.objects.select_related("message").prefetch_related(attempts)


def _with_secret(webhook: Webhook, secret: str) -> Response:
    """The webhook with its secret; what is kept for a repeat of the request has none."""
    told = WebhookSerializer(webhook).data
    return keep_as(Response({**told, "secret": secret}), {**told, "secret": None})


def _actor(request: Request) -> str:
    return f"key:{key_of(request).pk}"
