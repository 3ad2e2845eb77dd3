"""Transactional messages and coupons by API, for the shop's server."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import coupons, service
from campaigns.models import Coupon, Delivery, ServiceMessage
from privacy.api.authentication import key_of
from privacy.api.fields import Text
from profiles.api.identifiers import CustomerId

IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},  # as `privacy.idempotency` takes it
    OpenApiParameter.HEADER,
    description="Names the call: repeated with it, the message is not sent a second time.",
)


class MessageSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uuid", read_only=True)
    template = Text(source="delivery.campaign.key", max_length=64, help_text="The message's key.")
    customerId = CustomerId(source="delivery.customer.external_id")
    locale = Text(
        source="delivery.locale",
        max_length=12,
        required=False,
        default="",
        allow_blank=True,
        help_text="Of the customer, without it.",
    )
    data = serializers.DictField(  # type: ignore[assignment]  # the wire's name
        required=False, write_only=True, help_text="What the template names as data.…; kept sealed."
    )
    state = serializers.ChoiceField(
        source="delivery.state", choices=Delivery.State.choices, read_only=True
    )
    reason = serializers.CharField(
        source="delivery.reason",
        read_only=True,
        help_text="The rule that skipped it, or what the mail server said; else empty.",
    )
    createdAt = serializers.DateTimeField(source="asked_at", read_only=True)
    sentAt = serializers.DateTimeField(source="delivery.sent_at", read_only=True, allow_null=True)

    def to_internal_value(self, data: Any) -> Any:
        """Refuse files: a letter that says "attached" shall not go out without them."""
        if isinstance(data, Mapping) and data.get("attachments"):
            told = gettext("Messages take no attachments; put a link to the file into data.")
            raise serializers.ValidationError({"attachments": [told]}, "no_attachments")
        return super().to_internal_value(data)


class RedeemSerializer(serializers.Serializer[Any]):
    orderId = Text(max_length=100)


class CouponSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    campaignId = serializers.UUIDField(source="delivery.campaign.uuid")
    customerId = serializers.CharField(source="delivery.customer.external_id")
    isValid = serializers.SerializerMethodField(help_text="Whether it can still be used.")
    redeemedAt = serializers.DateTimeField(source="redeemed_at", allow_null=True)
    orderId = serializers.CharField(source="order_number")

    def get_isValid(self, coupon: Coupon) -> bool:  # noqa: N802 -- the wire's name
        return coupon.redeemed_at is None


class MessagesView(APIView):
    required_scope = "messages:write"

    @extend_schema(
        operation_id="send_message",
        summary="Send a transactional message",
        parameters=[IDEMPOTENCY],
        request=MessageSerializer,
        responses={202: MessageSerializer},
    )
    def post(self, request: Request) -> Response:
        """To one customer, about their own order or account: no consent is asked, no cap counts.

        It goes out within seconds, at least once; `Location` is where its state can be read.
        """
        facts = MessageSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        given = facts.validated_data["delivery"]
        name = request.headers.get("Idempotency-Key", "")
        message = service.ask(
            given["campaign"]["key"],
            given["customer"]["external_id"],
            data=facts.validated_data.get("data", {}),
            locale=given["locale"],
            once=f"{key_of(request).source_id}:{name}" if name else "",
            now=timezone.now(),
        )
        return Response(
            MessageSerializer(message).data,
            status=HTTPStatus.ACCEPTED,
            headers={"Location": reverse("message", args=[message.uuid])},
        )


class MessageView(APIView):
    required_scope = "messages:read"

    @extend_schema(
        operation_id="message", summary="What became of a message", responses=MessageSerializer
    )
    def get(self, _request: Request, uuid: UUID) -> Response:
        return Response(MessageSerializer(_message(uuid)).data)


class ValidateView(APIView):
    required_scope = "campaigns:read"

    @extend_schema(
        operation_id="validate_coupon",
        summary="Whether a coupon can be used",
        request=None,
        responses=CouponSerializer,
    )
    def post(self, _request: Request, code: str) -> Response:
        return Response(CouponSerializer(coupons.find(code)).data)


class RedeemView(APIView):
    required_scope = "orders:write"

    @extend_schema(
        operation_id="redeem_coupon",
        summary="Use a coupon for an order",
        request=RedeemSerializer,
        responses=CouponSerializer,
    )
    def post(self, request: Request, code: str) -> Response:
        """Good for one order; again for the same order it changes nothing."""
        facts = RedeemSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        order = facts.validated_data["orderId"]
        coupon = coupons.redeem(code, order_number=order, now=timezone.now())
        return Response(CouponSerializer(coupon).data)


def _message(uuid: UUID) -> ServiceMessage:
    if (found := service.find(uuid)) is None:
        raise Http404
    return found
