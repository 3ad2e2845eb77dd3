"""The reveal: one group of one customer's fields in plain, for half a minute, with a reason kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from privacy.admin import revealing
from privacy.admin.confirming import confirmed
from privacy.purposes import PurposeDeniedError, purpose
from privacy.throttling import TooManyError
from profiles.models import Customer

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

REVEAL: Final = "profiles.reveal_customer"


@dataclass(frozen=True)
class Group:
    """Fields that are shown together."""

    label: StrOrPromise
    fields: tuple[str, ...]


GROUPS: Final = {
    "contact": Group(gettext_lazy("E-mail and phone"), ("email", "phone")),
    "identity": Group(gettext_lazy("Name and birth date"), ("full_name", "birth_date")),
}
REASONS: Final = {
    "asked": gettext_lazy("The customer asks us"),
    "order": gettext_lazy("An order or a delivery"),
    "complaint": gettext_lazy("A complaint"),
    "fraud": gettext_lazy("Suspected fraud"),
    "law": gettext_lazy("A legal duty"),
}


@dataclass(frozen=True)
class Row:
    """A field in plain, and what takes its place."""

    label: StrOrPromise
    plain: str
    mask: str


@require_POST
@never_cache
def reveal_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one group of fields for half a minute; audited before anything is opened."""
    if not request.user.has_perm(REVEAL):
        raise Http404
    return _reveal(request, get_object_or_404(Customer, pk=pk))


@confirmed
def _reveal(request: HttpRequest, customer: Customer) -> HttpResponse:
    now = timezone.now()
    group = GROUPS.get(request.POST.get("group", ""))
    code, note = request.POST.get("code", ""), request.POST.get("reason", "").strip()
    if group is None or code not in REASONS or not note:
        return _refuse(request, customer, _("Say what you need to see, and why; both are kept."))
    actor = f"staff:{request.user.pk}"
    try:
        revealing.count(actor, "support.reveal", customer.subject_id.bytes, now=now)
        rows = _open(customer, group, actor=actor, reason=f"{code}: {note}", now=now)
    except (TooManyError, PurposeDeniedError) as error:
        return _refuse(request, customer, revealing.why(error))
    context = {
        **admin.site.each_context(request),
        "title": customer.external_id,
        "customer": customer,
        "shown": rows,
    }
    answer = render(request, "profiles/revealed.html", context)
    answer["Cache-Control"] = "no-store"
    return answer


def _open(customer: Customer, group: Group, *, actor: str, reason: str, now: datetime) -> list[Row]:
    values: list[tuple[StrOrPromise, Any]] = [
        (Customer._meta.get_field(name).verbose_name, getattr(customer, name))  # type: ignore[union-attr]
        for name in group.fields
    ]
    with purpose("support.reveal", actor=actor, now=now, reason=reason):
        return [
            Row(label, str(value.reveal()), str(value)) if value else Row(label, "", "–")
            for label, value in values
        ]


def _refuse(request: HttpRequest, customer: Customer, why: Any) -> HttpResponse:
    messages.error(request, why)
    return redirect("admin:profiles_customer_change", customer.pk)
