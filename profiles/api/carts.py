"""Carts in and out: the shop's server states them, and brings them back by a token."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.authentication import key_of
from privacy.api.fields import FreeText, Moment, Text
from profiles.api.identifiers import CustomerId, checked, in_path, refuse_telling
from profiles.api.orders import Amount, Currency
from profiles.events.sealing import opaque
from profiles.models import Cart, CartLine
from profiles.money import to_minor
from profiles.orders import carts
from profiles.orders.carts import CartState, Item
from profiles.orders.parsing import MAX_QUANTITY

CART = in_path("cart_id", "cart-77")


class CartLineSerializer(serializers.Serializer[Any]):
    productId = Text(source="product_id", max_length=100, validators=[refuse_telling])
    title = FreeText(max_length=200, required=False, default="", allow_blank=True)
    category = FreeText(max_length=100, required=False, default="", allow_blank=True)
    quantity = serializers.IntegerField(min_value=1, max_value=MAX_QUANTITY)
    unitPrice = Amount(source="unit_price_minor", help_text="Of one, net of tax.")


class CartSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="cart_id", read_only=True)
    customerId = CustomerId(source="customer.external_id", allow_null=True, default=None)
    anonymousId = Text(source="anonymous_id", max_length=200, default="", allow_blank=True)
    state = serializers.ChoiceField(choices=Cart.State.choices, read_only=True)
    currency = Currency()
    lines: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=CartLineSerializer(),
        max_length=carts.MAX_LINES,
        help_text="All of them; none empties the cart.",
    )
    total = Amount(source="total_minor", read_only=True)
    updatedAt = Moment(
        source="changed_at",
        required=False,
        help_text="When the cart came to this state; an older one that comes late is ignored.",
    )
    openedAt = serializers.DateTimeField(source="opened_at", read_only=True)
    abandonedAt = serializers.DateTimeField(source="abandoned_at", read_only=True, allow_null=True)
    recoveredAt = serializers.DateTimeField(source="recovered_at", read_only=True, allow_null=True)
    orderedAt = serializers.DateTimeField(source="ordered_at", read_only=True, allow_null=True)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown once; it says nothing about anybody.")
    expiresAt = serializers.DateTimeField()


class CartView(APIView):
    required_scope = "orders"

    @extend_schema(
        operation_id="cart", summary="A cart", parameters=[CART], responses=CartSerializer
    )
    def get(self, _request: Request, cart_id: str) -> Response:
        return _told(_cart(cart_id))

    @extend_schema(
        operation_id="put_cart",
        summary="State a cart",
        parameters=[CART],
        request=CartSerializer,
        responses=CartSerializer,
    )
    def put(self, request: Request, cart_id: str) -> Response:
        """The cart holds what is stated; what was bought before keeps its state."""
        refuse_telling(checked(cart_id))
        now = timezone.now()
        facts = CartSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        stated = _state(facts.validated_data, cart_id=cart_id, now=now)
        cart = carts.put(stated, source_id=key_of(request).source_id, now=now)
        return _told(cart)


class TokenView(APIView):
    required_scope = "orders:write"

    @extend_schema(
        operation_id="issue_cart_token",
        summary="A token that brings a cart back",
        parameters=[CART],
        request=None,
        responses=TokenSerializer,
    )
    def post(self, _request: Request, cart_id: str) -> Response:
        """For the link of a message: good for 30 days, and only together with a secret key."""
        token, expires_at = carts.issue_token(_cart(cart_id), now=timezone.now())
        body = TokenSerializer({"token": token, "expiresAt": expires_at}).data
        return Response(body, headers={"Cache-Control": "no-store"})


class RestoreView(APIView):
    required_scope = "orders:read"

    @extend_schema(
        operation_id="restore_cart", summary="The cart behind a token", responses=CartSerializer
    )
    def get(self, _request: Request, token: str) -> Response:
        """For the shop's server, when somebody comes back by a link; it changes nothing."""
        return _told(carts.restore(token, now=timezone.now()))


def _cart(cart_id: str) -> Cart:
    there = Cart.objects.select_related("customer")
    return get_object_or_404(there, cart_id=checked(cart_id))


def _told(cart: Cart) -> Response:
    prefetch_related_objects([cart], Prefetch("lines", CartLine.objects.order_by("pk")))
    return Response(CartSerializer(cart, context={"currency": cart.currency}).data)


def _state(facts: dict[str, Any], *, cart_id: str, now: datetime) -> CartState:
    currency = facts["currency"]
    return CartState(
        cart_id=cart_id,
        # A clock that is ahead must not make every later state an older one.
        stated_at=min(facts.get("changed_at", now), now),
        currency=currency,
        customer_id=facts["customer"]["external_id"] or "",
        anonymous_id=opaque(facts["anonymous_id"]),
        items=tuple(
            Item(
                product_id=line["product_id"],
                quantity=line["quantity"],
                unit_price_minor=to_minor(line.get("unit_price_minor", Decimal(0)), currency),
                title=line["title"],
                category=line["category"],
            )
            for line in facts["lines"]
        ),
    )
