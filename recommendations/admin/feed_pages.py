"""Pages of one feed: bring in a file, fetch it now, and what became of a file's rows."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminFileFieldWidget

from jobs.models import Job
from privacy.models import Staff
from privacy.problems import DomainError
from profiles.files.appended import is_full
from profiles.importing import uploads
from profiles.importing.receiving import SealedUpload
from recommendations import asking
from recommendations.feeds import arriving, tallies
from recommendations.feeds.report import path_of
from recommendations.models import Feed, FeedImport

CHANGE = "recommendations.change_feed"


class FileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "Merchant TSV, RSS 2.0, Atom, CSV or JSON lines, plain or gzipped, up to 1 GiB."
        ),
        widget=UnfoldAdminFileFieldWidget,
    )

    def clean_file(self) -> SealedUpload:
        file: SealedUpload = self.cleaned_data["file"]
        if (file.size or 0) > uploads.MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 GiB."), "file_too_large")
        return file


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def file_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Choose a file of the feed; it is brought in at once."""
    _require(request, CHANGE)
    feed = get_object_or_404(Feed, pk=pk)
    form = FileForm(request.POST or None, request.FILES or None, label_suffix="")
    if request.method == "POST" and form.is_valid():
        file: SealedUpload = form.cleaned_data["file"]
        file.hold()
        staff = request.user if isinstance(request.user, Staff) else None
        name = file.name or feed.name
        brought = arriving.bring(feed, file.held, name, staff=staff, now=timezone.now())
        return redirect("admin:recommendations_feed_import", brought.pk)
    context = {
        **admin.site.each_context(request),
        "title": _("Bring in a file of %(feed)s") % {"feed": feed},
        "feed": feed,
        "form": form,
    }
    return render(request, "recommendations/feed_file.html", context)


@require_POST
def fetch_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Fetch the feed now; its schedule goes on from here."""
    _require(request, CHANGE)
    feed = get_object_or_404(Feed, pk=pk)
    if feed.url:
        asking.ask_for_fetch(feed, timezone.now())
        messages.success(request, _("The feed is being fetched; see the jobs."))
    return redirect("admin:recommendations_feed_change", pk)


def import_page(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of the rows of a file, and the question it asks if it lacks too much."""
    _require(request, "recommendations.view_feed")
    brought = get_object_or_404(FeedImport.objects.select_related("feed", "staff"), pk=pk)
    job = Job.objects.filter(uuid=brought.job_uuid).first() if brought.job_uuid else None
    context = {
        **admin.site.each_context(request),
        "title": brought.filename,
        "brought": brought,
        "job": job,
        "is_moving": job is not None and job.state in {Job.State.QUEUED, Job.State.RUNNING},
        "counts": tallies.counts(brought.summary),
        "codes": tallies.codes(brought.summary),
        "has_report": path_of(brought).exists(),
        "is_report_full": path_of(brought).exists() and is_full(path_of(brought)),
        "may_decide": brought.asks and request.user.has_perm(CHANGE),
    }
    return render(request, "recommendations/feed_import.html", context)


def report_file(request: HttpRequest, pk: int) -> FileResponse:
    """The report of the rows."""
    _require(request, "recommendations.view_feed")
    found = path_of(get_object_or_404(FeedImport, pk=pk))
    if not found.exists():
        raise Http404
    return FileResponse(found.open("rb"), as_attachment=True, filename=f"feed-report-{pk}.csv")


@require_POST
def decide_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Take off sale what the feed no longer holds, or leave it."""
    _require(request, CHANGE)
    brought = get_object_or_404(FeedImport, pk=pk)
    if "leave" in request.POST:
        arriving.dismiss(brought)
        return redirect("admin:recommendations_feed_import", pk)
    try:
        arriving.confirm(brought, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("What the feed no longer holds is being taken off sale."))
    return redirect("admin:recommendations_feed_import", pk)
