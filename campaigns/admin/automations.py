"""The three automations: what each does, its steps, whom it reached, what it earned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import automation_effect, automations, gate, wording
from campaigns.admin import report
from campaigns.automations import StepCounts
from campaigns.models import Automation, Delivery
from privacy.admin.viewing import ThemedAdmin
from privacy.models import Staff
from privacy.problems import DomainError
from profiles import figures

Kind = Automation.Kind
State = Delivery.State
WORDS = {
    Kind.WELCOME: gettext_lazy(
        "Whoever agrees to e-mail is welcomed, and a few days later shown where to begin."
    ),
    Kind.CART: gettext_lazy(
        "Whoever leaves a cart for an hour gets a link that brings it back. It stops when they "
        "come back or buy."
    ),
    Kind.ACCESSORY: gettext_lazy(
        "Whoever bought a device is shown accessories that are known to fit it, and nothing else."
    ),
}
HOUR = 60


class SetUpForm(forms.Form):
    """The delays in hours, the holdout in percent, and for carts the page of the shop."""

    def __init__(self, *args: Any, automation: Automation, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.automation = automation
        for step in automations.steps(automation):
            self.fields[f"delay_{step.position}"] = forms.DecimalField(
                label=_("Step %(n)s after, hours") % {"n": step.position},
                min_value=0,
                max_value=8_760,
                decimal_places=2,
                initial=(Decimal(step.delay_minutes) / HOUR).quantize(Decimal("0.01")),
            )
        self.fields["holdout"] = forms.DecimalField(
            label=_("Holdout, %"),
            min_value=0,
            max_value=50,
            decimal_places=2,
            initial=Decimal(automation.holdout_ppm) / 10_000,
            help_text=_("This part gets no message, so that the effect shows."),
        )
        if automation.kind == Kind.CART:
            self.fields["restore_url"] = forms.URLField(
                label=_("Page of the shop that brings a cart back"),
                required=False,
                assume_scheme="https",
                initial=automation.restore_url,
                help_text=_("“{token}” in it is where the cart's token goes."),
            )

    def apply(self) -> None:
        given = self.cleaned_data
        automations.set_up(
            self.automation,
            delays={
                int(name.removeprefix("delay_")): round(hours * HOUR)
                for name, hours in given.items()
                if name.startswith("delay_")
            },
            holdout_ppm=int(given["holdout"] * 10_000),
            restore_url=given.get("restore_url", ""),
        )


@dataclass(frozen=True)
class Row:
    """A step's numbers, and its bar in the chart."""

    counts: StepCounts
    label: str
    value: float
    text: str

    @property
    def n_waiting(self) -> int:
        return self.counts.n(State.PLANNED, State.CLAIMED, State.SENDING)

    @property
    def n_sent(self) -> int:
        return self.counts.n(State.SENT, State.UNKNOWN)

    @property
    def n_skipped(self) -> int:
        return self.counts.n(State.SKIPPED)

    @property
    def n_failed(self) -> int:
        return self.counts.n(State.FAILED)

    @property
    def n_holdout(self) -> int:
        return self.counts.n(State.HOLDOUT)


@permission_required("campaigns.view_automation", raise_exception=True)
def automation_page(request: HttpRequest, kind: str) -> HttpResponse:
    """One automation; POST keeps its delays."""
    automation = _find(kind)
    if automation is None:
        raise Http404
    may_edit = request.user.has_perm("campaigns.change_automation")
    posted = request.POST if request.method == "POST" and may_edit else None
    form = SetUpForm(posted, automation=automation)
    if posted is not None and form.is_valid():
        try:
            form.apply()
        except DomainError as error:
            messages.error(request, error.detail)
        else:
            messages.success(request, _("Kept; it counts for whoever enters from now on."))
            return redirect("admin:campaigns_automation_page", kind)
    now, language = timezone.now(), get_language() or "en"
    found = automation_effect.report(automation, now)
    context = {
        **admin.site.each_context(request),
        "title": automation.get_kind_display(),
        "automation": automation,
        "words": WORDS[Kind(kind)],
        "form": form,
        "rows": _rows(automation),
        "why_not": _why_not(automation),
        "report": found,
        "verdict": wording.verdict_text(found, language) if found else "",
        "tone": report.TONES.get(found.verdict.code, "warn") if found else "warn",
        "differences": report.difference_charts(found) if found else [],
        "arms": report.arms_of(found) if found else [],
        "may_edit": may_edit,
        "may_switch": request.user.has_perm("campaigns.approve_campaign"),
        "may_stop": request.user.has_perm("campaigns.pause_campaign"),
    }
    return render(request, "campaigns/admin/automation.html", context)


@require_POST
def switch_action(request: HttpRequest, kind: str, verb: str) -> HttpResponse:
    """Set an automation up, switch it on or off."""
    if verb not in VERBS:
        raise Http404
    needed, act = VERBS[verb]
    if not isinstance(request.user, Staff) or not request.user.has_perm(needed):
        raise PermissionDenied
    if kind not in Kind.values:
        raise Http404
    try:
        act(kind, request.user)
    except DomainError as error:
        messages.error(request, " ".join([error.detail, *(f.detail for f in error.errors)]))
    return redirect("admin:campaigns_automation_page", kind)


def _prepare(kind: str, staff: Staff) -> None:
    automations.prepare(kind, staff=staff, now=timezone.now())


def _on(kind: str, staff: Staff) -> None:
    automation = get_object_or_404(Automation, kind=kind)
    automations.switch_on(automation, staff=staff, now=timezone.now())


def _off(kind: str, _staff: Staff) -> None:
    automations.switch_off(get_object_or_404(Automation, kind=kind))


VERBS: dict[str, tuple[str, Callable[[str, Staff], None]]] = {
    "prepare": ("campaigns.change_automation", _prepare),
    "on": ("campaigns.approve_campaign", _on),
    "off": ("campaigns.pause_campaign", _off),
}


def _find(kind: str) -> Automation | None:
    return Automation.objects.filter(kind=kind).first()


def _rows(automation: Automation) -> list[Row]:
    language = get_language() or "en"
    rows = []
    for one in automations.counts(automation):
        n_sent = one.n(State.SENT, State.UNKNOWN)
        label = _("Step %(n)s") % {"n": one.step.position}
        rows.append(Row(one, label, n_sent, figures.number(n_sent, language)))
    return rows


def _why_not(automation: Automation) -> list[tuple[Any, int]]:
    mine = Delivery.objects.filter(campaign__step__automation=automation)
    return [(gate.in_words(reason), n) for reason, n in mine.reasons()]


@admin.register(Automation)
class AutomationAdmin(ThemedAdmin[Automation]):
    """The list is a page of three cards."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        there = {one.kind: one for one in Automation.objects.all()}
        cards = [
            {
                "kind": kind,
                "label": kind.label,
                "words": words,
                "automation": there.get(kind),
                "rows": _rows(there[kind]) if kind in there else [],
            }
            for kind, words in WORDS.items()
        ]
        context = {
            **admin.site.each_context(request),
            "title": _("Automations"),
            "cards": cards,
            "may_edit": request.user.has_perm("campaigns.change_automation"),
        }
        return render(request, "campaigns/admin/automations.html", context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name="campaigns_automation_changelist"),
            path("<slug:kind>/", view(automation_page), name="campaigns_automation_page"),
            path(
                "<slug:kind>/do/<slug:verb>/", view(switch_action), name="campaigns_automation_verb"
            ),
        ]
