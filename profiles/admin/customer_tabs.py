from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language

from privacy.admin.viewing import shop_of
from privacy.problems import DomainError
from profiles import membership, reasons, segment_rules, segmentation, timeline, told_traits
from profiles.models import Customer, Segment
from profiles.timeline import Place

visible = permission_required("profiles.view_customer", raise_exception=True)


def urls() -> list[URLPattern]:
    """The pages beside that of one customer, all below its key."""
    wrap = admin.site.admin_view
    return [
        path("<int:pk>/timeline/", wrap(timeline_page), name="profiles_customer_timeline"),
        path("<int:pk>/traits/", wrap(traits_page), name="profiles_customer_traits"),
        path("<int:pk>/segments/", wrap(segments_page), name="profiles_customer_segments"),
        path("<int:pk>/segments/<int:segment>/", wrap(why_page), name="profiles_customer_why"),
    ]


def _page(request: HttpRequest, customer: Customer, tab: str, **facts: Any) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": customer.external_id,
        "customer": customer,
        "tab": tab,
        **facts,
    }
    return render(request, f"profiles/customer_{tab}.html", context)


def _customer(pk: int) -> Customer:
    return get_object_or_404(Customer.objects.select_related("subject"), pk=pk)


@visible
def timeline_page(request: HttpRequest, pk: int) -> HttpResponse:
    """All that is known to have happened, newest first, of all kinds or of one."""
    customer, kind = _customer(pk), request.GET.get("kind", "")
    before = Place.read(request.GET.get("before", ""))
    shown = timeline.page(customer, before=before, kinds=[kind] if kind else [])
    return _page(
        request,
        customer,
        "timeline",
        page=shown,
        kind=kind,
        kinds=timeline.labels().items(),
        is_first=before is None,
    )


@visible
def traits_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Every trait with its value and what it means."""
    customer = _customer(pk)
    groups = told_traits.of_customer(
        customer,
        timezone.now(),
        currency=shop_of(request).currency,
        language=get_language() or "en",
    )
    return _page(request, customer, "traits", groups=groups)


@visible
def segments_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The segments the customer is in, and those not, each with its rule in words."""
    customer = _customer(pk)
    stays = membership.stays_of(customer)
    segments = list(Segment.objects.order_by("name"))
    names = segment_rules.names(segment.rule for segment in segments)
    language, currency = get_language() or "en", shop_of(request).currency
    rows = [
        (
            segment,
            segmentation.in_words(segment, language, currency=currency, names=names),
            stays.get(segment.pk),
        )
        for segment in segments
    ]
    return _page(
        request,
        customer,
        "segments",
        rows_in=[row for row in rows if row[2]],
        rows_out=[row for row in rows if not row[2]],
    )


@visible
def why_page(request: HttpRequest, pk: int, segment: int) -> HttpResponse:
    """Why the customer is in a segment at this moment, or is not."""
    customer = _customer(pk)
    found = get_object_or_404(Segment, pk=segment)
    fault, why = "", None
    try:
        why = reasons.why(found, customer.pk, now=timezone.now())
    except DomainError as error:
        fault = str(error.detail)
    rule = segmentation.in_words(found, get_language() or "en", currency=shop_of(request).currency)
    return _page(request, customer, "why", segment=found, why=why, fault=fault, rule=rule)
