"""Orders in and out: the shop's server states them, as often and as late as it likes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.authentication import key_of
from privacy.api.fields import FreeText, Moment, Text
from privacy.problems import DomainError
from profiles.api.identifiers import CustomerId, checked, in_path, refuse_telling
from profiles.models import Order, OrderLine
from profiles.money import EXPONENTS, UnknownCurrencyError, exponent, from_minor, to_minor
from profiles.orders import ordering
from profiles.orders.ordering import LineState, OrderState, RefundState
from profiles.orders.parsing import MAX_PRICE, MAX_QUANTITY

MAX_BATCH = 1_000
MAX_LINES = 1_000
# A shop's clock may be ahead of ours; what it tells of the next moments is of now.
CLOCKS_DIFFER = timedelta(minutes=5)
AMOUNT = r"^\d{1,15}(\.\d{1,3})?$"
NUMBER = in_path("number", "A-2041")


@extend_schema_field({"type": "string", "enum": sorted(EXPONENTS)})
class Currency(Text):
    """A code of ISO 4217."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            exponent(text)
        except UnknownCurrencyError as error:
            raise serializers.ValidationError(error.detail, error.code) from None
        return text


@extend_schema_field({"type": "string", "format": "decimal", "pattern": AMOUNT})
class Amount(serializers.DecimalField):
    """Money: a decimal string outside, minor units inside; the context names the currency."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            max_digits=18, decimal_places=3, min_value=Decimal(0), max_value=MAX_PRICE, **options
        )

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        # Only null is no amount; REST framework would take an empty text for it too.
        return serializers.Field.validate_empty_values(self, data)

    def to_internal_value(self, data: Any) -> Decimal:
        # One below zero is an amount, and refused as such.
        if not isinstance(data, str) or not re.match(AMOUNT, data.removeprefix("-"), re.ASCII):
            raise serializers.ValidationError(_("Write an amount as text, such as 19.99."))
        return super().to_internal_value(data)

    def to_representation(self, value: Any) -> str:
        currency = self.context["currency"]
        return f"{from_minor(int(value), currency):.{exponent(currency)}f}"


class NotLater:
    """A moment that lies no further ahead than clocks differ; the context tells `now`."""

    requires_context = True

    def __call__(self, value: datetime, field: serializers.Field[Any, Any, Any, Any]) -> None:
        if value > field.context["now"] + CLOCKS_DIFFER:
            raise serializers.ValidationError(_("This lies in the future."), "in_future")


class LineSerializer(serializers.Serializer[Any]):
    productId = Text(source="product_id", max_length=100, validators=[refuse_telling])
    title = FreeText(max_length=200, required=False, default="", allow_blank=True)
    category = FreeText(max_length=100, required=False, default="", allow_blank=True)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    unitPrice = Amount(source="unit_price_minor", help_text="Of one, net of tax.")
    discount = Amount(
        source="discount_minor",
        required=False,
        help_text="On the whole line; read back, it holds the line's share of the order's.",
    )
    total = Amount(source="total_minor", read_only=True)
    refundedQuantity = serializers.IntegerField(source="refunded_quantity", read_only=True)
    refunded = Amount(source="refunded_minor", read_only=True)


class RefundSerializer(serializers.Serializer[Any]):
    id = Text(max_length=160, validators=[refuse_telling], help_text="Counted once per order.")
    refundedAt = Moment(source="refunded_at", validators=[NotLater()])
    amount = Amount(required=False, help_text="Without it, all that is left.")
    productId = Text(
        source="product_id", max_length=100, required=False, validators=[refuse_telling]
    )
    quantity = serializers.IntegerField(min_value=0, max_value=MAX_QUANTITY, default=0)


class OrderSerializer(serializers.Serializer[Any]):
    number = serializers.CharField(read_only=True)
    customerId = CustomerId(
        source="customer.external_id",
        allow_null=True,
        default=None,
        help_text="Empty for a guest order.",
    )
    status = serializers.ChoiceField(choices=Order.Status.choices, default=Order.Status.PAID)
    placedAt = Moment(source="placed_at", validators=[NotLater()])
    updatedAt = Moment(
        source="stated_at",
        required=False,
        help_text="When the shop came to this state; an older one that comes late is ignored.",
    )
    currency = Currency()
    country = FreeText(max_length=60, default="", allow_blank=True)
    coupon = Text(max_length=60, default="", allow_blank=True, validators=[refuse_telling])
    tax = Amount(source="tax_minor", required=False)
    shipping = Amount(source="shipping_minor", required=False)
    discount = Amount(
        write_only=True,
        required=False,
        help_text="Beyond the lines' own; spread over them, so that they add up to the total.",
    )
    discountTotal = Amount(source="discount_minor", read_only=True)
    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=LineSerializer(), allow_empty=False, max_length=MAX_LINES
    )
    refunds: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=RefundSerializer(), write_only=True, required=False, max_length=MAX_LINES
    )
    total = Amount(source="total_minor", read_only=True)
    refunded = Amount(source="refunded_minor", read_only=True)


class NumberedOrderSerializer(OrderSerializer):
    number = Text(max_length=100, validators=[refuse_telling])


class OrderBatchSerializer(serializers.Serializer[Any]):
    orders: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=NumberedOrderSerializer(), allow_empty=False, max_length=MAX_BATCH
    )


class OrderBatchResultSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()


class OrderView(APIView):
    required_scope = "orders"

    @extend_schema(
        operation_id="order",
        summary="An order",
        parameters=[NUMBER],
        responses=OrderSerializer,
    )
    def get(self, _request: Request, number: str) -> Response:
        order = get_object_or_404(Order.objects.select_related("customer"), number=checked(number))
        return _told(order)

    @extend_schema(
        operation_id="put_order",
        summary="State an order",
        parameters=[NUMBER],
        request=OrderSerializer,
        responses=OrderSerializer,
    )
    def put(self, request: Request, number: str) -> Response:
        """Lines are replaced as stated; refunds are added, each id once."""
        refuse_telling(checked(number))
        now = timezone.now()
        facts = OrderSerializer(data=request.data, context={"now": now})
        facts.is_valid(raise_exception=True)
        state = _state(facts.validated_data, number=number, now=now)
        [order] = ordering.upsert([state], source_id=key_of(request).source_id, now=now)
        return _told(order)


class OrderBatchView(APIView):
    required_scope = "orders:write"

    @extend_schema(
        operation_id="put_orders",
        summary="State up to 1000 orders",
        request=OrderBatchSerializer,
        responses=OrderBatchResultSerializer,
    )
    def post(self, request: Request) -> Response:
        """All of them or, if one is not valid, none."""
        now = timezone.now()
        facts = OrderBatchSerializer(data=request.data, context={"now": now})
        facts.is_valid(raise_exception=True)
        states = [
            _state(order, number=order["number"], now=now, place=f"/orders/{index}")
            for index, order in enumerate(facts.validated_data["orders"])
        ]
        orders = ordering.upsert(states, source_id=key_of(request).source_id, now=now)
        return Response({"accepted": len(orders)})


def _told(order: Order) -> Response:
    """The order with its lines as they were stated, one after the other."""
    prefetch_related_objects(
        [order], Prefetch("lines", OrderLine.objects.order_by("position", "pk"))
    )
    return Response(OrderSerializer(order, context={"currency": order.currency}).data)


def _state(facts: dict[str, Any], *, number: str, now: datetime, place: str = "") -> OrderState:
    """The order that `facts` state; a refusal points into the body, where they stand at `place`."""
    try:
        return _as_stated(facts, number=number, now=now)
    except DomainError as error:
        pointer = place + error.pointer
        raise DomainError(error.code, error.detail, pointer=pointer) from error


def _as_stated(facts: dict[str, Any], *, number: str, now: datetime) -> OrderState:
    currency = facts["currency"]

    def minor(node: dict[str, Any], name: str) -> int:
        return to_minor(node.get(name, Decimal(0)), currency)

    return OrderState(
        number=number,
        # A clock that is ahead must not make every later state an older one.
        stated_at=min(facts.get("stated_at", now), now),
        placed_at=min(facts["placed_at"], now),
        currency=currency,
        customer_id=facts["customer"]["external_id"] or "",
        status=facts["status"],
        country=facts["country"],
        coupon=facts["coupon"],
        tax_minor=minor(facts, "tax_minor"),
        shipping_minor=minor(facts, "shipping_minor"),
        discount_minor=minor(facts, "discount"),
        lines=tuple(
            LineState(
                product_id=line["product_id"],
                quantity=line["quantity"],
                unit_price_minor=minor(line, "unit_price_minor"),
                discount_minor=minor(line, "discount_minor"),
                title=line["title"],
                category=line["category"],
            )
            for line in facts["lines"]
        ),
        refunds=tuple(
            RefundState(
                key=refund["id"],
                refunded_at=min(refund["refunded_at"], now),
                amount_minor=minor(refund, "amount") if "amount" in refund else None,
                product_id=refund.get("product_id", ""),
                quantity=refund["quantity"],
            )
            for refund in facts.get("refunds", ())
        ),
    )
