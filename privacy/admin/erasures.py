"""Erasures with their certificates and who is to be told; recipients; retention periods."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget

from jobs.models import Job
from privacy import erasure, registry, retention
from privacy.admin.viewing import ThemedAdmin, ViewOnlyAdmin
from privacy.models import Erasure, Recipient, RecipientNotice, RetentionPeriod
from privacy.registry import Action

# The certificate holds codes; these are their words.
STEPS = {
    "freeze": gettext_lazy("Use of the data stopped"),
    "cancel": gettext_lazy("Messages stopped"),
    "suppress": gettext_lazy("Addresses kept as codes, not to be mailed"),
    "files": gettext_lazy("Files deleted"),
    "recipients": gettext_lazy("Recipients noted"),
    "anchor": gettext_lazy("Customer deleted"),
    "key": gettext_lazy("Keys destroyed"),
    "verify": gettext_lazy("Tables looked through, nothing found"),
}
ACTIONS = {
    "delete": gettext_lazy("deleted"),
    "null": gettext_lazy("emptied of the person"),
    "aggregate": gettext_lazy("kept without the person"),
    "shred": gettext_lazy("destroyed"),
}


@admin.register(Erasure)
class ErasureAdmin(ViewOnlyAdmin[Erasure]):
    list_display = ["uuid", "state", "started_at", "finished_at", "actor"]
    list_filter = ["state"]
    ordering = ["-started_at"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/change/", view(erasure_page), name="privacy_erasure_change"),
            path("<int:pk>/certificate/", view(certificate), name="privacy_erasure_certificate"),
            path("notices/<int:pk>/", view(notice_action), name="privacy_erasure_notice"),
            *super().get_urls(),
        ]


def erasure_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One erasure: how far it is, what was done to which table, who is to be told."""
    found = _found(request, pk)
    document = found.certificate.get("document", {})
    context = {
        **admin.site.each_context(request),
        "title": _("Erasure"),
        "subtitle": str(found.uuid),
        "erasure": found,
        "job": Job.objects.filter(uuid=found.job_uuid).first() if found.job_uuid else None,
        "document": document,
        "steps": [row | {"words": STEPS.get(row["step"])} for row in document.get("steps", [])],
        "tables": [
            row | {"words": ACTIONS.get(row["action"])}
            for row in document.get("tables", [])
            if row["rows"]
        ],
        "kept": [one for one in registry.holdings() if one.action is Action.KEEP],
        "notices": found.notices.select_related("recipient").order_by("recipient__name"),
        "may_tell": request.user.has_perm("privacy.handle_request"),
    }
    return render(request, "privacy/erasure.html", context)


def certificate(request: HttpRequest, pk: int) -> HttpResponse:
    found = _found(request, pk)
    if not found.certificate:
        raise Http404
    text = json.dumps(found.certificate, ensure_ascii=False, indent=1, sort_keys=True)
    answer = HttpResponse(text, content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="erasure-{found.uuid}.json"'
    return answer


@require_POST
def notice_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Note that a recipient was told, or confirmed."""
    if not request.user.has_perm("privacy.handle_request"):
        raise Http404
    notice = get_object_or_404(RecipientNotice, pk=pk)
    erasure.advance(notice, now=timezone.now())
    messages.success(request, notice.get_state_display())
    return redirect("admin:privacy_erasure_change", notice.erasure_id)


def _found(request: HttpRequest, pk: int) -> Erasure:
    if not request.user.has_perm("privacy.view_erasure"):
        raise Http404
    return get_object_or_404(Erasure, pk=pk)


@admin.register(Recipient)
class RecipientAdmin(ThemedAdmin[Recipient]):
    list_display = ["name", "kind", "email", "gets_everybody", "n_persons", "since", "until"]
    list_filter = ["kind"]
    ordering = ["name"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recipient]:
        return super().get_queryset(request).annotate(n_given=Count("disclosures"))

    @admin.display(description=gettext_lazy("persons noted"), ordering="n_given")
    def n_persons(self, recipient: Recipient) -> int:
        n_given: int = getattr(recipient, "n_given", 0)
        return n_given

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class PeriodForm(forms.ModelForm[RetentionPeriod]):
    """A period of the shop's own for one of the schedules there are."""

    schedule = forms.ChoiceField(label=gettext_lazy("what"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = RetentionPeriod
        fields = ["schedule", "days"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["schedule"]
        if isinstance(field, forms.ChoiceField):
            movable = [one for one in registry.schedules() if one.old is not None]
            field.choices = [(one.name, one.title) for one in movable]


@admin.register(RetentionPeriod)
class RetentionPeriodAdmin(ThemedAdmin[RetentionPeriod]):
    """The shop's own periods, above the list of what is in force."""

    form = PeriodForm
    list_display = ["what", "days"]
    ordering = ["schedule"]
    list_before_template = "privacy/retention_head.html"

    @admin.display(description=gettext_lazy("what"), ordering="schedule")
    def what(self, period: RetentionPeriod) -> str:
        titles = {one.name: one.title for one in registry.schedules()}
        return str(titles.get(period.schedule, period.schedule))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        due = list(retention.due(timezone.now()))
        return super().changelist_view(request, {"due": due, **(extra_context or {})})
