"""Products in and out: the shop's server states them, one or a thousand at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.fields import Flag, FreeText, Text
from privacy.models import Shop
from profiles.api.identifiers import checked, in_path
from profiles.api.orders import Amount, Currency
from profiles.money import to_minor
from recommendations import catalogue
from recommendations.catalogue import ProductFacts
from recommendations.catalogue_writing import merge_offers
from recommendations.feeds.rows import LONGEST_LINK, MOST_IMAGES, MOST_STOCK, is_gtin
from recommendations.models import Availability, Offer, Product

MAX_BATCH = 1_000
MAX_OFFERS = 100
MAX_SPECS = 200
MAX_TAGS = 100
PRODUCT = in_path("product_id", "tv-55")


class Gtin(Text):
    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not is_gtin(text):
            raise serializers.ValidationError(_("The check digit is wrong."), "invalid_gtin")
        return text


class SoldSerializer(serializers.Serializer[Any]):
    """What is told of a product in the shop and of one in a country alike."""

    price = Amount(source="price_minor", required=False, allow_null=True, default=None)
    listPrice = Amount(
        source="list_price_minor",
        required=False,
        allow_null=True,
        default=None,
        help_text="What the price is reduced from.",
    )
    availability = serializers.ChoiceField(
        choices=Availability.choices, required=False, allow_blank=True, default=""
    )
    stock = serializers.IntegerField(
        min_value=0, max_value=MOST_STOCK, required=False, allow_null=True, default=None
    )
    link = serializers.URLField(max_length=LONGEST_LINK, allow_blank=True, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        price, before = attrs["price_minor"], attrs["list_price_minor"]
        if before is not None and (price is None or before < price):
            detail = _("It is what the price is reduced from, so not below it.")
            raise serializers.ValidationError({"listPrice": detail}, "list_price_below_price")
        return attrs


class OfferSerializer(SoldSerializer):
    country = serializers.RegexField(r"^[A-Z]{2}$", help_text="ISO 3166, such as DE.")
    currency = Currency()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # Each country has money of its own.
        self._context = {**self.context, "currency": instance.currency}
        return super().to_representation(instance)


class ProductSerializer(SoldSerializer):
    id = serializers.CharField(source="product_id", read_only=True)
    title = FreeText(max_length=200)
    category = Text(max_length=100, allow_blank=True, default="")
    brand = Text(max_length=100, allow_blank=True, default="")
    description = FreeText(max_length=20_000, allow_blank=True, default="")
    translations = serializers.DictField(
        child=serializers.DictField(child=FreeText(max_length=20_000, allow_blank=True)),
        required=False,
        default=dict,
        help_text='Title, description and category by language: {"zh-hans": {"title": "…"}}.',
    )
    specs = serializers.DictField(
        required=False,
        default=dict,
        help_text="Specifications; those that decide what fits stand in the reference.",
    )
    currency = serializers.CharField(read_only=True, help_text="The shop's.")
    cost = Amount(source="cost_minor", required=False, allow_null=True, default=None)
    gtin = Gtin(max_length=14, allow_blank=True, default="")
    mpn = Text(max_length=70, allow_blank=True, default="")
    condition = serializers.ChoiceField(
        choices=Product.Condition.choices, required=False, allow_blank=True, default=""
    )
    family = Text(
        max_length=100, allow_blank=True, default="", help_text="Merchant's item_group_id."
    )
    accessoryFor = serializers.ListField(
        source="accessory_for",
        child=Text(max_length=100),
        max_length=100,
        default=list,
        help_text="Categories of devices.",
    )
    fitsProducts = serializers.ListField(
        source="fits_products",
        child=Text(max_length=100),
        max_length=1_000,
        default=list,
        help_text="Ids of devices it is known to fit.",
    )
    tags = serializers.ListField(
        child=Text(max_length=100),
        max_length=MAX_TAGS,
        default=list,
        help_text="Words of the shop's own, for rules of placements.",
    )
    imageUrl = serializers.URLField(
        source="image_url", max_length=LONGEST_LINK, allow_blank=True, default=""
    )
    images = serializers.ListField(
        child=serializers.URLField(max_length=LONGEST_LINK), max_length=MOST_IMAGES, default=list
    )
    isActive = Flag(source="is_active", default=True)
    isConsumable = Flag(
        source="is_consumable", default=False, help_text="Whether it is bought again and again."
    )
    offers: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=OfferSerializer(),
        required=False,
        max_length=MAX_OFFERS,
        help_text="In countries; of those not named nothing changes.",
    )

    def validate_specs(self, value: dict[str, Any]) -> dict[str, Any]:
        if len(value) > MAX_SPECS:
            raise serializers.ValidationError(_("Too many specifications."), "max_length")
        return value


class NamedProductSerializer(ProductSerializer):
    id = Text(source="product_id", max_length=100)


class ProductBatchSerializer(serializers.Serializer[Any]):
    products: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=NamedProductSerializer(), allow_empty=False, max_length=MAX_BATCH
    )

    def validate_products(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for product in value:
            checked(product["product_id"])
        return value


class ProductBatchResultSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class ProductView(APIView):
    required_scope = "products"

    @extend_schema(
        operation_id="product",
        summary="A product",
        parameters=[PRODUCT],
        responses=ProductSerializer,
    )
    def get(self, _request: Request, product_id: str) -> Response:
        return _told(checked(product_id))

    @extend_schema(
        operation_id="put_product",
        summary="State a product",
        parameters=[PRODUCT],
        request=ProductSerializer,
        responses=ProductSerializer,
    )
    def put(self, request: Request, product_id: str) -> Response:
        """The whole of it: what is left out becomes empty. Offers are added by country."""
        facts = ProductSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        _state([facts.validated_data | {"product_id": checked(product_id)}])
        return _told(product_id)


class ProductBatchView(APIView):
    required_scope = "products:write"

    @extend_schema(
        operation_id="put_products",
        summary="State up to 1000 products",
        request=ProductBatchSerializer,
        responses=ProductBatchResultSerializer,
    )
    def post(self, request: Request) -> Response:
        """All of them or, if one is not valid, none; of an id that comes twice the last counts."""
        facts = ProductBatchSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        stated = facts.validated_data["products"]
        done = _state(stated)
        n_ids = len({product["product_id"] for product in stated})
        return Response(
            {
                "created": done.n_created,
                "changed": done.n_updated,
                "unchanged": n_ids - done.n_created - done.n_updated,
            }
        )


@transaction.atomic
def _state(stated: Sequence[dict[str, Any]]) -> catalogue.Upserted:
    currency, now = Shop.current().currency, timezone.now()
    offers: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    products = []
    for told in stated:
        facts = dict(told)
        for offer in facts.pop("offers", ()):
            sold = _in_minor(offer, offer["currency"])
            country = sold.pop("country")
            offers[country][facts["product_id"]] = sold
        products.append(ProductFacts(**_in_minor(facts, currency)))
    done = catalogue.upsert(products, now=now)
    for country, of_country in sorted(offers.items()):
        merge_offers(country, of_country, now=now)
    return done


def _in_minor(facts: dict[str, Any], currency: str) -> dict[str, Any]:
    amounts = {
        name: to_minor(value, currency)
        for name, value in facts.items()
        if name.endswith("_minor") and isinstance(value, Decimal)
    }
    return {**facts, **amounts}


def _told(product_id: str) -> Response:
    offers = Prefetch("offers", Offer.objects.order_by("country"), to_attr="listed")
    product = get_object_or_404(Product.objects.prefetch_related(offers), product_id=product_id)
    currency = Shop.current().currency
    told = {field.attname: getattr(product, field.attname) for field in product._meta.fields}
    told |= {"currency": currency, "offers": getattr(product, "listed")}  # noqa: B009
    return Response(ProductSerializer(told, context={"currency": currency}).data)
