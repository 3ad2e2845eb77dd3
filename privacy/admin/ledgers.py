"""The append-only records of privacy, for reading: consents, suppressions, the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from privacy import audit, checkpoints
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import AuditEntry, ConsentEntry, Suppression


@admin.register(ConsentEntry)
class ConsentEntryAdmin(ViewOnlyAdmin[ConsentEntry]):
    list_display = ["happened_at", "subject", "purpose", "channel", "state", "source"]
    list_filter = ["purpose", "channel", "state"]
    list_select_related = ["subject"]
    ordering = ["-happened_at", "-pk"]


@admin.register(Suppression)
class SuppressionAdmin(ViewOnlyAdmin[Suppression]):
    list_display = ["created_at", "channel", "reason"]
    list_filter = ["channel", "reason"]
    fields = ["created_at", "channel", "reason"]
    ordering = ["-created_at", "-pk"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ViewOnlyAdmin[AuditEntry]):
    list_display = ["at", "actor", "action", "purpose", "n_subjects", "outcome", "reason"]
    list_filter = ["outcome", "action", "purpose"]
    fields = [
        "at",
        "actor",
        "action",
        "purpose",
        "n_subjects",
        "subjects",
        "fields",
        "reason",
        "outcome",
    ]
    ordering = ["-pk"]
    list_before_template = "privacy/admin/audit_head.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        last = AuditEntry.objects.order_by("-pk").first()
        head = {
            "last": last,
            "signed": checkpoints.last(),
            "hash": bytes(last.hash).hex() if last else "",
            "is_guarded": audit.is_guarded(),
        }
        return super().changelist_view(request, {"head": head, **(extra_context or {})})
