"""Reasons: a code and product ids are stored, words are made when they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import models
from django.utils.translation import gettext, gettext_noop
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
LABELS: Final = {reason.value: reason.label for reason in Reason}


def words(code: str, titles: Sequence[str]) -> str:
    """Say a reason in the active language; `titles` are of the products it is based on.

    Only the first is named: it contributes most, and a strip has little room.
    """
    if titles and code in NAMING:
        return gettext(NAMING[code]) % {"title": titles[0]}
    return str(LABELS[code])
