"""Segments by API: rules in, sizes, members and masked samples out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator
from rest_framework.views import APIView

from privacy.api import paging
from privacy.api.authentication import key_of
from privacy.api.fields import Text
from privacy.models import Shop
from profiles import asking, counting, listing, segment_rules, segmentation
from profiles.bulk import planned_for_many
from profiles.models import Customer, Segment, SegmentMember
from profiles.segments.rules import MAX_CONDITIONS

LANGUAGES = ("en", "zh-hans")


@extend_schema_field(
    {
        "type": "object",
        "required": ["rules"],
        "properties": {
            "id": {},
            "path": {},
            "valueSource": {},
            "combinator": {"enum": ["and", "or"], "default": "and"},
            "not": {"type": "boolean", "default": False},
            "rules": {"type": "array", "items": {"type": "object"}, "maxItems": MAX_CONDITIONS},
        },
        "additionalProperties": False,
    }
)
class RuleField(serializers.DictField):
    """A tree of conditions; which fields and operators there are, says the vocabulary."""


class SegmentSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uuid", read_only=True)
    name = Text(max_length=100, validators=[UniqueValidator(Segment.objects.all(), lookup="exact")])
    rule = RuleField(
        help_text="A tree of conditions; of e-mail and phone it comes back with tags, not values."
    )
    words = serializers.DictField(
        child=serializers.CharField(), read_only=True, help_text="The rule in words, by language."
    )
    version = serializers.IntegerField(read_only=True)
    nCustomers = serializers.IntegerField(source="n_customers", read_only=True, allow_null=True)
    reachable = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="Of them, by channel."
    )
    countedAt = serializers.DateTimeField(source="counted_at", read_only=True, allow_null=True)
    filledAt = serializers.DateTimeField(
        source="filled_at",
        read_only=True,
        allow_null=True,
        help_text="When the list that it means was last filled, as by a nightly list of likely"
        " customers; null of a rule.",
    )
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)


class SegmentPageSerializer(serializers.Serializer[Any]):
    data = SegmentSerializer(many=True)  # type: ignore[assignment]  # the wire's name
    next = serializers.CharField(allow_null=True)


class RuleSerializer(serializers.Serializer[Any]):
    rule = RuleField()


class SampleSerializer(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(help_text="Masked.")
    email = serializers.CharField(help_text="Masked.")
    country = serializers.CharField()
    city = serializers.CharField()


class PreviewSerializer(serializers.Serializer[Any]):
    rule = serializers.DictField()
    words = serializers.DictField(child=serializers.CharField())
    nCustomers = serializers.IntegerField(
        source="n_customers", allow_null=True, help_text="Null where `isComplete` is false."
    )
    reachable = serializers.DictField(child=serializers.IntegerField())
    samples = SampleSerializer(many=True, help_text="Up to five of them.")
    isComplete = serializers.BooleanField(
        source="is_complete", help_text="False where counting takes longer than two seconds."
    )


class MemberSerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="external_id")
    enteredAt = serializers.DateTimeField(
        source="entered_at", allow_null=True, help_text="Null until the next refresh."
    )


class MemberPageSerializer(serializers.Serializer[Any]):
    data = MemberSerializer(many=True)  # type: ignore[assignment]  # the wire's name
    next = serializers.CharField(allow_null=True)


class ListSerializer(serializers.Serializer[Any]):
    name = Text(max_length=100)
    customerIds: serializers.ListField = serializers.ListField(
        child=Text(max_length=100, allow_blank=True),
        min_length=1,
        max_length=listing.MAX_IDS,
    )


class ListedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="static_list.uuid")
    segmentId = serializers.UUIDField(source="segment.uuid")
    added = serializers.IntegerField(source="n_added")
    unknown: serializers.ListField = serializers.ListField(
        child=serializers.CharField(), help_text="Ids that no customer has."
    )


class SegmentsView(APIView):
    required_scope = "segments"

    @extend_schema(
        operation_id="segments",
        summary="The segments",
        parameters=paging.PARAMETERS,
        responses=SegmentPageSerializer,
    )
    def get(self, request: Request) -> Response:
        return Response(paging.page(Segment.objects.all(), request.query_params, _told))

    @extend_schema(
        operation_id="create_segment",
        summary="Make a segment",
        request=SegmentSerializer,
        responses=SegmentSerializer,
    )
    def post(self, request: Request) -> Response:
        facts = SegmentSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        now = timezone.now()
        segment = segmentation.create(
            facts.validated_data["name"],
            facts.validated_data["rule"],
            now=now,
            actor=_actor(request),
        )
        asking.ask_for_refresh(segment.pk, now)
        return Response(_told([segment])[0])


class SegmentView(APIView):
    required_scope = "segments"

    @extend_schema(operation_id="segment", summary="A segment", responses=SegmentSerializer)
    def get(self, _request: Request, uuid: UUID) -> Response:
        return Response(_told([get_object_or_404(Segment, uuid=uuid)])[0])

    @extend_schema(
        operation_id="put_segment",
        summary="Change a segment",
        request=SegmentSerializer,
        responses=SegmentSerializer,
    )
    def put(self, request: Request, uuid: UUID) -> Response:
        """Another rule is another version; the ones before are kept."""
        segment = get_object_or_404(Segment, uuid=uuid)
        facts = SegmentSerializer(segment, data=request.data)
        facts.is_valid(raise_exception=True)
        now = timezone.now()
        segmentation.change(
            segment,
            name=facts.validated_data["name"],
            rule=facts.validated_data["rule"],
            now=now,
            actor=_actor(request),
        )
        asking.ask_for_refresh(segment.pk, now)
        return Response(_told([segment])[0])

    @extend_schema(
        operation_id="delete_segment",
        summary="Delete a segment that nothing uses",
        request=None,
        responses={200: SegmentSerializer},
    )
    def delete(self, _request: Request, uuid: UUID) -> Response:
        """A campaign that is not over, and every campaign's own audience, keeps it."""
        segment = get_object_or_404(Segment, uuid=uuid)
        told = _told([segment])[0]
        segmentation.delete(segment)
        return Response(told)


class PreviewView(APIView):
    required_scope = "segments:read"

    @extend_schema(
        operation_id="preview_segment",
        summary="Count a rule without keeping it",
        request=RuleSerializer,
        responses=PreviewSerializer,
    )
    def post(self, request: Request) -> Response:
        """How many a rule means, how many can be reached, and five of them, masked."""
        facts = RuleSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        now = timezone.now()
        rule = segment_rules.stored(facts.validated_data["rule"])
        checked = segment_rules.checked(rule)
        told: dict[str, Any] = {
            "rule": rule,
            "words": _words(rule, segment_rules.names([rule]), Shop.current().currency),
        }
        try:
            with counting.at_most(counting.WAIT):
                size = counting.size(checked, now)
                samples = counting.samples(checked, now)
        except counting.TooLongError:
            told |= {"n_customers": None, "reachable": {}, "samples": [], "is_complete": False}
        else:
            told |= {"n_customers": size.n_customers, "reachable": size.reachable}
            told |= {"samples": samples, "is_complete": True}
        return Response(PreviewSerializer(told).data)


class MembersView(APIView):
    required_scope = "segments:read"

    @extend_schema(
        operation_id="segment_members",
        summary="Who is in a segment now",
        parameters=paging.PARAMETERS,
        responses=MemberPageSerializer,
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        """Customers as the rule finds them at this moment, the newest first."""
        segment = get_object_or_404(Segment, uuid=uuid)
        stays = SegmentMember.objects.filter(
            segment=segment, customer=OuterRef("pk"), left_at__isnull=True
        )
        found: QuerySet[Customer] = segmentation.members(segment.rule, timezone.now()).annotate(
            entered_at=Subquery(stays.values("entered_at")[:1])
        )
        with planned_for_many():
            page = paging.page(
                found, request.query_params, lambda rows: MemberSerializer(rows, many=True).data
            )
        return Response(page)


class ListsView(APIView):
    required_scope = "segments:write"

    @extend_schema(
        operation_id="put_list",
        summary="Put customers on a list",
        request=ListSerializer,
        responses=ListedSerializer,
    )
    def post(self, request: Request) -> Response:
        """The list of that name is made, with a segment that means it, if there is none."""
        facts = ListSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        now = timezone.now()
        listed = listing.add(
            facts.validated_data["name"],
            facts.validated_data["customerIds"],
            now=now,
            actor=_actor(request),
        )
        asking.ask_for_refresh(listed.segment.pk, now)
        return Response(ListedSerializer(listed).data)


def _told(segments: list[Segment]) -> list[dict[str, Any]]:
    names = segment_rules.names(segment.rule for segment in segments)
    currency = Shop.current().currency
    filled_at = listing.filled_at(segments)
    for segment in segments:
        segment.words = _words(segment.rule, names, currency)  # type: ignore[attr-defined]
        segment.filled_at = filled_at.get(segment.pk)  # type: ignore[attr-defined]
    return list(SegmentSerializer(segments, many=True).data)


def _words(rule: dict[str, Any], names: dict[str, str], currency: str) -> dict[str, str]:
    return {
        language: segmentation.in_words(rule, language, currency=currency, names=names)
        for language in LANGUAGES
    }


def _actor(request: Request) -> str:
    return str(key_of(request))
