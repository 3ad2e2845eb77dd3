"""Customers in and out: personal data goes in, and comes out masked."""

from __future__ import annotations

from datetime import date, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.models import Job
from privacy import ages, erasure, subject_export
from privacy.api.authentication import key_of, require_scope
from privacy.api.fields import FreeText, Text
from privacy.models import Channel, Consent, ConsentEntry, SubjectExport
from profiles.api.identifiers import CustomerId, checked, in_path, refuse_personal
from profiles.identity import enrolling, identifiers, revealing
from profiles.models import Customer

MAX_BATCH: Final = 1000
# What a purpose may bring in plain, by the member that shows the mask else.
OPENED: Final = {"email": "email", "phone": "phone", "fullName": "full_name"}
PURPOSE: Final = OpenApiParameter(
    "Purpose",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="What the values are wanted for, such as support.reveal.",
)
CUSTOMER = in_path("external_id", "C-1007")


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    class Meta:
        model = Consent
        fields = ["purpose", "channel", "state", "since"]
        read_only_fields = fields


class BirthDate(serializers.DateField):
    """A date on which somebody may have been born, or the empty text that takes it away."""

    default_error_messages = {
        "birth_date_invalid": _("Nobody who lives today was born on that day."),
    }

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values(None if data == "" else data)

    def to_internal_value(self, value: Any) -> date:
        # Of the latest time zone, in which it may be the birthday already.
        today = (timezone.now() + timedelta(hours=14)).date()
        if not ages.can_be(born := super().to_internal_value(value), today):
            self.fail("birth_date_invalid")
        return born


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
    birthDate = BirthDate(
        source="birth_date",
        allow_null=True,
        required=False,
        write_only=True,
        help_text="Sealed but for its year.",
    )
    birthYear = serializers.IntegerField(source="birth_year", read_only=True, allow_null=True)
    locale = Text(max_length=12, allow_blank=True, required=False)
    country = FreeText(max_length=60, allow_blank=True, required=False)
    city = FreeText(max_length=100, allow_blank=True, required=False)
    timeZone = Text(source="time_zone", max_length=64, allow_blank=True, required=False)
    gender = serializers.ChoiceField(
        choices=Customer.Gender.choices, allow_blank=True, required=False
    )
    occupation = FreeText(max_length=60, allow_blank=True, required=False)
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)


class NamedCustomerSerializer(CustomerSerializer):
    id = CustomerId(source="external_id")


class CustomerBatchSerializer(serializers.Serializer[Any]):
    customers: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=NamedCustomerSerializer(), allow_empty=False, max_length=MAX_BATCH
    )

    def validate_customers(self, customers: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len({one["external_id"] for one in customers}) < len(customers):
            raise serializers.ValidationError(_("State each customer once."), "repeated_id")
        return customers


class CustomerBatchResultSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()


class StartedSerializer(serializers.Serializer[Any]):
    """What was begun; how far it is stands at `Location`."""

    job = serializers.UUIDField()


class ExportStartedSerializer(StartedSerializer):
    export = serializers.UUIDField(help_text="Fetch it at …/exports/{export} once the job is done.")


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


def known(external_id: str) -> Customer:
    """The customer of an id in the address, also of one from before a merge; else Http404."""
    if (customer := identifiers.find(checked(external_id))) is None:
        raise Http404
    return customer


class CustomerView(APIView):
    required_scope = "customers"

    @extend_schema(
        operation_id="customer",
        summary="A customer",
        parameters=[CUSTOMER, PURPOSE],
        responses=CustomerSerializer,
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Personal values are masked.

        With the header `Purpose` and the scope `pii:read` those that the purpose covers come in
        plain, if it reaches the person and a use rule lets the key; each such answer is audited.
        """
        customer = known(external_id)
        told = dict(CustomerSerializer(customer).data)
        if name := request.headers.get("Purpose", ""):
            key = key_of(request)
            require_scope(key, "pii:read")
            actor = f"key:{key.prefix}"
            plain = revealing.opened(customer, name, actor=actor, now=timezone.now())
            told |= {member: plain[field] for member, field in OPENED.items() if field in plain}
        return Response(told)

    @extend_schema(
        operation_id="erase_customer",
        summary="Erase a customer for good",
        parameters=[CUSTOMER],
        request=None,
        responses={HTTPStatus.ACCEPTED: StartedSerializer},
    )
    def delete(self, request: Request, external_id: str) -> Response:
        """The data is out of use at once; asked again, the same erasure is named.

        Asks for the scope `customers:erase` too.
        """
        key = key_of(request)
        require_scope(key, "customers:erase")
        subject = known(external_id).subject
        begun = erasure.begin(subject, actor=f"key:{key.prefix}", now=timezone.now())
        return _started(begun.job_uuid)

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


class CustomerBatchView(APIView):
    required_scope = "customers:write"

    @extend_schema(
        operation_id="put_customers",
        summary="Add or change up to 1000 customers",
        request=CustomerBatchSerializer,
        responses=CustomerBatchResultSerializer,
    )
    def post(self, request: Request) -> Response:
        """All of them or, if one is not valid, none."""
        facts = CustomerBatchSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        stated = [(one.pop("external_id"), one) for one in facts.validated_data["customers"]]
        return Response({"accepted": enrolling.put_many(stated, now=timezone.now())})


class ExportView(APIView):
    required_scope = "pii:read"

    @extend_schema(
        operation_id="export_customer",
        summary="Have a copy made of everything held about a customer",
        parameters=[CUSTOMER],
        request=None,
        responses={HTTPStatus.ACCEPTED: ExportStartedSerializer},
    )
    def post(self, request: Request, external_id: str) -> Response:
        """The copy is a ZIP of JSON and CSV, kept for 30 days."""
        # A service makes it, as for staff: a person's right waits for no use rule of a key.
        actor, now = f"api:{key_of(request).prefix}", timezone.now()
        export = subject_export.ask(known(external_id).subject, actor=actor, now=now)
        job = Job.objects.get(kind=subject_export.JOB, payload__export=export.pk)
        return _started(job.uuid, export=export.uuid)


class ExportFileView(APIView):
    required_scope = "pii:read"

    @extend_schema(
        operation_id="customer_export",
        summary="Fetch a copy that was made",
        parameters=[CUSTOMER],
        responses={(HTTPStatus.OK, "application/zip"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, external_id: str, uuid: UUID) -> HttpResponse:
        """Audited. While it is being made: 409 `not_ready`; when it has expired: 410 `not_there`."""
        copies = SubjectExport.objects.filter(subject=known(external_id).subject)
        actor = f"key:{key_of(request).prefix}"
        data = subject_export.download(
            get_object_or_404(copies, uuid=uuid), actor=actor, now=timezone.now()
        )
        return HttpResponse(data, content_type="application/zip")


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
        customer = known(external_id)
        facts = DeclarationsSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        enrolling.declare(
            customer, facts.validated_data["consents"], source=str(key_of(request).source), now=now
        )
        in_force = Consent.objects.filter(subject__uuid=customer.subject_id)
        return Response(
            ConsentsSerializer({"consents": in_force.order_by("purpose", "channel")}).data
        )


def _started(job: UUID | None, **facts: UUID) -> Response:
    return Response(
        {"job": job, **facts},
        status=HTTPStatus.ACCEPTED,
        headers={"Location": reverse("job", args=[job])},
    )
