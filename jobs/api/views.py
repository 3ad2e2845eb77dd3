from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers

from jobs.models import Job


class JobSerializer(serializers.ModelSerializer[Job]):
    id = serializers.UUIDField(source="uuid")
    done = serializers.IntegerField(source="n_done")
    total = serializers.IntegerField(source="n_total")
    errorCode = serializers.CharField(source="error_code")
    createdAt = serializers.DateTimeField(source="created_at")
    startedAt = serializers.DateTimeField(source="started_at", allow_null=True)
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)

    class Meta:
        model = Job
        fields = [
            "id", "kind", "state", "done", "total", "note", "errorCode", "createdAt", "startedAt",
            "finishedAt",
        ]  # fmt: skip
        read_only_fields = fields


@extend_schema_view(get=extend_schema(operation_id="job", summary="How far a job is"))
class JobView(generics.RetrieveAPIView[Job]):
    """Every call that answers 202 names its job in `Location`."""

    required_scope = "jobs:read"
    queryset = Job.objects.all()
    serializer_class = JobSerializer
    lookup_field = "uuid"
