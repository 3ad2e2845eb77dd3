"""Customers in and out: personal data goes in, and comes out masked."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.authentication import key_of
from privacy.api.fields import Text
from privacy.models import Channel, Consent, ConsentEntry
from profiles import enrolling
from profiles.api.identifiers import checked, in_path, refuse_personal
from profiles.models import Customer

CUSTOMER = in_path("external_id", "C-1007")


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    class Meta:
        model = Consent
        fields = ["purpose", "channel", "state", "since"]
        read_only_fields = fields


class Day(serializers.DateField):
    """A date, or the empty text that takes it away."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values(None if data == "" else data)


class CustomerSerializer(serializers.Serializer[Any]):
    """Members that are left out stay as they are; null or an empty text takes a value away."""

    id = serializers.CharField(source="external_id", read_only=True)
    email = Text(
        max_length=254,
        allow_null=True,
        allow_blank=True,
        required=False,
        help_text="Read back masked.",
    )
    phone = Text(
        max_length=40,
        allow_null=True,
        allow_blank=True,
        required=False,
        help_text="Read back masked.",
    )
    fullName = Text(
        source="full_name",
        max_length=200,
        allow_null=True,
        allow_blank=True,
        required=False,
        help_text="Read back masked.",
    )
    birthDate = Day(
        source="birth_date",
        allow_null=True,
        required=False,
        write_only=True,
        help_text="Sealed but for its year.",
    )
    birthYear = serializers.IntegerField(source="birth_year", read_only=True, allow_null=True)
    locale = Text(max_length=12, allow_blank=True, required=False)
    country = Text(max_length=60, allow_blank=True, required=False)
    city = Text(max_length=100, allow_blank=True, required=False)
    timeZone = Text(source="time_zone", max_length=64, allow_blank=True, required=False)
    gender = serializers.ChoiceField(
        choices=Customer.Gender.choices, allow_blank=True, required=False
    )
    occupation = Text(max_length=60, allow_blank=True, required=False)
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)


class DeclarationSerializer(serializers.Serializer[Any]):
    purpose = Text(max_length=64, help_text="For example campaign.email.")
    channel = serializers.ChoiceField(choices=Channel.choices)
    state = serializers.ChoiceField(choices=ConsentEntry.State.choices)
    wording = Text(help_text="The words that were agreed to, in full.")
    happenedAt = serializers.DateTimeField(source="happened_at", required=False)


class DeclarationsSerializer(serializers.Serializer[Any]):
    consents: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=DeclarationSerializer(), allow_empty=False, max_length=50
    )


class ConsentsSerializer(serializers.Serializer[Any]):
    consents = ConsentSerializer(many=True, read_only=True)


class CustomerView(APIView):
    required_scope = "customers"

    @extend_schema(
        operation_id="customer",
        summary="A customer",
        parameters=[CUSTOMER],
        responses=CustomerSerializer,
    )
    def get(self, _request: Request, external_id: str) -> Response:
        """Personal values are masked, whatever the key."""
        customer = get_object_or_404(Customer, external_id=checked(external_id))
        return Response(CustomerSerializer(customer).data)

    @extend_schema(
        operation_id="put_customer",
        summary="Add or change a customer",
        parameters=[CUSTOMER],
        request=CustomerSerializer,
        responses=CustomerSerializer,
    )
    def put(self, request: Request, external_id: str) -> Response:
        refuse_personal(checked(external_id))
        facts = CustomerSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        customer = enrolling.put(external_id, facts.validated_data, now=timezone.now())
        return Response(CustomerSerializer(customer).data)


class ConsentsView(APIView):
    required_scope = "consents:write"

    @extend_schema(
        operation_id="put_consents",
        summary="Record what a customer agreed to or took back",
        parameters=[CUSTOMER],
        request=DeclarationsSerializer,
        responses=ConsentsSerializer,
    )
    def put(self, request: Request, external_id: str) -> Response:
        """Entries are added to a ledger; what happened last is in force."""
        now = timezone.now()
        customer = get_object_or_404(Customer, external_id=checked(external_id))
        facts = DeclarationsSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        enrolling.declare(
            customer, facts.validated_data["consents"], source=str(key_of(request).source), now=now
        )
        in_force = Consent.objects.filter(subject__uuid=customer.subject_id)
        return Response(
            ConsentsSerializer({"consents": in_force.order_by("purpose", "channel")}).data
        )
