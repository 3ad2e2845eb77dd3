"""Recommendations for a page of the shop: whom it is for, and a full strip with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from privacy import prepared
from privacy.api.authentication import key_of
from privacy.api.browsers import BrowserReachable, VisitorSerializer, require_visitor
from privacy.api.fields import Text
from privacy.models import ApiKey, Shop
from privacy.problems import DomainError
from profiles.api.identifiers import checked, in_path
from profiles.events import visitors
from profiles.models import Customer
from recommendations import offers, placing, serving
from recommendations.api import answers, quick
from recommendations.models import Scenario, TrainingRun
from recommendations.placing import Asked
from recommendations.serving import Recommended

TOGETHER = "bought-together"
NOBODY, MOST = 0, 100


class LookSerializer(serializers.Serializer[Any]):
    n = serializers.IntegerField(min_value=1, max_value=quick.MOST, default=10)
    country = serializers.RegexField(
        r"^([A-Z]{2})?$",
        required=False,
        default="",
        allow_blank=True,
        help_text="Two letters of ISO 3166: its prices, stock and links, where the shop told any.",
    )
    language = serializers.ChoiceField(
        choices=[code for code, _name in settings.LANGUAGES],
        required=False,
        allow_blank=True,
        help_text="Of titles and reasons; without it, what Accept-Language says.",
    )


class AskSerializer(VisitorSerializer, LookSerializer):
    """Members that are empty count as left out."""

    placement = Text(max_length=64, default=quick.PLACEMENT, allow_blank=True)
    productId = Text(
        max_length=100,
        required=False,
        allow_blank=True,
        help_text="The product that the page shows.",
    )
    productIds = Text(
        max_length=2_000,
        required=False,
        allow_blank=True,
        help_text="The products in the cart, with commas between; of a customer's open cart"
        " they are known.",
    )


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    text = serializers.CharField()
    basedOn = serializers.ListField(child=serializers.CharField())


class ShownProductSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    category = serializers.CharField()
    price = serializers.CharField(allow_null=True, help_text="A decimal string.")
    currency = serializers.CharField()
    imageUrl = serializers.CharField()
    link = serializers.CharField()


class ItemSerializer(serializers.Serializer[Any]):
    productId = serializers.CharField()
    position = serializers.IntegerField(help_text="From 1.")
    score = serializers.FloatField()
    reason = ReasonSerializer()
    product = ShownProductSerializer()


class ModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()


class RecommendationsSerializer(serializers.Serializer[Any]):
    recommendationId = serializers.UUIDField(help_text="Send it back with views and clicks.")
    placement = serializers.CharField()
    model = ModelSerializer()
    items = ItemSerializer(many=True)
    fallback = serializers.BooleanField(help_text="Whether something else fills a place.")
    filledWith = serializers.ListField(
        child=serializers.CharField(),
        help_text="What fills the places that the placement left free: `for_you`, `popular`, `new`.",
    )


class BatchSerializer(LookSerializer):
    placement = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="Whose rules hold; without one, each customer's own list is given.",
    )
    userIds = serializers.ListField(child=Text(max_length=100), min_length=1, max_length=MOST)


class OfUserSerializer(serializers.Serializer[Any]):
    userId = serializers.CharField()
    recommendationId = serializers.UUIDField(help_text="Send it back with views and clicks.")
    model = ModelSerializer()
    items = ItemSerializer(many=True)
    fallback = serializers.BooleanField(help_text="Whether something else fills a place.")
    filledWith = serializers.ListField(child=serializers.CharField())


class BatchAnswerSerializer(serializers.Serializer[Any]):
    data = OfUserSerializer(many=True)  # type: ignore[assignment]


class RecommendationsView(BrowserReachable):
    required_scope = quick.SCOPE

    @extend_schema(
        operation_id="recommendations",
        summary="Products for a visitor",
        parameters=[AskSerializer],
        responses=RecommendationsSerializer,
    )
    def get(self, request: Request) -> HttpResponse:
        return _recommend(request, request.query_params.dict())

    @extend_schema(
        operation_id="ask_recommendations",
        summary="Products for a visitor",
        request=AskSerializer,
        responses=RecommendationsSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        """The same, for clients that do not put ids into addresses."""
        return _recommend(request, request.data)


class BatchView(APIView):
    required_scope = "recommendations:read"

    @extend_schema(
        operation_id="batch_recommendations",
        summary="Products for up to 100 customers, for messages",
        request=BatchSerializer,
        responses=BatchAnswerSerializer,
    )
    def post(self, request: Request) -> HttpResponse:
        """For a secret key. Of each id in its order; one nobody knows gets what is popular."""
        if key_of(request).kind != ApiKey.Kind.SECRET:
            detail = _("Lists of many customers are for a secret key.")
            raise DomainError("wrong_kind_of_key", detail, status=HTTPStatus.FORBIDDEN)
        ask = BatchSerializer(data=request.data)
        ask.is_valid(raise_exception=True)
        ids = list(dict.fromkeys(ask.validated_data["userIds"]))
        known = Customer.objects.filter(external_id__in=ids)
        pk_of = dict(known.values_list("external_id", "pk"))
        facts, currency, data = ask.validated_data, Shop.current().currency, []
        lists = [(uuid4(), *one) for one in _lists([pk_of.get(id_) for id_ in ids], facts)]
        answers.note(
            ((new, items, run) for new, items, run, _filled in lists),
            placement=facts.get("placement") or quick.PLACEMENT,
        )
        for id_, (new, items, run, filled_with) in zip(ids, lists, strict=True):
            shown = offers.priced(items, facts["country"])
            told = answers.told(new, shown, run, filled_with=filled_with, currency=currency)
            data.append({"userId": id_, **told})
        return answers.as_json({"data": data})


class SimilarView(BrowserReachable):
    required_scope = "recommendations:read"

    @extend_schema(
        operation_id="similar_products",
        summary="Products that are bought together with one",
        parameters=[in_path("product_id", "tv-55"), LookSerializer],
        responses=RecommendationsSerializer,
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        look = LookSerializer(data=request.query_params.dict())
        look.is_valid(raise_exception=True)
        served = serving.similar(
            checked(product_id), n=look.validated_data["n"], language=_language(look.validated_data)
        )
        return answers.answer(
            offers.priced(served.items, look.validated_data["country"]),
            served.run,
            placement="similar",
            filled_with=_popular(served.fallback),
            is_noted=_is_noted(request),
        )


class BoughtTogetherView(BrowserReachable):
    required_scope = "recommendations:read"

    @extend_schema(
        operation_id="bought_together",
        summary="Products of any category that are bought together with one",
        parameters=[in_path("product_id", "tv-55"), LookSerializer],
        responses=RecommendationsSerializer,
    )
    def get(self, request: Request, product_id: str) -> HttpResponse:
        """Under the rules of the placement `bought-together`, if the shop made one."""
        look = LookSerializer(data=request.query_params.dict())
        look.is_valid(raise_exception=True)
        scenario = Scenario.objects.at(TOGETHER) or Scenario(
            placement=TOGETHER, kind=Scenario.Kind.TOGETHER
        )
        asked = Asked(
            product_ids=(checked(product_id),),
            n=look.validated_data["n"],
            language=_language(look.validated_data),
        )
        country = look.validated_data["country"]
        return _placed(scenario, asked, country, is_noted=_is_noted(request))


Listed = tuple[list[Recommended], TrainingRun | None, tuple[str, ...]]


def _lists(customers: Sequence[int | None], facts: dict[str, Any]) -> list[Listed]:
    """A list for each customer, under the rules of the placement if one is named and there."""
    n, language = facts["n"], _language(facts)
    if scenario := Scenario.objects.at(facts.get("placement", "")):
        asked = [Asked(pk, n=n, language=language) for pk in customers]
        placed = placing.place_many(scenario, asked, now=timezone.now(), country=facts["country"])
        return [(one.items, one.run, one.filled_with) for one in placed]
    known = [NOBODY if pk is None else pk for pk in customers]
    served = serving.for_many(set(known), n=n, language=language)
    found = [served[pk] for pk in known]
    return [(one.items, one.run, _popular(one.fallback)) for one in found]


def _recommend(request: Request, given: Any) -> HttpResponse:
    ask = AskSerializer(data=given)
    ask.is_valid(raise_exception=True)
    facts = ask.validated_data
    key, now = key_of(request), timezone.now()
    require_visitor(key, facts, now=now)
    language = _language(facts)
    placement, is_noted = facts["placement"] or quick.PLACEMENT, _is_noted(request)
    scenario = Scenario.objects.at(placement)
    if scenario is None and prepared.is_possible():
        with translation.override(language):
            found = quick.read(facts, language=language, now=now, is_noted=is_noted)
            if found is not None:
                return found
    visitor = visitors.find(
        user_id=facts.get("userId", ""), anonymous_id=facts.get("anonymousId", ""), now=now
    )
    shown = (facts["productId"],) if facts.get("productId") else ()
    if scenario:
        in_cart = (id_.strip() for id_ in facts.get("productIds", "").split(","))
        asked = Asked(
            customer_pk=visitor.customer_pk,
            product_ids=(*shown, *filter(None, in_cart)),
            recent_product_ids=visitor.recent_product_ids,
            n=facts["n"],
            language=language,
        )
        return _placed(scenario, asked, facts["country"], is_noted=is_noted)
    served = serving.for_customer(
        visitor.customer_pk,
        n=facts["n"],
        language=language,
        recent_product_ids=(*shown, *visitor.recent_product_ids),
    )
    return answers.answer(
        offers.priced(served.items, facts["country"]),
        served.run,
        placement=placement,
        filled_with=_popular(served.fallback),
        is_noted=is_noted,
    )


def _is_noted(request: Request) -> bool:
    """Whether the list is offered to a visitor: a test key changes nothing, and HEAD shows nothing."""
    return request.method != "HEAD" and not key_of(request).is_test


def _placed(scenario: Scenario, asked: Asked, country: str, *, is_noted: bool) -> HttpResponse:
    placed = placing.place(scenario, asked, now=timezone.now(), country=country)
    return answers.answer(
        offers.priced(placed.items, country),
        placed.run,
        placement=scenario.placement,
        filled_with=placed.filled_with,
        is_noted=is_noted,
    )


def _popular(is_filled: bool) -> tuple[str, ...]:  # noqa: FBT001
    return (placing.POPULAR,) if is_filled else ()


def _language(facts: dict[str, Any]) -> str:
    return str(facts.get("language") or translation.get_language() or settings.LANGUAGE_CODE)
