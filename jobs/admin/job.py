"""The jobs screen: what runs, how far it is, why it failed; retry and cancel by one click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from jobs import queue, registry
from jobs.models import Job

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS = ["title", "shown_state", "progress", "attempts", "error", "age"]
FACTS = [
    *COLUMNS[:-1],
    "error_detail",
    "note",
    "uuid",
    "worker",
    "queue",
    "payload",
    "result",
    "created_at",
    "not_before",
    "started_at",
    "finished_at",
]
BUTTONS = "buttons"


class KindFilter(admin.SimpleListFilter):
    """The kinds by their titles; a job's own `kind` is a name for machines."""

    title = _("Job")
    parameter_name = "kind"

    def lookups(
        self, _request: HttpRequest, _model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        return sorted(registry.titles().items(), key=lambda kind: kind[1])

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Job]) -> QuerySet[Job]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ModelAdmin):
    list_filter = ["state", "queue", KindFilter]
    list_per_page = 50
    ordering = ["-created_at", "-pk"]
    actions = None
    readonly_fields = [*FACTS, BUTTONS]

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*COLUMNS, BUTTONS] if may_steer(request) else COLUMNS

    def get_fields(self, request: HttpRequest, obj: Job | None = None) -> list[Any]:
        return [*FACTS[:3], BUTTONS, *FACTS[3:]] if may_steer(request) else FACTS

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        context = {**(extra_context or {}), "is_moving": Job.objects.open().exists()}
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        verbs = [("retry", self.retry_view), ("cancel", self.cancel_view)]
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"jobs_job_{name}")
            for name, view in verbs
        ]
        return [*own, *super().get_urls()]

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._steer(request, pk, queue.retry, gettext("The job waits for a worker."))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        return self._steer(request, pk, queue.cancel, gettext("The job is cancelled."))

    def _steer(
        self, request: HttpRequest, pk: int, verb: Callable[..., None], done: str
    ) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not may_steer(request):
            raise PermissionDenied
        try:
            verb(get_object_or_404(Job, pk=pk), timezone.now())
        except queue.NotRetryableError:
            text = gettext("It cannot be retried: it has not failed, or a newer job does it.")
            self.message_user(request, text, messages.WARNING)
        except queue.NotCancellableError:
            text = gettext("It cannot be cancelled: it has ended.")
            self.message_user(request, text, messages.WARNING)
        else:
            self.message_user(request, done)
        return HttpResponseRedirect(reverse("admin:jobs_job_changelist"))

    @admin.display(description=_("Job"))
    def title(self, job: Job) -> str:
        return registry.title_of(job.kind)

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, job: Job) -> str:
        return render_to_string("jobs/state.html", {"job": job})

    @admin.display(description=_("Progress"))
    def progress(self, job: Job) -> str:
        return render_to_string("jobs/progress.html", {"job": job})

    @admin.display(description=_("Attempts"))
    def attempts(self, job: Job) -> str:
        return f"{job.n_attempts} / {job.max_attempts}"

    @admin.display(description=_("Error"))
    def error(self, job: Job) -> str:
        return job.error_code

    @admin.display(description=_("Age"), ordering="created_at")
    def age(self, job: Job) -> str:
        return timesince(job.created_at, timezone.now(), depth=1)

    @admin.display(description="")
    def buttons(self, job: Job) -> str:
        return render_to_string("jobs/buttons.html", {"job": job})


def may_steer(request: HttpRequest) -> bool:
    return request.user.has_perm("jobs.retry_job")
