"""Bringing in files: choose, look at the first rows, correct the columns, watch it arrive."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from jobs.models import Job
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.models import Staff
from privacy.problems import DomainError
from profiles import asking, reject_words
from profiles.admin.upload_forms import (
    DATE_FORMATS,
    FORMAT_NAMES,
    FileForm,
    OrderOptionsForm,
    WrittenForm,
)
from profiles.files import appended, encodings, rejects
from profiles.importing import (
    categories,
    field_words,
    kinds,
    preview_words,
    tallies,
    undoing,
    uploads,
)
from profiles.importing.receiving import SealedUpload
from profiles.importing.uploads import Preview
from profiles.models import Upload
from profiles.orders.formats import CSV

HELD = "held-"
MENDABLE = {"columns_missing", "header_lies"}  # by choosing other columns

OPEN = (Job.State.QUEUED, Job.State.RUNNING)


@admin.register(Upload)
class UploadAdmin(ViewOnlyAdmin[Upload]):
    list_display = ["filename", "kind", "created_at", "finished_at", "n_rejected", "staff"]
    list_filter = ["kind"]
    list_select_related = ["staff"]
    ordering = ["-created_at", "-pk"]
    list_before_template = "profiles/uploads_head.html"

    def get_urls(self) -> list[URLPattern]:
        wrap, name = self.admin_site.admin_view, "profiles_upload_{}".format
        return [
            path("new/", wrap(new_page), name=name("new")),
            path("new/<uuid:held>/", wrap(columns_page), name=name("columns")),
            path("<int:pk>/change/", wrap(upload_page), name=name("change")),
            path("<int:pk>/real/", wrap(real_action), name=name("real")),
            path("<int:pk>/undo/", wrap(undo_action), name=name("undo")),
            path("<int:pk>/rejects/", wrap(rejects_file), name=name("rejects")),
            *super().get_urls(),
        ]


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def new_page(request: HttpRequest) -> HttpResponse:
    """Choose a file; it is held until its columns are confirmed, at most a day."""
    _require(request, "profiles.add_upload")
    form = FileForm(request.POST or None, request.FILES or None, label_suffix="")
    if request.method == "POST" and form.is_valid():
        file: SealedUpload = form.cleaned_data["file"]
        file.hold()
        told = {"kind": form.cleaned_data["kind"], "name": file.name}
        request.session[f"{HELD}{file.held}"] = told
        return redirect("admin:profiles_upload_columns", file.held)
    context = {**admin.site.each_context(request), "title": _("Bring in a file"), "form": form}
    return render(request, "profiles/upload_new.html", context)


def columns_page(request: HttpRequest, held: UUID) -> HttpResponse:
    """Show the first rows and what the columns seem to hold; POST starts the import."""
    _require(request, "profiles.add_upload")
    told = request.session.get(f"{HELD}{held}")
    if told is None or not uploads.held_at(held).exists():
        messages.error(request, _("The file is no longer held; choose it again."))
        return redirect("admin:profiles_upload_new")
    kind = told["kind"]
    written, found = _look(request, held, kind)
    is_orders = kind == Upload.Kind.ORDERS
    options = OrderOptionsForm(request.POST or None, request.FILES or None) if is_orders else None
    if request.method == "POST" and (options is None or options.is_valid()):
        stored = _start(request, held, told, found, options)
        if stored is not None:
            return redirect("admin:profiles_upload_change", stored.pk)
    context = {
        **admin.site.each_context(request),
        "title": _("Which column is what"),
        "told": told,
        "preview": found,
        "written": written,
        "options": options,
        "date_formats": DATE_FORMATS,
        "known_format": FORMAT_NAMES.get(found.format, ""),
        "fields": _fields(kind, found, request.POST),
        "is_blocked": not found.columns
        or any(problem.code not in MENDABLE for problem in found.problems),
    }
    return render(request, "profiles/upload_columns.html", context)


def _look(request: HttpRequest, held: UUID, kind: str) -> tuple[WrittenForm, Preview]:
    """The first rows, read as the address says the file is written, and the form that says it."""
    asked = WrittenForm({"encoding": encodings.DEFAULT, **request.GET.dict()}, kind=kind)
    said = asked.cleaned_data if asked.is_valid() else {}
    encoding = said.get("encoding") or encodings.DEFAULT
    found = uploads.look(
        held,
        kind,
        actor=f"staff:{request.user.pk}",
        now=timezone.now(),
        encoding=encoding,
        file_format=said.get("format", ""),
    )
    return asked, found


def _fields(kind: str, found: Preview, posted: Any) -> list[tuple[str, str, bool, str]]:
    """Every field there is: its name and label, whether it must have a column, the one chosen."""
    return [
        (
            name,
            field_words.label(name),
            name in kinds.MUST_HAVE[kind],
            posted.get(f"map-{name}", found.mapping.get(name, "")),
        )
        for name in kinds.NAMES[kind]
    ]


def _start(
    request: HttpRequest,
    held: UUID,
    told: dict[str, str],
    found: Preview,
    options: OrderOptionsForm | None,
) -> Upload | None:
    kind = told["kind"]
    mapping = {
        name: column for name, _label, _must, column in _fields(kind, found, request.POST) if column
    }
    asked: dict[str, Any] = {"encoding": found.encoding}
    if options is not None or found.format != CSV:
        asked["format"] = found.format
    if found.format == CSV:
        asked["columns"] = mapping
    # What the rows would do is looked at first; consents cannot be brought in without.
    if kind == Upload.Kind.CONSENTS or "at-once" not in request.POST:
        asked["preview"] = True
    staff = request.user if isinstance(request.user, Staff) else None
    beside: SealedUpload | None = None
    if options is not None:
        beside = options.cleaned_data["categories"]
        asked |= options.cleaned_data | {"categories": _path_of(beside)}
    now = timezone.now()
    try:
        categories.read(asked.get("categories", ""), encoding=found.encoding, now=now)
        stored = uploads.store(held, kind, asked, staff, filename=told["name"], now=now)
    except DomainError as error:
        messages.error(request, error.detail)
        return None
    if beside is not None:
        beside.hold()
    del request.session[f"{HELD}{held}"]
    return stored


def _path_of(beside: SealedUpload | None) -> str:
    return "" if beside is None else str(uploads.held_at(beside.held))


def upload_page(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request, "profiles.view_upload")
    upload = get_object_or_404(Upload, pk=pk)
    job = _job_of(upload)
    is_moving = job is not None and job.state in OPEN
    has_rejects = upload.n_rejected > 0 and rejects.path_of(upload).exists()
    is_preview = bool(upload.options.get("preview")) and upload.finished_at is not None
    context = {
        **admin.site.each_context(request),
        "title": upload.filename,
        "upload": upload,
        "job": job,
        "is_preview": is_preview,
        "is_ledger": upload.kind == Upload.Kind.CONSENTS,
        "resealed": undoing.resealed(n) if (n := upload.summary.get("resealed", 0)) else "",
        "may_undo": undoing.is_undoable(upload)
        and not is_moving
        and request.user.has_perm("profiles.add_upload"),
        "is_moving": is_moving,
        "counts": [
            (tallies.ALL_LABELS[name], n)
            for name, n in (upload.summary.get("counts") or {}).items()
            if name in tallies.ALL_LABELS
        ],
        "reasons": [
            (code, reject_words.of_row(code), n)
            for code, n in Counter(upload.summary.get("reasons") or {}).most_common()
        ],
        "columns": preview_words.columns(upload.summary) if is_preview else [],
        "changed": [
            (field_words.label(name), n) for name, n in preview_words.changed(upload.summary)
        ]
        if is_preview
        else [],
        "rows": preview_words.rows(upload.summary, field_words.label) if is_preview else [],
        "buckets": [] if is_preview else _buckets(upload),
        "has_rejects": has_rejects,
        "is_full": has_rejects and appended.is_full(rejects.path_of(upload)),
    }
    return render(request, "profiles/upload.html", context)


def _job_of(upload: Upload) -> Job | None:
    """The job that takes the upload back right now, else the one that brought it in."""
    keys = [f"{kind}:{upload.pk}" for kind in (asking.UNDO, asking.UNDO_CONSENTS)]
    if back := Job.objects.filter(unique_key__in=keys, state__in=OPEN).first():
        return back
    return Job.objects.filter(uuid=upload.job_uuid).first() if upload.job_uuid else None


@require_POST
def real_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring the rows of a preview in."""
    _require(request, "profiles.add_upload")
    upload = get_object_or_404(Upload, pk=pk)
    if upload.options.get("preview") and upload.finished_at is not None:
        asking.ask_for_real(upload, timezone.now())
    return redirect("admin:profiles_upload_change", pk)


@require_POST
def undo_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an import back."""
    _require(request, "profiles.add_upload")
    upload = get_object_or_404(Upload, pk=pk)
    if undoing.is_undoable(upload):
        try:
            undoing.ask(upload, timezone.now())
        except DomainError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, _("The import is being taken back."))
    return redirect("admin:profiles_upload_change", pk)


def _buckets(upload: Upload) -> list[tuple[str, Any, int, int]]:
    """Currency, label, lines and minor units of each bucket of an order file."""
    return [
        (currency, tallies.LABELS.get(name, name), n_lines, minor)
        for currency, found in (upload.summary.get("buckets") or {}).items()
        for name, (n_lines, minor) in found.items()
    ]


def rejects_file(request: HttpRequest, pk: int) -> FileResponse:
    """The rejected rows: line number, code, and the shape of each value, never the value."""
    _require(request, "profiles.view_upload")
    found = rejects.path_of(get_object_or_404(Upload, pk=pk))
    if not found.exists():
        raise Http404
    return FileResponse(found.open("rb"), as_attachment=True, filename=f"rejects-{pk}.csv")
