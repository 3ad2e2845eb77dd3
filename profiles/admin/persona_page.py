from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import get_language

from profiles import figures, persona_runs, personas, protected_traits, registry
from profiles.features.facts import Fact
from profiles.models import Customer, Persona
from profiles.persona_runs import Bar

EXAMPLES = 5


@permission_required("profiles.view_persona", raise_exception=True)
def persona_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One persona: what sets it apart, what it buys, how it has grown, who is in it."""
    persona = get_object_or_404(Persona.objects.select_related("run"), pk=pk)
    language = get_language() or "en"
    card = personas.card(persona, language)
    trend = persona_runs.trend(persona)
    titles = registry.titles_in(language, [one["product_id"] for one in persona.products])
    bars = [_bar(one, titles, language) for one in persona.products]
    with personas.speaking(language):
        facts = [(personas.label_of(fact), fact) for fact in _strongest_first(persona)]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"{card.number}. {card.title}",
        "card": card,
        "persona": persona,
        "products": list(zip(persona.products, bars, strict=True)),
        "product_bars": bars,
        "trend": trend,
        "trend_values": [share for _at, _n, share in trend],
        "facts": facts,
        "protected": protected_traits.used_by(persona.run),
        "examples": _examples(request, persona),
    }
    return render(request, "profiles/persona.html", context)


def _strongest_first(persona: Persona) -> list[Fact]:
    return sorted(personas.facts_of(persona), key=lambda fact: (-abs(fact.effect), fact.key))


def _bar(product: dict[str, Any], titles: Mapping[str, str], language: str) -> Bar:
    share, everyone = (figures.percent(product[name], language) for name in ("share", "everyone"))
    title = titles.get(product["product_id"]) or product["title"] or product["product_id"]
    return Bar(title, product["share"], f"{share} / {everyone}", product["everyone"])


def _examples(request: HttpRequest, persona: Persona) -> QuerySet[Customer] | None:
    """A few of its customers, masked; None for whoever may not see customers."""
    if not request.user.has_perm("profiles.view_customer"):
        return None
    members: QuerySet[Customer] = Customer.objects.for_purpose("profile.build")
    mine = members.filter(traits__persona=persona).select_related("subject")
    return mine.order_by("pk")[:EXAMPLES]
