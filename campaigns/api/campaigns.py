"""Campaigns by API: made as drafts, moved on by verbs, and their reports."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator
from rest_framework.views import APIView

from campaigns import approvals, looking, making, measurement, scheduling, wording
from campaigns.experiments.findings import Metric
from campaigns.models import Campaign, Delivery
from campaigns.rendering import starters
from privacy.api import paging
from privacy.api.authentication import key_of
from privacy.api.fields import Flag, Number, Text
from privacy.models import Channel, Topic
from privacy.problems import DomainError
from profiles.models import Segment

MILLION = 1_000_000
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content")


class UtmSerializer(serializers.Serializer[Any]):
    """The marks of links to the shop; an empty one follows from the names."""

    source = Text(source="utm_source", max_length=100, allow_blank=True, default="")  # type: ignore[assignment]  # the wire's name
    medium = Text(source="utm_medium", max_length=100, allow_blank=True, default="")
    campaign = Text(source="utm_campaign", max_length=100, allow_blank=True, default="")
    content = Text(source="utm_content", max_length=100, allow_blank=True, default="")


class CampaignSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uuid", read_only=True)
    name = Text(
        max_length=100, validators=[UniqueValidator(Campaign.objects.all(), lookup="exact")]
    )
    segmentId = serializers.SlugRelatedField(
        slug_field="uuid", source="segment", queryset=Segment.objects.all()
    )
    goal = serializers.ChoiceField(
        choices=Campaign.Goal.choices,
        default=Campaign.Goal.SELL,
        help_text="Says by what number the report judges it.",
    )
    channel = serializers.ChoiceField(choices=Channel.choices, default=Channel.EMAIL.value)
    topic = serializers.SlugRelatedField(
        slug_field="key",
        queryset=Topic.objects.all(),
        allow_null=True,
        default=None,
        help_text="The key of what it is about: who does not want that gets no message.",
    )
    starter = serializers.ChoiceField(
        choices=starters.names(),
        write_only=True,
        required=False,
        help_text="The e-mail to begin with, the first if none is named; text is written in the admin.",
    )
    marksLinks = Flag(
        source="adds_utm", default=True, help_text="Whether links to the shop get the marks."
    )
    utm = UtmSerializer(source="*", required=False)
    status = serializers.ChoiceField(choices=Campaign.Status.choices, read_only=True)
    holdout = Number(
        min_value=0, max_value=0.5, default=0.1, help_text="Who gets no message, as a fraction."
    )
    startsAt = serializers.DateTimeField(source="starts_at", allow_null=True, default=None)
    latestStart = serializers.DateTimeField(source="latest_start", allow_null=True, default=None)
    localTime = Flag(
        source="local_time",
        default=False,
        help_text="The start's day and hour count where each reader is.",
    )
    goesAt = serializers.DateTimeField(source="goes_at", read_only=True, allow_null=True)
    plannedAt = serializers.DateTimeField(source="planned_at", read_only=True, allow_null=True)
    finishedAt = serializers.DateTimeField(source="finished_at", read_only=True, allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)
    deliveries = serializers.DictField(
        child=serializers.IntegerField(), read_only=True, help_text="How many, by state."
    )


class CampaignPageSerializer(serializers.Serializer[Any]):
    data = CampaignSerializer(many=True)  # type: ignore[assignment]  # the wire's name
    next = serializers.CharField(allow_null=True)


class EstimateSerializer(serializers.Serializer[Any]):
    value = serializers.FloatField()
    low = serializers.FloatField(help_text="Of the 95 % interval.")
    high = serializers.FloatField()


class ArmSerializer(serializers.Serializer[Any]):
    arm = serializers.CharField(source="key", help_text="A variant's letter, or holdout.")
    customers = serializers.IntegerField(source="n")
    sent = serializers.IntegerField(source="n_sent")
    skipped = serializers.IntegerField(source="n_skipped")
    failed = serializers.IntegerField(source="n_failed")
    unknown = serializers.IntegerField(source="n_unknown")
    clicked = serializers.IntegerField(source="n_clicked")
    unsubscribed = serializers.IntegerField(source="n_unsubscribed")
    buyers = serializers.IntegerField(source="n_buyers")
    orders = serializers.IntegerField(source="n_orders")
    netMinor = serializers.IntegerField(source="net_minor", help_text="Minor units.")
    clickRate = EstimateSerializer(source="click_rate", allow_null=True)
    buyerRate = EstimateSerializer(source="buyer_rate", allow_null=True)


class ReportSerializer(serializers.Serializer[Any]):
    campaignId = serializers.UUIDField(source="campaign")
    judgedBy = serializers.ChoiceField(
        choices=[str(one) for one in Metric],
        source="aim",
        help_text="The number that the campaign's goal is judged by.",
    )
    currency = serializers.CharField()
    asOf = serializers.DateTimeField(source="as_of")
    opens = serializers.DateTimeField(allow_null=True)
    closes = serializers.DateTimeField(allow_null=True)
    conclusion = serializers.CharField(source="verdict.code", help_text="Such as not_enough.")
    words = serializers.DictField(
        child=serializers.CharField(),
        default=dict,
        help_text="The conclusion in a sentence, by language.",
    )
    arms = ArmSerializer(many=True)


class DeliverySerializer(serializers.Serializer[Any]):
    id = serializers.CharField(source="pk")
    customerId = serializers.CharField(source="customer.external_id")
    arm = serializers.CharField()
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    reason = serializers.CharField()
    dueAt = serializers.DateTimeField(source="due_at")
    sentAt = serializers.DateTimeField(source="sent_at", allow_null=True)


class DeliveryPageSerializer(serializers.Serializer[Any]):
    data = DeliverySerializer(many=True)  # type: ignore[assignment]  # the wire's name
    next = serializers.CharField(allow_null=True)


class TestSerializer(serializers.Serializer[Any]):
    to = Text(max_length=254, help_text="The address of an active staff account.")
    variant = Text(max_length=1, default="A")
    locale = Text(max_length=12, default="en")


class CampaignAPIView(APIView):
    """Names the fields of refusals as the wire does."""

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, DomainError):
            exc.errors = tuple(replace(one, pointer=_wired(one.pointer)) for one in exc.errors)
        return super().handle_exception(exc)


def _wired(pointer: str) -> str:
    return re.sub(r"_([a-z])", lambda found: found[1].upper(), pointer)


class CampaignsView(CampaignAPIView):
    required_scope = "campaigns"

    @extend_schema(
        operation_id="campaigns",
        summary="The campaigns",
        parameters=paging.PARAMETERS,
        responses=CampaignPageSerializer,
    )
    def get(self, request: Request) -> Response:
        rows = Campaign.objects.plans().select_related("segment", "topic")
        return Response(paging.page(rows, request.query_params, _told))

    @extend_schema(
        operation_id="create_campaign",
        summary="Make a campaign as a draft",
        request=CampaignSerializer,
        responses=CampaignSerializer,
    )
    def post(self, request: Request) -> Response:
        """Its message begins as a starter; a person writes it and another approves it."""
        facts = CampaignSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        given = facts.validated_data
        share = given.pop("holdout")
        made = making.draft(
            given.pop("name"),
            given.pop("segment"),
            starter=given.pop("starter", ""),
            holdout_ppm=round(share * MILLION),
            now=timezone.now(),
            **given,
        )
        return Response(_told([made])[0])


class CampaignView(CampaignAPIView):
    required_scope = "campaigns:read"

    @extend_schema(operation_id="campaign", summary="A campaign", responses=CampaignSerializer)
    def get(self, _request: Request, uuid: UUID) -> Response:
        return Response(_told([_campaign(uuid)])[0])


class ReportView(CampaignAPIView):
    required_scope = "campaigns:read"

    @extend_schema(
        operation_id="campaign_report",
        summary="What a campaign did and earned",
        responses=ReportSerializer,
    )
    def get(self, _request: Request, uuid: UUID) -> Response:
        """Orders are those that the hourly count last found."""
        found = measurement.report(_campaign(uuid), timezone.now())
        words = {code: wording.verdict_text(found, code) for code in ("en", "zh-hans")}
        return Response({**ReportSerializer(found).data, "words": words})


class DeliveriesView(CampaignAPIView):
    required_scope = "campaigns:read"

    @extend_schema(
        operation_id="campaign_deliveries",
        summary="Who got the message, who did not, and why",
        parameters=paging.PARAMETERS,
        responses=DeliveryPageSerializer,
    )
    def get(self, request: Request, uuid: UUID) -> Response:
        rows = _campaign(uuid).deliveries.select_related("customer", "variant")
        return Response(paging.page(rows, request.query_params, _deliveries))


class TestView(CampaignAPIView):
    required_scope = "campaigns:write"

    @extend_schema(
        operation_id="test_campaign",
        summary="Send a test to a staff account",
        request=TestSerializer,
        responses=CampaignSerializer,
    )
    def post(self, request: Request, uuid: UUID) -> Response:
        """The message as it is saved; nobody but staff gets it.

        Texts and push messages go to the customer who has the address, and on-site content is
        shown to them.
        """
        facts = TestSerializer(data=request.data)
        facts.is_valid(raise_exception=True)
        campaign, given = _campaign(uuid), facts.validated_data
        variant = get_object_or_404(campaign.variants, key=given["variant"])
        actor = f"key:{key_of(request).prefix}"
        looking.send_test(
            campaign, variant, given["locale"], given["to"], timezone.now(), actor=actor
        )
        return Response(_told([campaign])[0])


class ScheduleView(CampaignAPIView):
    required_scope = "campaigns:write"

    @extend_schema(
        operation_id="schedule_campaign",
        summary="Let an approved campaign go out",
        request=None,
        responses=CampaignSerializer,
    )
    def post(self, _request: Request, uuid: UUID) -> Response:
        """At `startsAt`, or after the shop's minutes to undo."""
        campaign = _campaign(uuid)
        scheduling.schedule(campaign, staff=None, now=timezone.now())
        return Response(_told([campaign])[0])


class PauseView(CampaignAPIView):
    required_scope = "campaigns:write"

    @extend_schema(
        operation_id="pause_campaign",
        summary="Pause a campaign",
        request=None,
        responses=CampaignSerializer,
    )
    def post(self, _request: Request, uuid: UUID) -> Response:
        """At most one small batch still goes out."""
        campaign = _campaign(uuid)
        approvals.pause(campaign)
        return Response(_told([campaign])[0])


class ResumeView(CampaignAPIView):
    required_scope = "campaigns:write"

    @extend_schema(
        operation_id="resume_campaign",
        summary="Go on with a paused campaign",
        request=None,
        responses=CampaignSerializer,
    )
    def post(self, _request: Request, uuid: UUID) -> Response:
        """With all of it, if its first part is out."""
        campaign = _campaign(uuid)
        approvals.resume(campaign, now=timezone.now())
        return Response(_told([campaign])[0])


class CancelView(CampaignAPIView):
    required_scope = "campaigns:write"

    @extend_schema(
        operation_id="cancel_campaign",
        summary="End a campaign",
        request=None,
        responses=CampaignSerializer,
    )
    def post(self, _request: Request, uuid: UUID) -> Response:
        """What is not under way is not sent any more."""
        campaign = _campaign(uuid)
        approvals.cancel(campaign, now=timezone.now())
        return Response(_told([campaign])[0])


def _campaign(uuid: UUID) -> Campaign:
    return get_object_or_404(Campaign.objects.plans().select_related("segment", "topic"), uuid=uuid)


def _told(rows: list[Campaign]) -> list[dict[str, Any]]:
    counts = Delivery.objects.counted(row.pk for row in rows)
    return [_one(row, counts.get(row.pk, {})) for row in rows]


def _one(row: Campaign, by_state: dict[str, int]) -> dict[str, Any]:
    columns = (
        *("uuid", "name", "goal", "channel", "segment", "topic", "adds_utm", *UTM),
        *("status", "starts_at", "latest_start"),
        *("local_time", "goes_at", "planned_at", "finished_at", "created_at"),
    )
    facts = {name: getattr(row, name) for name in columns}
    facts |= {"holdout": row.holdout_ppm / MILLION, "deliveries": by_state}
    return CampaignSerializer(facts).data


def _deliveries(rows: list[Delivery]) -> Any:
    for row in rows:
        vars(row)["arm"] = row.variant.key if row.variant else "holdout"
    return DeliverySerializer(rows, many=True).data
