"""Personas as people read them: facts are stored, words are made when they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from profiles import figures, occupation_words, registry
from profiles.features.facts import MORE, PROTECTED, Fact, apart, more, said
from profiles.models import ClusteringRun, Persona
from profiles.persona_words import WORDS
from profiles.segment_words import label, money

BETWEEN_SCRIPTS: Final = re.compile(
    r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])(?=[\u4e00-\u9fff])"
)
RHYTHM = ("frequency", "tenure", "recency", "value", "order", "refund", "channel", "answers")


class _Catalogue:
    """What the catalogue calls its categories in a language; asked once, when it is needed."""

    def __init__(self, language: str) -> None:
        self.language = language

    @cached_property
    def categories(self) -> Mapping[str, str]:
        return registry.categories_in(self.language)


_catalogue: Final[ContextVar[_Catalogue | None]] = ContextVar("catalogue_words", default=None)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Have everything within said in `language`; the catalogue is asked once for its words."""
    known = _catalogue.get()
    same = known is not None and known.language == language
    token = _catalogue.set(known if same else _Catalogue(language))
    try:
        with translation.override(language):
            yield
    finally:
        _catalogue.reset(token)


@dataclass(frozen=True)
class Contrast:
    """One thing that sets a persona apart: shares are 0-1, `n` customers of the persona.

    `is_protected` marks what is only described and never used to form clusters.
    """

    label: str
    share: float
    everyone: float
    n: int
    effect: float
    is_protected: bool


@dataclass(frozen=True)
class Typical:
    """The median of a number over the persona's customers, ready to show."""

    label: str
    text: str


@dataclass(frozen=True)
class PersonaCard:
    """What a page shows of a persona; `rule` is the segment of its customers.

    `number` is the one it keeps from run to run.
    """

    pk: int
    number: int
    title: str
    sentence: str
    n_customers: int
    share: float
    revenue_share: float
    typical: tuple[Typical, ...]
    contrasts: tuple[Contrast, ...]
    rule: dict[str, Any]


def current_run() -> ClusteringRun | None:
    return ClusteringRun.objects.filter(is_current=True).first()


def titles(language: str) -> dict[int, str]:
    """Return what each persona in use is called, by the key that rules name."""
    found = Persona.objects.filter(run__is_current=True, key__isnull=False).order_by("number")
    with speaking(language):
        return {one.key: title(one, language) for one in found if one.key is not None}


def overview(run: ClusteringRun, language: str) -> list[PersonaCard]:
    """Return the run's personas, the most worth first, in words of `language`."""
    with speaking(language):
        return [
            _card(persona, language, run.currency) for persona in run.personas.order_by("number")
        ]


def card(persona: Persona, language: str) -> PersonaCard:
    """Return one persona of whatever run, in words of `language`."""
    with speaking(language):
        return _card(persona, language, persona.run.currency)


def label_of(fact: Fact) -> str:
    """Return what the fact says, in the language that is active."""
    return _worded(fact.code, fact.value, kind="label")


def sentence(persona: Persona, language: str) -> str:
    """Return who the persona is in one sentence; each word has a stored share behind it."""
    facts = facts_of(persona)
    with speaking(language):
        clauses = [*_who(facts), *_buys(facts), *_phrases(facts, *RHYTHM)]
        if not clauses:
            return _much_alike(facts)
        return _("%(clauses)s.") % {
            "clauses": _capital(pgettext("between clauses", ", ").join(clauses))
        }


def title(persona: Persona, language: str) -> str:
    """Return the persona's name of two or so words, different within its run if facts allow."""
    with speaking(language):
        words = [_titled(key) for key in persona.title]
        return _capital(pgettext("between values", ", ").join(words)) or _("Typical customers")


def facts_of(persona: Persona) -> list[Fact]:
    return [Fact(**fact) for fact in persona.facts]


def as_text(run: ClusteringRun, language: str) -> str:
    """Return the run for a terminal: what it is worth, then a paragraph for each persona."""
    with speaking(language):
        lines = [_quality(run)]
        for card in overview(run, language):
            counted = ngettext("%(n)s customer", "%(n)s customers", card.n_customers)
            lines += [
                "",
                f"{card.number}. {card.title}: {counted % {'n': card.n_customers}}"
                f" ({card.share:.0%}), "
                + _("%(share)s of revenue")
                % {"share": f"{card.revenue_share:.0%}"},
                f"   {card.sentence}",
            ]
            lines += [
                "   "
                + _("%(label)s: %(share)s, all customers %(everyone)s")
                % {
                    "label": one.label,
                    "share": f"{one.share:.0%}",
                    "everyone": f"{one.everyone:.0%}",
                }
                for one in card.contrasts
            ]
    return "\n".join(lines)


def _quality(run: ClusteringRun) -> str:
    text = _("%(n)s customers as of %(day)s in %(k)s personas") % {
        "n": run.n_customers,
        "day": f"{run.as_of:%Y-%m-%d}",
        "k": run.n_clusters,
    }
    if run.silhouette is None or run.stability is None:
        return text + _(" (no split holds)")
    return text + _(" (silhouette %(silhouette)s, bootstrap ARI %(stability)s)") % {
        "silhouette": f"{run.silhouette:.3f}",
        "stability": f"{run.stability:.2f}",
    }


def _card(persona: Persona, language: str, currency: str) -> PersonaCard:
    return PersonaCard(
        pk=persona.pk,
        number=persona.shown_number,
        title=title(persona, language),
        sentence=sentence(persona, language),
        n_customers=persona.n_customers,
        share=persona.share,
        revenue_share=persona.revenue_share,
        typical=tuple(
            Typical(
                label(name),
                money(round(value), currency, language)
                if name.endswith("_minor")
                else f"{value:g}",
            )
            for name, value in persona.centre.items()
        ),
        contrasts=tuple(
            Contrast(
                label=_worded(fact.code, fact.value, kind="label"),
                share=fact.share,
                everyone=fact.everyone,
                n=fact.n,
                effect=fact.effect,
                is_protected=fact.code in PROTECTED,
            )
            for fact in apart(facts_of(persona))
        ),
        rule={
            "combinator": "and",
            "not": False,
            "rules": [{"field": "persona", "operator": "=", "value": persona.shown_number}],
        },
    )


def _who(facts: list[Fact]) -> list[str]:
    place = _phrases(facts, "city") or _phrases(facts, "country")
    return [*_phrases(facts, "age_band", "gender"), *place, *_phrases(facts, "occupation")]


def _buys(facts: list[Fact]) -> list[str]:
    categories = [
        _worded(one.code, one.value, kind="phrase") for one in said(facts, "category", most=2)
    ]
    what = pgettext("between values", " and ").join(categories) or _phrase(facts, "price")
    how, hour, weekend = (_phrase(facts, code) for code in ("discount", "hour", "weekend"))
    if not what + how + hour + weekend:
        return []
    words = {"what": what, "how": how, "hour": hour, "weekend": weekend}
    return [" ".join((_("buys %(what)s %(how)s %(hour)s %(weekend)s") % words).split())]


def _phrase(facts: list[Fact], code: str) -> str:
    return "".join(_phrases(facts, code))


def _much_alike(facts: list[Fact]) -> str:
    words = [_worded(fact.code, fact.value, kind="title") for fact in more(facts)]
    if not words:
        return _("Much like all customers.")
    return _("Much like all customers, with more %(words)s.") % {
        "words": pgettext("between values", " and ").join(words)
    }


def _titled(key: str) -> str:
    code, value = key.removeprefix(MORE).split(":", 1)
    word = _worded(code, value, kind="title")
    return _("more %(word)s") % {"word": word} if key.startswith(MORE) else word


def _phrases(facts: list[Fact], *codes: str) -> list[str]:
    words = [
        _worded(fact.code, fact.value, kind="phrase")
        for code in codes
        for fact in said(facts, code)
    ]
    return [word for word in words if word]


def _worded(code: str, value: str, *, kind: str) -> str:
    words = WORDS.get(f"{code}:{value}") or WORDS[code]
    return spaced(str(getattr(words, kind)) % {"value": _shown(code, value, kind=kind)})


def _shown(code: str, value: str, *, kind: str) -> str:
    """A shop's own category loses its capital within an English sentence: cables, USB hubs."""
    if code == "age_band":
        return value.replace("-", "–")
    if code == "country":
        return figures.country(value, translation.get_language() or "en")
    if code == "occupation":
        return occupation_words.said(value)
    if code == "category":
        language = translation.get_language() or "en"
        catalogue = _catalogue.get() or _Catalogue(language)
        value = catalogue.categories.get(value, value)
        if kind != "label" and value[1:2].islower() and language.startswith("en"):
            return value[:1].lower() + value[1:]
    return value


def spaced(text: str) -> str:
    """Keep Latin words apart from the Chinese ones they stand among."""
    return BETWEEN_SCRIPTS.sub(" ", text)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
