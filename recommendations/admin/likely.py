"""Who is likely to want this: asking for a list, and the lists that were made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from inference.estimate import Estimate
from jobs.models import Job
from privacy import audit
from recommendations import asking, catalogue
from recommendations.asking import Wanted
from recommendations.evenness import in_words
from recommendations.models import Product, TrainingRun

N_MADE: Final = 20


class LikelyForm(forms.Form):
    product = forms.CharField(
        label=gettext_lazy("Product id"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "products"}),
    )
    category = forms.CharField(
        label=gettext_lazy("or category"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "categories"}),
    )
    n = forms.IntegerField(
        label=gettext_lazy("At most so many customers"),
        min_value=1,
        max_value=asking.MOST_LIKELY,
        initial=500,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    least = forms.DecimalField(
        label=gettext_lazy("Least score, 0 to 1"),
        min_value=0,
        max_value=1,
        decimal_places=2,
        initial=0,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=gettext_lazy("1 is the likeliest customer's; 0 leaves nobody out."),
    )

    is_nightly = forms.BooleanField(
        label=gettext_lazy("Make it anew every night"),
        required=False,
        help_text=gettext_lazy("After the training; campaigns then reach whom it lists."),
        widget=UnfoldBooleanWidget,
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        product, category = given.get("product", ""), given.get("category", "")
        if bool(product) == bool(category):
            self.add_error("product", _("Name a product or a category, one of them."))
        elif product and not Product.objects.filter(product_id=product).exists():
            text = _("The catalogue has no product %(ids)s.") % {"ids": product}
            self.add_error("product", text)
        elif category and not Product.objects.filter(category=category, is_active=True).exists():
            self.add_error("category", _("No product on sale is of this category."))
        return given


@dataclass(frozen=True)
class Made:
    """A list that was asked for: how far it is, and what it would have been worth."""

    job: Job
    title: str
    n_asked: int
    segment: int | None
    n_listed: int | None
    checked: dict[str, Any] | None
    times: str
    is_nightly: bool


@permission_required("recommendations.view_product", raise_exception=True)
@permission_required("profiles.add_segment", raise_exception=True)
def likely_page(request: HttpRequest) -> HttpResponse:
    """Ask which customers are likely to want a product or a category."""
    run = TrainingRun.objects.active()
    form = LikelyForm(request.POST or None, initial={"product": request.GET.get("product", "")})
    if request.method == "POST" and run is not None and "again" in request.POST:
        asking.ask_again(_asked_before(request.POST["again"]), run, timezone.now())
        return redirect(f"{reverse('admin:recommendations_product_likely')}#made")
    if request.method == "POST" and "nightly" in request.POST:
        _turn_nightly(request, _asked_before(request.POST["nightly"]))
        return redirect(f"{reverse('admin:recommendations_product_likely')}#made")
    if request.method == "POST" and run is not None and form.is_valid():
        wanted = _wanted(form.cleaned_data)
        now, language = timezone.now(), get_language() or "en"
        asking.ask_for_likely(wanted, run, now, language=language)
        return redirect(f"{reverse('admin:recommendations_product_likely')}#made")
    made = _newest_of_each(map(_made, _asked()))
    context = {
        **admin.site.each_context(request),
        "title": _("Who is likely to want this"),
        "form": form,
        "run": run,
        "made": made,
        "is_moving": any(one.job.is_open for one in made),
        "products": Product.objects.order_by("title").values_list("product_id", "title")[:400],
        "categories": Product.objects.exclude(category="")
        .order_by("category")
        .values_list("category", flat=True)
        .distinct()[:200],
    }
    return render(request, "recommendations/likely.html", context)


def _wanted(given: dict[str, Any]) -> Wanted:
    of, language = given["category"], get_language() or "en"
    if given["product"]:
        title = Product.objects.get(product_id=given["product"]).title_in(language)
    else:
        title = catalogue.categories_in(language).get(of, of)
    return Wanted(
        given["product"],
        of,
        title,
        given["n"],
        float(given["least"]),
        given["is_nightly"],
    )


def _asked_before(uuid: str) -> Job:
    try:
        return get_object_or_404(Job, kind=asking.LIKELY, uuid=UUID(uuid))
    except ValueError:
        raise Http404 from None


def _turn_nightly(request: HttpRequest, job: Job) -> None:
    """Turn the nightly making of a list on or off, and write down who did."""
    segment = (job.result or {}).get("segment")
    if segment is None:
        raise Http404
    is_nightly = not job.payload.get("is_nightly", False)
    with transaction.atomic():
        asking.wish_nightly(segment, is_nightly=is_nightly)
        audit.append(
            "recommendations.likely_nightly",
            actor=f"staff:{request.user.pk}",
            at=timezone.now(),
            fields=["on" if is_nightly else "off", f"segment {segment}"],
        )


def _asked() -> list[Job]:
    return list(Job.objects.filter(kind=asking.LIKELY).order_by("-created_at", "-pk")[:N_MADE])


def _newest_of_each(made: Iterable[Made]) -> list[Made]:
    """Leave out what a list was before it was made anew."""
    kept: dict[object, Made] = {}
    for one in made:
        kept.setdefault(one.segment or one.job.uuid, one)
    return list(kept.values())


def _made(job: Job) -> Made:
    result = job.result or {}
    checked = result.get("checked")
    times = checked["times"] if checked else None
    return Made(
        job=job,
        title=job.payload["title"],
        n_asked=job.payload["n"],
        segment=result.get("segment"),
        is_nightly=bool(job.payload.get("is_nightly")),
        n_listed=result.get("n_listed"),
        checked=checked,
        times=in_words(Estimate(**times)) if times else "",
    )
