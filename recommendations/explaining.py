"""Reasons: a code and product ids are stored, words are made when they are shown."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from django.db import models
from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Sequence


class Reason(models.TextChoices):
    """Why a product is shown."""

    BOUGHT = "because_you_bought", _("Goes with what you bought")
    LOOKED = "because_you_looked", _("Goes with what you looked at")
    TOGETHER = "bought_together", _("Often bought together")
    POPULAR_NOW = "popular_this_month", _("Popular this month")
    POPULAR = "popular", _("Popular with our customers")
    FITS = "fits_what_you_own", _("Fits what you own")
    AGAIN = "you_bought_it", _("You bought this before")
    VIEWED = "you_looked_at_it", _("You looked at this lately")
    TRENDING = "trending", _("On the rise this week")
    NEW = "new", _("New in the shop")
    PINNED = "picked", _("Picked by the shop")


# Of these, what the product is based on is named.
NAMING: Final = {
    Reason.BOUGHT.value: gettext_noop("Because you bought %(title)s"),
    Reason.LOOKED.value: gettext_noop("Because you looked at %(title)s"),
    Reason.TOGETHER.value: gettext_noop("Often bought together with %(title)s"),
    Reason.FITS.value: gettext_noop("Fits %(title)s"),
}
Phrases = dict[str, tuple[str, str]]  # of each code: by itself, and with what it is based on
LABELS: Final = {reason.value: reason.label for reason in Reason}


def words(code: str, titles: Sequence[str]) -> str:
    """Say a reason in the active language; `titles` are of the products it is based on.

    Only the first is named: it contributes most, and a strip has little room.
    """
    return said(_phrases(get_language()), code, titles[0] if titles else "")


def phrases() -> Phrases:
    """How the active language says the reasons, for who says many of them: to look each up is slow."""
    return _phrases(get_language())


def said(phrases: Phrases, code: str, title: str) -> str:
    """Say a reason; an empty `title` names nothing."""
    label, naming = phrases[code]
    return naming % {"title": title} if title and naming else label


@lru_cache(maxsize=16)
def _phrases(_language: str | None) -> Phrases:
    return {
        code: (str(label), gettext(NAMING[code]) if code in NAMING else "")
        for code, label in LABELS.items()
    }
