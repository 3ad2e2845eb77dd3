"""The event debugger: what comes in, as it comes in, and what becomes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from privacy.models import Source
from profiles.admin.event_names import REPLAY
from profiles.events import debugging, verdict_words
from profiles.events.debugging import Line, Wanted

N_LINES = 50


@dataclass(frozen=True)
class Row:
    line: Line
    source: str
    verdict: str | Promise
    tone: str
    reasons: list[tuple[str, str | Promise]]


@staff_member_required
@permission_required("profiles.view_event", raise_exception=True)
@never_cache
def debugger_page(request: HttpRequest) -> HttpResponse:
    """The page; asked by itself once a second, the rows alone, and nothing if none is new."""
    sources = dict(Source.objects.order_by("name").values_list("pk", "name"))
    wanted = _wanted(request, sources)
    lines = debugging.lines(wanted, now=timezone.now(), limit=N_LINES)
    seen = hashlib.sha256(repr(lines).encode()).hexdigest()[:16]
    is_polling = "HX-Request" in request.headers
    if is_polling and request.GET.get("seen") == seen:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    context = {
        **admin.site.each_context(request),
        "title": _("Event debugger"),
        "rows": [_row(line, sources) for line in lines],
        "wanted": wanted,
        "sources": sources.items(),
        "verdicts": [(value, verdict_words.VERDICTS[value]) for value in debugging.VERDICTS],
        "next": urlencode(
            {"source": wanted.source_id or "", "verdict": wanted.verdict, "name": wanted.name}
            | {"seen": seen}
        ),
        "may_replay": request.user.has_perm(REPLAY),
    }
    name = "profiles/debugger_rows.html" if is_polling else "profiles/debugger.html"
    return render(request, name, context)


def _wanted(request: HttpRequest, sources: dict[int, str]) -> Wanted:
    """What the filter asks for; what there is none of does not narrow."""
    source, verdict = request.GET.get("source", ""), request.GET.get("verdict", "")
    known = source.isascii() and source.isdigit() and int(source) in sources
    return Wanted(
        source_id=int(source) if known else None,
        verdict=verdict if verdict in debugging.VERDICTS else "",
        name=request.GET.get("name", "").replace("\0", "").strip()[:200],
    )


def _row(line: Line, sources: dict[int, str]) -> Row:
    return Row(
        line=line,
        source=sources.get(line.source_id, ""),
        verdict=verdict_words.VERDICTS[line.verdict],
        tone=verdict_words.TONES.get(line.verdict, ""),
        reasons=[(code, verdict_words.CODES.get(code, "")) for code in line.codes],
    )
