from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

from profiles.models.event import Kind


class RejectedEvent(models.Model):
    """An event that could not be taken in, sealed as it came; kept for 7 days to be replayed."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    source = models.ForeignKey("privacy.Source", models.CASCADE, related_name="+")
    code = models.CharField(_("code"), max_length=40)
    kind = models.CharField(_("call"), max_length=8, blank=True)
    body = models.BinaryField(_("sealed body"))
    is_confirmed = models.BooleanField(_("sent with a secret key"))
    network = models.CharField(max_length=45, blank=True)
    sent_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(_("received at"))
    tried_at = models.DateTimeField(_("tried again at"), null=True, blank=True)

    class Meta:
        verbose_name = _("rejected event")
        verbose_name_plural = _("rejected events")
        indexes = [
            models.Index(fields=["source", "code", "received_at"], name="rejected_event_by_reason"),
            models.Index(fields=["received_at"], name="rejected_event_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.pk}"


class EventName(models.Model):
    """A name under which events came in, with what they carried; grows with every merge."""

    kind = models.CharField(_("call"), max_length=8, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=200, blank=True)
    carries = models.JSONField(_("properties seen"), default=list)
    n_events = models.BigIntegerField(_("events"), default=0)
    first_at = models.DateTimeField(_("first received"))
    last_at = models.DateTimeField(_("last received"))

    class Meta:
        verbose_name = _("event name")
        verbose_name_plural = _("event names")
        constraints = [models.UniqueConstraint(fields=["kind", "name"], name="event_name_once")]

    def __str__(self) -> str:
        return self.name or str(self.get_kind_display())


class EventDay(models.Model):
    """How many events of a name a source sent on a day (of arrival, UTC): counted at the merge."""

    source = models.ForeignKey("privacy.Source", models.CASCADE, related_name="+", db_index=False)
    day = models.DateField(_("day"))
    kind = models.CharField(_("call"), max_length=8)
    name = models.CharField(_("name"), max_length=200, blank=True)
    n_events = models.BigIntegerField(_("events"))

    class Meta:
        verbose_name = _("events of a day")
        verbose_name_plural = _("events of a day")
        constraints = [
            models.UniqueConstraint(fields=["source", "day", "kind", "name"], name="event_day_once")
        ]
        indexes = [models.Index(fields=["day"], name="event_day_by_day")]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"
