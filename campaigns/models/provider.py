from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.core.validators import MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import date, datetime


FIRST_DAY, WARM_UP_DAYS = 200, 14
DOMAIN = "@"


@dataclass(frozen=True, slots=True)
class WarmUpDay:
    """A day of the warm-up: how many messages it lets through, and all days up to it."""

    day: date
    quota: int
    total: int


class Provider(models.Model):
    """A mail server, or the outbox, with what all workers share: its rate and its breaker.

    A name such as “@gmail.com” is a domain that receives: mail to it keeps to a rate of its own.
    From `warm_up_from` on a day's messages double from day to day, so that receivers come to know
    the sender; `n_counted` are those of the day `counted_on`.

    `tokens` are the messages that may go at once as of `refilled_at`. `n_failures` counts
    batches in a row in which the server failed as a whole; from `opened_until` on one message
    tries whether it is back.
    """

    name = models.CharField(_("name"), max_length=255, unique=True)
    per_minute = models.PositiveIntegerField(
        _("messages per minute"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("All workers together hand over no more; empty for no limit."),
    )
    warm_up_from = models.DateField(
        _("warm-up from"),
        null=True,
        blank=True,
        help_text=_("200 messages on that day, twice as many on each next one, for two weeks."),
    )
    counted_on = models.DateField(null=True, blank=True, editable=False)
    n_counted = models.PositiveBigIntegerField(default=0, editable=False)
    tokens = models.FloatField(default=0, editable=False)
    refilled_at = models.DateTimeField(null=True, blank=True, editable=False)
    n_failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    opened_until = models.DateTimeField(_("closed until"), null=True, blank=True, editable=False)
    last_error = models.CharField(_("last error"), max_length=60, blank=True, editable=False)
    failed_at = models.DateTimeField(_("failed at"), null=True, blank=True, editable=False)
    limited_at = models.DateTimeField(_("limited at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("mail server")
        verbose_name_plural = _("channel health")

    def __str__(self) -> str:
        return self.name

    def quota(self, now: datetime) -> int | None:
        """How many messages the warm-up lets through on the day of `now` (UTC); None: no end."""
        if self.warm_up_from is None:
            return None
        day = (now.date() - self.warm_up_from).days
        return FIRST_DAY * 2**day if 0 <= day < WARM_UP_DAYS else None

    def warm_up(self) -> list[WarmUpDay]:
        """The whole plan, day by day; empty without one."""
        if self.warm_up_from is None:
            return []
        return [
            WarmUpDay(
                self.warm_up_from + timedelta(days=n),
                FIRST_DAY * 2**n,
                FIRST_DAY * (2 ** (n + 1) - 1),
            )
            for n in range(WARM_UP_DAYS)
        ]

    def counted(self, now: datetime) -> int:
        return self.n_counted if self.counted_on == now.date() else 0

    def is_shut(self, now: datetime) -> bool:
        return self.opened_until is not None and self.opened_until > now
