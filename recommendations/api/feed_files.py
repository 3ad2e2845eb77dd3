"""Files of feeds sent by the shop's own programs, and what became of their rows."""

from __future__ import annotations

from http import HTTPStatus
from typing import IO, Any, cast
from uuid import UUID

from django.conf import settings
from django.http import FileResponse, Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from privacy.api.fields import Text
from privacy.problems import DomainError
from profiles.api.identifiers import checked
from profiles.importing.uploads import Incoming
from recommendations.api.feeds import COUNTRY, LANGUAGE, NAME
from recommendations.feeds import arriving
from recommendations.feeds.report import path_of
from recommendations.models import FeedImport

FORMS = (
    "text/tab-separated-values", "text/csv", "application/xml", "application/x-ndjson",
    "application/gzip", "application/octet-stream",
)  # fmt: skip


class AsItIs(BaseParser):
    """The body's bytes: which form they have is seen when they are read."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], _media_type: str | None = None, _context: Any = None
    ) -> dict[str, bytes]:
        return {"file": stream.read()}


class FileSerializer(serializers.Serializer[Any]):
    """How a feed is to be read that is not known yet; one that is stays as it is."""

    filename = Text(max_length=200, default="feed", help_text="By which people find it again.")
    country = Text(max_length=2, required=False, validators=[COUNTRY])
    language = Text(max_length=10, required=False, validators=[LANGUAGE])
    isWhole = serializers.BooleanField(
        source="is_whole",
        required=False,
        help_text="Whether what is not in it any more goes off sale.",
    )


class ImportSerializer(serializers.ModelSerializer[FeedImport]):
    id = serializers.UUIDField(source="uuid")
    feed = serializers.CharField(source="feed.name")
    jobId = serializers.UUIDField(source="job_uuid", allow_null=True)
    counts = serializers.SerializerMethodField(help_text="Of rows, by what became of them.")
    codes = serializers.SerializerMethodField(help_text="Of remarks and refusals, by their code.")
    nRejected = serializers.IntegerField(source="n_rejected")
    asks = serializers.BooleanField(
        help_text="Whether most of the feed was missing, so that somebody must decide in the admin."
    )
    createdAt = serializers.DateTimeField(source="created_at")
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)

    class Meta:
        model = FeedImport
        fields = [
            "id", "feed", "filename", "jobId", "counts", "codes", "nRejected", "asks", "createdAt",
            "finishedAt",
        ]  # fmt: skip
        read_only_fields = fields

    def get_counts(self, brought: FeedImport) -> dict[str, int]:
        return dict(brought.summary.get("counts", {}))

    def get_codes(self, brought: FeedImport) -> dict[str, int]:
        return dict(brought.summary.get("codes", {}))


class FeedFileView(APIView):
    required_scope = "products:write"
    parser_classes = [AsItIs]

    @extend_schema(
        operation_id="send_feed",
        summary="Bring in a file of a feed",
        parameters=[NAME, FileSerializer],
        request=dict.fromkeys(FORMS, OpenApiTypes.BINARY),
        responses={202: ImportSerializer},
    )
    def post(self, request: Request, name: str) -> Response:
        """Up to 5 MB, better gzipped; a larger one by its address. The job stands at `Location`."""
        told = FileSerializer(data=request.query_params.dict())
        told.is_valid(raise_exception=True)
        columns, now = dict(told.validated_data), timezone.now()
        filename, body = columns.pop("filename"), cast("dict[str, bytes]", request.data).get("file")
        if not body:
            raise DomainError("empty_file", _("The body is empty; send the feed's file as it is."))
        feed = arriving.feed_named(checked(name), now=now, **columns)
        incoming = Incoming(max_bytes=settings.API_MAX_BODY_BYTES)
        incoming.write(body)
        incoming.finish()
        brought = arriving.bring(feed, incoming.uuid, filename, staff=None, now=now)
        return Response(
            ImportSerializer(brought).data,
            status=HTTPStatus.ACCEPTED,
            headers={"Location": reverse("job", args=[brought.job_uuid])},
        )


class FeedImportView(APIView):
    required_scope = "products:read"

    @extend_schema(
        operation_id="feed_import",
        summary="What became of the rows of a feed's file",
        responses=ImportSerializer,
    )
    def get(self, _request: Request, uuid: UUID) -> Response:
        found = get_object_or_404(FeedImport.objects.select_related("feed"), uuid=uuid)
        return Response(ImportSerializer(found).data)


class FeedReportView(APIView):
    required_scope = "products:read"

    @extend_schema(
        operation_id="feed_report",
        summary="The rows that were rejected or taken with a remark, and what to do",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, _request: Request, uuid: UUID) -> FileResponse:
        """A rejected row stands in it whole. 404 where no row was remarked on."""
        report = path_of(get_object_or_404(FeedImport, uuid=uuid))
        if not report.exists():
            raise Http404
        return FileResponse(report.open("rb"), content_type="text/csv; charset=utf-8")
