"""The pages of a segment beside its rule: how it went over time, why somebody is in, lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminFileFieldWidget

from privacy.admin.viewing import shop_of
from privacy.models import Channel
from privacy.problems import DomainError
from profiles import asking, listing, reasons, segment_rules, segmentation
from profiles.files import rejects
from profiles.importing import uploads
from profiles.importing.receiving import SealedUpload
from profiles.models import Customer, Segment, SegmentMember, SegmentVersion

N_DAYS = 90
N_REJECTS = 1_000


class ListForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the list"), max_length=100)
    file = forms.FileField(
        label=gettext_lazy("File with customer ids"),
        help_text=gettext_lazy(
            "CSV, JSON lines or an Excel workbook; the column of customer ids, or else the first."
        ),
        widget=UnfoldAdminFileFieldWidget,
    )

    def clean_file(self) -> SealedUpload:
        file: SealedUpload = self.cleaned_data["file"]
        if (file.size or 0) > uploads.MAX_BYTES:
            raise forms.ValidationError(_("The file is larger than 1 GiB."), "file_too_large")
        return file


@dataclass(frozen=True)
class Day:
    """How many were in a segment at the last count of a day, and how many came and went."""

    day: date
    n_customers: int | None
    n_entered: int
    n_left: int


@permission_required("profiles.view_segment", raise_exception=True)
def over_time(request: HttpRequest, pk: int) -> HttpResponse:
    """Size by day, who entered and left, and the versions of the rule."""
    segment = get_object_or_404(Segment, pk=pk)
    days = _days(segment, timezone.now())
    counted = [day for day in reversed(days) if day.n_customers is not None]
    context = {
        **admin.site.each_context(request),
        "title": segment.name,
        "segment": segment,
        "days": days,
        "sizes": [day.n_customers for day in counted],
        "counted": counted,
        "reachable": [
            (Channel(channel).label, n) for channel, n in sorted(segment.reachable.items())
        ],
        "versions": _versions(request, segment),
        "may_change": request.user.has_perm("profiles.change_segment"),
    }
    return render(request, "profiles/segment_over_time.html", context)


def _days(segment: Segment, now: datetime) -> list[Day]:
    """The newest first; days on which nothing was counted and nobody moved are left out."""
    since = now - timedelta(days=N_DAYS)
    counts = segment.sizes.filter(counted_at__gte=since).order_by("counted_at")
    sizes = {timezone.localdate(at): n for at, n in counts.values_list("counted_at", "n_customers")}
    stays = SegmentMember.objects.filter(segment=segment)
    entered = _by_day(stays.filter(entered_at__gte=since), "entered_at")
    left = _by_day(stays.filter(left_at__gte=since), "left_at")
    return [
        Day(day, sizes.get(day), entered.get(day, 0), left.get(day, 0))
        for day in sorted(sizes.keys() | entered.keys() | left.keys(), reverse=True)
    ]


def _by_day(stays: Any, moment: str) -> dict[date, int]:
    days = stays.annotate(day=TruncDate(moment)).order_by()
    return dict(days.values("day").annotate(n=Count("pk")).values_list("day", "n"))


def _versions(request: HttpRequest, segment: Segment) -> list[tuple[SegmentVersion, str]]:
    versions = list(segment.versions.order_by("-number"))
    names = segment_rules.names(version.rule for version in versions)
    language, currency = get_language() or "en", shop_of(request).currency
    return [
        (one, segmentation.in_words(one.rule, language, currency=currency, names=names))
        for one in versions
    ]


@require_POST
@permission_required("profiles.change_segment", raise_exception=True)
def restore_action(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Make the rule of an earlier version the next one."""
    segment = get_object_or_404(Segment, pk=pk)
    get_object_or_404(SegmentVersion, segment=segment, number=number)
    now = timezone.now()
    try:
        segmentation.restore(segment, number, now=now, actor=request.user.get_username())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        asking.ask_for_refresh(segment.pk, now)
        messages.success(
            request, _("The rule of version %(number)s is in use again.") % {"number": number}
        )
    return redirect("admin:profiles_segment_over_time", pk)


@permission_required("profiles.view_segment", raise_exception=True)
@permission_required("profiles.view_customer", raise_exception=True)
def why_page(request: HttpRequest, pk: int, customer: int | None = None) -> HttpResponse:
    """Why a person is in or out. The id is posted and never stands in the address."""
    segment = get_object_or_404(Segment, pk=pk)
    if request.method == "POST":
        wanted = request.POST.get("customer", "").strip()
        found = Customer.objects.filter(external_id=wanted).values_list("pk", flat=True).first()
        if found is not None:
            return redirect("admin:profiles_segment_why_of", pk, found)
        messages.error(request, _("No customer has this id."))
    context = {
        **admin.site.each_context(request),
        "title": segment.name,
        "segment": segment,
    }
    if customer is not None:
        context |= _why(segment, get_object_or_404(Customer, pk=customer))
    return render(request, "profiles/segment_why.html", context)


def _why(segment: Segment, customer: Customer) -> dict[str, Any]:
    try:
        found = reasons.why(segment, customer.pk, now=timezone.now())
    except DomainError as error:
        return {"customer": customer, "fault": error.detail}
    return {"customer": customer, "why": found}


@permission_required("profiles.add_segment", raise_exception=True)
def list_page(request: HttpRequest) -> HttpResponse:
    """Bring in a list of customers; what is not taken is shown by line."""
    form = ListForm(request.POST or None, request.FILES or None, label_suffix="")
    context = {
        **admin.site.each_context(request),
        "title": _("Bring in a list of customers"),
        "form": form,
    }
    if request.method == "POST" and form.is_valid():
        try:
            context |= _listed(request, form)
        except DomainError as error:
            form.add_error("file", error.detail)
    return render(request, "profiles/segment_list.html", context)


@permission_required("profiles.add_segment", raise_exception=True)
def list_rejects(_request: HttpRequest, uuid: UUID) -> FileResponse:
    """All rows of a list's newest file that were not taken: line, reason, shape."""
    found = rejects.path_of_list(uuid)
    if not found.exists():
        raise Http404
    return FileResponse(found.open("rb"), as_attachment=True, filename="rejected-rows.csv")


def _listed(request: HttpRequest, form: ListForm) -> dict[str, Any]:
    file: SealedUpload = form.cleaned_data["file"]
    now, actor = timezone.now(), request.user.get_username()
    listed, rejected = listing.add_file(form.cleaned_data["name"], file.held, now=now, actor=actor)
    asking.ask_for_refresh(listed.segment.pk, now)
    return {
        "listed": listed,
        "n_rejected": len(rejected),
        "rejected": list(islice(rejected, N_REJECTS)),
    }
