"""Occupations by one word each, whatever language they came in; others stay as they were told."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

# Kept in lower-case English; each language's word is understood and shown.
WORDS: Final[dict[str, Promise | str]] = {
    "accountant": pgettext_lazy("occupation", "accountant"),
    "architect": pgettext_lazy("occupation", "architect"),
    "artist": pgettext_lazy("occupation", "artist"),
    "chef": pgettext_lazy("occupation", "chef"),
    "civil servant": pgettext_lazy("occupation", "civil servant"),
    "consultant": pgettext_lazy("occupation", "consultant"),
    "craftsperson": pgettext_lazy("occupation", "craftsperson"),
    "designer": pgettext_lazy("occupation", "designer"),
    "developer": pgettext_lazy("occupation", "developer"),
    "doctor": pgettext_lazy("occupation", "doctor"),
    "driver": pgettext_lazy("occupation", "driver"),
    "engineer": pgettext_lazy("occupation", "engineer"),
    "farmer": pgettext_lazy("occupation", "farmer"),
    "freelancer": pgettext_lazy("occupation", "freelancer"),
    "journalist": pgettext_lazy("occupation", "journalist"),
    "lawyer": pgettext_lazy("occupation", "lawyer"),
    "manager": pgettext_lazy("occupation", "manager"),
    "nurse": pgettext_lazy("occupation", "nurse"),
    "office worker": pgettext_lazy("occupation", "office worker"),
    "photographer": pgettext_lazy("occupation", "photographer"),
    "pilot": pgettext_lazy("occupation", "pilot"),
    "police officer": pgettext_lazy("occupation", "police officer"),
    "retired": pgettext_lazy("occupation", "retired"),
    "sales": pgettext_lazy("occupation", "sales"),
    "scientist": pgettext_lazy("occupation", "scientist"),
    "shop owner": pgettext_lazy("occupation", "shop owner"),
    "student": pgettext_lazy("occupation", "student"),
    "teacher": pgettext_lazy("occupation", "teacher"),
    "worker": pgettext_lazy("occupation", "worker"),
}


def code_of(text: str) -> str:
    """The word an occupation is kept by; the text itself where it is none of ours."""
    return _codes().get(text.strip().casefold(), text)


def said(text: str) -> str:
    """The occupation in the language that is active."""
    return str(WORDS.get(code_of(text), text))


@lru_cache(maxsize=1)
def _codes() -> dict[str, str]:
    codes = {code: code for code in WORDS}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            codes |= {str(word).casefold(): code for code, word in WORDS.items()}
    return codes
