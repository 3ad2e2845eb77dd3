from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from profiles import persona_runs, personas


@permission_required("profiles.view_persona", raise_exception=True)
def runs_page(request: HttpRequest) -> HttpResponse:
    """How the personas came about and what has become of them since."""
    language = get_language() or "en"
    runs, run = persona_runs.newest(), personas.current_run()
    shown, sizes = persona_runs.sizes(runs, language)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Runs of personas"),
        "run": run,
        "runs": runs,
        "shown": shown,
        "sizes": sizes,
    }
    if run is not None:
        context |= {
            "evidence": persona_runs.evidence(run),
            "silhouettes": persona_runs.bars(run, "silhouette"),
            "stabilities": persona_runs.bars(run, "stability", mark=persona_runs.MIN_STABILITY),
            "moves": persona_runs.moves(run, language),
            "drift": persona_runs.drift_of(run, language),
            "warning": persona_runs.warning(run),
            "orphaned": persona_runs.orphaned(run),
        }
    return render(request, "profiles/persona_runs.html", context)
