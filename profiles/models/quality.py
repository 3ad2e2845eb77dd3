from __future__ import annotations

from typing import Final

from django.db import models
from django.utils.translation import gettext_lazy as _


class Quality(models.TextChoices):
    """What cleaning found of an event or order; a marked one is kept and shown."""

    GOOD = "", _("Good")
    BOT = "bot", _("Program, not a person")
    IMPOSSIBLE = "impossible", _("More than a person can do")
    TEST = "test", _("Test")
    OUTLIER = "outlier", _("Far from the usual")
    REFUNDED = "refunded", _("Refunded more than was paid")


# What bears one of these is left out of every figure; what bears another mark is real money.
NOT_COUNTED: Final = (Quality.BOT.value, Quality.IMPOSSIBLE.value, Quality.TEST.value)


def counted(of: str = "") -> models.Q:
    """What bears none of these; a term for each, for both databases to match it with an index."""
    clean = models.Q()
    for mark in NOT_COUNTED:
        clean &= ~models.Q(**{f"{of}quality": mark})
    return clean


class CleaningState(models.Model):
    """How far cleaning has come in a table."""

    name = models.CharField(primary_key=True, max_length=10)
    last_id = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("state of cleaning")
        verbose_name_plural = _("states of cleaning")

    def __str__(self) -> str:
        return self.name
