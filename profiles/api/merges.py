"""Several ids of one customer, and two records of one person made one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.authentication import key_of
from privacy.api.fields import Text
from profiles.api.customers import known
from profiles.api.identifiers import CustomerId, checked
from profiles.identity import identifiers, joining
from profiles.models import CustomerMerge, Identifier

FIELDS = {"email": "email", "phone": "phone", "fullName": "full_name", "birthDate": "birth_date"}
NAMES = {field: name for name, field in FIELDS.items()}


class IdentifierSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Identifier.Kind.choices)
    value = Text(
        max_length=254, write_only=True, help_text="Kept as a keyed tag only; never read back."
    )
    addedAt = serializers.DateTimeField(source="added_at", read_only=True)


class IdentifiersSerializer(serializers.Serializer[Any]):
    identifiers = IdentifierSerializer(many=True, read_only=True)


class MergeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uuid", read_only=True)
    absorb = CustomerId(
        source="absorbed_id", help_text="The customer whose record is taken up by this one."
    )
    take = serializers.ListField(
        child=serializers.ChoiceField(choices=list(FIELDS)),
        write_only=True,
        required=False,
        default=list,
        help_text="Personal fields that go over, where this customer has none.",
    )
    taken = serializers.SerializerMethodField()
    reason = Text(max_length=200)
    mergedAt = serializers.DateTimeField(source="merged_at", read_only=True)
    undoneAt = serializers.DateTimeField(source="undone_at", read_only=True, allow_null=True)

    def get_taken(self, merged: CustomerMerge) -> list[str]:
        return [NAMES[field] for field in merged.taken]


class MergesSerializer(serializers.Serializer[Any]):
    merges = MergeSerializer(many=True, read_only=True)


class UndoSerializer(serializers.Serializer[Any]):
    reason = Text(max_length=200)


class IdentifiersView(APIView):
    required_scope = "customers"

    @extend_schema(
        operation_id="identifiers",
        summary="The further ids of a customer",
        responses=IdentifiersSerializer,
    )
    def get(self, _request: Request, external_id: str) -> Response:
        rows = Identifier.objects.filter(customer=known(external_id)).order_by("pk")
        return Response(IdentifiersSerializer({"identifiers": rows}).data)

    @extend_schema(
        operation_id="add_identifier",
        summary="Let another id lead to a customer",
        request=IdentifierSerializer,
        responses=IdentifierSerializer,
    )
    def post(self, request: Request, external_id: str) -> Response:
        customer = known(external_id)
        facts = IdentifierSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        kind, value = facts.validated_data["kind"], facts.validated_data["value"]
        row = identifiers.add(customer, kind, value, now=timezone.now())
        return Response(IdentifierSerializer(row).data)


class MergesView(APIView):
    required_scope = "customers"

    @extend_schema(
        operation_id="merges", summary="The merges of a customer", responses=MergesSerializer
    )
    def get(self, _request: Request, external_id: str) -> Response:
        rows = CustomerMerge.objects.filter(survivor=known(external_id)).order_by("pk")
        return Response(MergesSerializer({"merges": rows}).data)

    @extend_schema(
        operation_id="merge_customers",
        summary="Make two records of one person one",
        request=MergeSerializer,
        responses=MergeSerializer,
    )
    def post(self, request: Request, external_id: str) -> Response:
        """The other record's personal values are destroyed but for those that are taken."""
        facts = MergeSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        merged = joining.merge(
            checked(external_id),
            facts.validated_data["absorbed_id"],
            take=[FIELDS[name] for name in sorted(set(facts.validated_data["take"]))],
            reason=facts.validated_data["reason"],
            actor=_actor(request),
            now=timezone.now(),
        )
        return Response(MergeSerializer(merged).data)


class UndoView(APIView):
    required_scope = "customers:write"

    @extend_schema(
        operation_id="undo_merge",
        summary="Take a merge back",
        request=UndoSerializer,
        responses=MergeSerializer,
    )
    def post(self, request: Request, external_id: str, uuid: UUID) -> Response:
        """Rows go back to a record of their own; its personal values have to be stated anew."""
        merged = get_object_or_404(CustomerMerge, uuid=uuid, survivor=known(external_id))
        facts = UndoSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        reason = facts.validated_data["reason"]
        joining.undo(merged, reason=reason, actor=_actor(request), now=timezone.now())
        merged.refresh_from_db()
        return Response(MergeSerializer(merged).data)


def _actor(request: Request) -> str:
    return f"key:{key_of(request).prefix}"
