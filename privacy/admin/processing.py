"""The record of processing: a page to print, and the same as CSV and JSON."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from privacy import processing

WRITERS = {
    "csv": (processing.to_csv, "text/csv; charset=utf-8"),
    "json": (processing.to_json, "application/json"),
}


@staff_member_required
@permission_required("privacy.view_purposerecord", raise_exception=True)
def record_page(request: HttpRequest) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Record of processing"),
        "record": processing.record(timezone.now()),
    }
    return render(request, "privacy/record.html", context)


@staff_member_required
@permission_required("privacy.view_purposerecord", raise_exception=True)
def record_file(_request: HttpRequest, form: str) -> HttpResponse:
    """The record as of now, for an authority or another program."""
    if form not in WRITERS:
        raise Http404
    now = timezone.now()
    write, content_type = WRITERS[form]
    answer = HttpResponse(write(processing.record(now)), content_type=content_type)
    name = f"record-of-processing-{now:%Y-%m-%d}.{form}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
