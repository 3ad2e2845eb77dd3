"""Two records of one person made one by staff: looked at side by side, masked, then confirmed."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from privacy.admin.confirming import confirmed
from privacy.admin.viewing import ViewOnlyAdmin
from privacy.problems import DomainError
from privacy.purposes import PurposeDeniedError
from profiles.identity import joining
from profiles.models import Customer, CustomerMerge, Order

# Merging ends one of two records, which erasing does, too.
MAY: Final = "profiles.delete_customer"


@admin.register(CustomerMerge)
class CustomerMergeAdmin(ViewOnlyAdmin[CustomerMerge]):
    """The history: who was merged into whom, by whom and why."""

    list_display = ["absorbed_id", "survivor", "actor", "merged_at", "undone_at"]
    list_select_related = ["survivor"]
    ordering = ["-merged_at", "-pk"]
    fields = ["absorbed_id", "survivor", "taken", "reason", "actor", "merged_at", "undone_at"]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("into/<int:pk>/", wrap(merge_page), name="profiles_customermerge_into"),
            path("into/<int:pk>/do/", wrap(merge_action), name="profiles_customermerge_do"),
            path("<int:pk>/undo/", wrap(undo_action), name="profiles_customermerge_undo"),
            *super().get_urls(),
        ]


def merge_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the other record, then show both side by side with what would go over."""
    _require(request)
    survivor = get_object_or_404(Customer.objects.select_related("subject"), pk=pk)
    wanted = request.GET.get("absorb", "").strip()
    absorbed = Customer.objects.filter(external_id=wanted).exclude(pk=pk).first()
    if wanted and absorbed is None:
        messages.error(request, _("There is no other customer of this id."))
    context = {
        **admin.site.each_context(request),
        "title": _("Merge into %(customer)s") % {"customer": survivor},
        "survivor": survivor,
        "absorbed": absorbed,
        "rows": _rows(survivor, absorbed) if absorbed else [],
        "n_orders": [Order.objects.filter(customer=one).count() for one in (survivor, absorbed)]
        if absorbed
        else [],
    }
    return render(request, "profiles/merge.html", context)


@require_POST
def merge_action(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request)
    return _merge(request, get_object_or_404(Customer, pk=pk))


@confirmed
def _merge(request: HttpRequest, survivor: Customer) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()
    take = [name for name in joining.TAKEABLE if name in request.POST.getlist("take")]
    try:
        joining.merge(
            survivor.external_id,
            request.POST.get("absorb", ""),
            take=take,
            reason=reason[:200],
            actor=f"staff:{request.user.pk}",
            now=timezone.now(),
        )
    except DomainError as error:
        messages.error(request, error.detail)
    except PurposeDeniedError:
        messages.error(request, _("No use rule lets anybody open these values for a merge now."))
    else:
        messages.success(request, _("The two records are one now."))
    return redirect("admin:profiles_customer_change", survivor.pk)


@require_POST
def undo_action(request: HttpRequest, pk: int) -> HttpResponse:
    _require(request)
    return _undo(request, get_object_or_404(CustomerMerge, pk=pk))


@confirmed
def _undo(request: HttpRequest, merged: CustomerMerge) -> HttpResponse:
    reason = request.POST.get("reason", "").strip()
    try:
        actor = f"staff:{request.user.pk}"
        joining.undo(merged, reason=reason[:200], actor=actor, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The merge is undone; have the shop state the customer anew."))
    return redirect("admin:profiles_customer_change", merged.survivor_id)


def _rows(survivor: Customer, absorbed: Customer) -> list[dict[str, Any]]:
    """Each sealed field of both, masked, and whether it may go over."""
    return [
        {
            "name": name,
            "label": Customer._meta.get_field(name).verbose_name,  # type: ignore[union-attr]
            "mine": getattr(survivor, name) or "",
            "other": getattr(absorbed, name) or "",
            "may_go": bool(getattr(absorbed, name)) and not getattr(survivor, name),
        }
        for name in joining.TAKEABLE
    ]


def _require(request: HttpRequest) -> None:
    if not request.user.has_perm(MAY):
        raise PermissionDenied
