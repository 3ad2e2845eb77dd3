"""Traits by API: what there is to know of customers, and own traits declared without code."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.encoding import force_str
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.authentication import key_of
from privacy.api.fields import Text
from profiles import custom_traits
from profiles.features.vocabulary import TRAITS, Trait
from profiles.models import CustomTrait
from profiles.trait_words import WORDS


@extend_schema_field({"type": "string", "pattern": f"^{custom_traits.NAME.pattern}$"})
class TraitName(Text):
    """The name of a trait in rules; `custom_traits.check` says what is wrong with one."""


@extend_schema_field({"type": "string", "pattern": f"^{custom_traits.PROPERTY.pattern}$"})
class PropertyPath(Text):
    """Where in an event the value stands; `custom_traits.check` says what is wrong with one."""


class TraitSerializer(serializers.Serializer[Any]):
    """An own trait; `custom_traits.check` refuses what cannot stand, so each text may come here."""

    name = TraitName(max_length=40, help_text="a-z, 0-9 and _; never changes.")
    label: serializers.CharField = Text(max_length=60)  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=CustomTrait.Kind.choices, default="number")
    unit = Text(max_length=20, allow_blank=True, default="")
    dataClass = serializers.ChoiceField(
        source="data_class", choices=CustomTrait.DataClass.choices, default="browsing"
    )
    event = Text(max_length=200, help_text="The name of a tracked event.")
    property = PropertyPath(
        source="property_path",
        max_length=100,
        allow_blank=True,
        default="",
        help_text="Such as price or product.brand; may be empty for a count.",
    )
    aggregate = serializers.ChoiceField(choices=CustomTrait.Aggregate.choices)
    windowDays = serializers.IntegerField(
        source="window_days",
        min_value=1,
        max_value=custom_traits.MOST_DAYS,
        allow_null=True,
        default=None,
        help_text="Null: all there is.",
    )


class ChangedTraitSerializer(TraitSerializer):
    """A change names no trait: the address does."""

    name = None  # type: ignore[assignment]


class OwnTraitSerializer(TraitSerializer):
    meaning = serializers.CharField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    isFilled = serializers.BooleanField(
        read_only=True, help_text="Whether every customer has the value of this version."
    )


class BuiltInSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label: serializers.CharField = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.CharField()
    unit = serializers.CharField()
    dataClass = serializers.CharField()
    madeFrom = serializers.CharField()
    windowDays = serializers.IntegerField(allow_null=True)
    meaning = serializers.CharField()


class VocabularySerializer(serializers.Serializer[Any]):
    builtIn = BuiltInSerializer(many=True)
    own = OwnTraitSerializer(many=True)


class ValueSerializer(serializers.Serializer[Any]):
    customer = serializers.CharField()
    value: serializers.Field[Any, Any, Any, Any] = serializers.JSONField()


class TrialSerializer(serializers.Serializer[Any]):
    meaning = serializers.CharField()
    nEvents = serializers.IntegerField(help_text="The newest events of that name looked at.")
    nTold = serializers.IntegerField(help_text="Of them, with what the trait reads.")
    nOther = serializers.IntegerField(help_text="Of them, with something of another kind there.")
    near = serializers.ListField(child=serializers.CharField(), help_text="Names like it.")
    samples = ValueSerializer(many=True)


class TraitsView(APIView):
    required_scope = "segments"

    @extend_schema(
        operation_id="traits", summary="What is known of customers", responses=VocabularySerializer
    )
    def get(self, _request: Request) -> Response:
        """Every trait, built in or the shop's own, with kind, unit, window and meaning."""
        own = CustomTrait.objects.order_by("name")
        return Response(
            {"builtIn": [_built_in(trait) for trait in TRAITS], "own": [_told(one) for one in own]}
        )

    @extend_schema(
        operation_id="declare_trait",
        summary="Declare an own trait",
        request=TraitSerializer,
        responses=OwnTraitSerializer,
    )
    def post(self, request: Request) -> Response:
        """Its values are made at once in the background, and by every build from then on."""
        facts = _facts(request)
        trait = custom_traits.declare(facts, now=timezone.now(), actor=str(key_of(request)))
        return Response(_told(trait))


class TraitView(APIView):
    required_scope = "segments"

    @extend_schema(operation_id="trait", summary="An own trait", responses=OwnTraitSerializer)
    def get(self, _request: Request, name: str) -> Response:
        return Response(_told(get_object_or_404(CustomTrait, name=name)))

    @extend_schema(
        operation_id="put_trait",
        summary="Change an own trait",
        request=ChangedTraitSerializer,
        responses=OwnTraitSerializer,
    )
    def put(self, request: Request, name: str) -> Response:
        """What decides its values makes another version; the name stays as it is."""
        trait = get_object_or_404(CustomTrait, name=name)
        facts = _facts(request, name=name)
        changed = custom_traits.change(trait, facts, now=timezone.now(), actor=str(key_of(request)))
        return Response(_told(changed))

    @extend_schema(
        operation_id="remove_trait",
        summary="Give up an own trait",
        responses={200: OwnTraitSerializer},
    )
    def delete(self, _request: Request, name: str) -> Response:
        """With its values; answers with what it was. A segment that compares it keeps it."""
        trait = get_object_or_404(CustomTrait, name=name)
        told = _told(trait)
        custom_traits.remove(trait)
        return Response(told)


class PreviewView(APIView):
    required_scope = "segments:read"

    @extend_schema(
        operation_id="preview_trait",
        summary="Try an own trait without keeping it",
        request=TraitSerializer,
        responses=TrialSerializer,
    )
    def post(self, request: Request) -> Response:
        """What the newest events say, and the values of up to five customers."""
        trait = CustomTrait(**_facts(request))
        found = custom_traits.try_out(trait, timezone.now())
        told = {
            "meaning": custom_traits.meaning(trait),
            "nEvents": found.n_events,
            "nTold": found.n_told,
            "nOther": found.n_other,
            "near": list(found.near),
            "samples": [
                {"customer": one.customer.external_id, "value": one.value} for one in found.samples
            ],
        }
        return Response(TrialSerializer(told).data)


def _facts(request: Request, **known: str) -> dict[str, Any]:
    told = request.data
    read = TraitSerializer(data={**told, **known} if isinstance(told, dict) else told)
    read.is_valid(raise_exception=True)
    return dict(read.validated_data)


def _told(trait: CustomTrait) -> dict[str, Any]:
    more = {
        "meaning": custom_traits.meaning(trait),
        "version": trait.version,
        "isFilled": trait.filled_version == trait.version,
    }
    return {**TraitSerializer(trait).data, **more}


def _built_in(trait: Trait) -> dict[str, Any]:
    words = WORDS[trait.name]
    return {
        "name": trait.name,
        "label": force_str(words.label),
        "kind": trait.kind.value,
        "unit": trait.unit,
        "dataClass": trait.data_class.value,
        "madeFrom": trait.made_from.value,
        "windowDays": trait.window_days,
        "meaning": force_str(words.meaning),
    }
