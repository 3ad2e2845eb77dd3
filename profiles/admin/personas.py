from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from privacy.admin.viewing import ViewOnlyAdmin
from profiles import asking, persona_runs, personas, protected_traits, segmentation
from profiles.admin.persona_page import persona_page
from profiles.admin.persona_runs import runs_page
from profiles.models import Persona, Segment
from profiles.personas import PersonaCard


@dataclass(frozen=True)
class Bar:
    """A share of the persona beside that of everyone; both in 0-1."""

    label: str
    value: float
    mark: float
    text: str


@admin.register(Persona)
class PersonaAdmin(ViewOnlyAdmin[Persona]):
    """Who the customers are: one page of cards instead of a list."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = personas.current_run()
        cards = personas.overview(run, get_language() or "en") if run else []
        context = {
            **self.admin_site.each_context(request),
            **(extra_context or {}),
            "title": _("Personas"),
            "run": run,
            "warning": persona_runs.warning(run),
            "protected": protected_traits.used_by(run) if run else [],
            "cards": [(card, _bars(card)) for card in cards],
            "may_build": request.user.has_perm("profiles.add_segment"),
        }
        return render(request, "profiles/personas.html", context)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("runs/", wrap(runs_page), name="profiles_persona_runs"),
            path("build/", wrap(build_action), name="profiles_persona_build"),
            path("<int:pk>/change/", wrap(persona_page), name="profiles_persona_change"),
            path("<int:pk>/segment/", wrap(segment_action), name="profiles_persona_segment"),
            *super().get_urls(),
        ]


def _bars(card: PersonaCard) -> list[Bar]:
    return [
        Bar(
            one.label,
            one.share,
            one.everyone,
            _("%(share)s%% against %(everyone)s%%")
            % {"share": f"{one.share * 100:.0f}", "everyone": f"{one.everyone * 100:.0f}"},
        )
        for one in card.contrasts
    ]


@require_POST
def build_action(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("profiles.add_segment"):
        raise PermissionDenied
    asking.ask_for_build(timezone.now())
    return redirect("admin:jobs_job_changelist")


@require_POST
def segment_action(request: HttpRequest, pk: int) -> HttpResponse:
    """Make the persona a segment, or open the one there is."""
    if not request.user.has_perm("profiles.add_segment"):
        raise PermissionDenied
    persona = get_object_or_404(Persona.objects.select_related("run"), run__is_current=True, key=pk)
    card = next(
        card
        for card in personas.overview(persona.run, get_language() or "en")
        if card.number == persona.shown_number
    )
    segment = Segment.objects.filter(rule=card.rule).first() or segmentation.create(
        segmentation.free_name(card.title), card.rule, now=timezone.now()
    )
    return redirect("admin:profiles_segment_change", segment.pk)
