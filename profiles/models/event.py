from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from profiles.models.quality import Quality, counted

# What these tell of is money: it counts once a secret key vouches for it.
ORDER_EVENTS = ("Order Completed", "Order Updated", "Order Cancelled", "Order Refunded")


class Kind(models.TextChoices):
    """The calls of Segment's tracking specification."""

    TRACK = "track", _("Track")
    IDENTIFY = "identify", _("Identify")
    PAGE = "page", _("Page")
    SCREEN = "screen", _("Screen")
    GROUP = "group", _("Group")
    ALIAS = "alias", _("Alias")


class Event(models.Model):
    """Something a customer did; free of personal data.

    On PostgreSQL the table is partitioned by the month of `happened_at` (migration
    `0002_partition_events`), so nothing may hold a foreign key to an event. `id` grows with
    every merge: a reader can keep the last one it saw as its watermark.
    """

    source = models.ForeignKey(
        "privacy.Source", models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    message_id = models.CharField(_("message id"), max_length=100)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=200)
    customer = models.ForeignKey(
        "profiles.Customer",
        models.CASCADE,
        null=True,
        related_name="events",
        db_index=False,
        verbose_name=_("customer"),
    )
    anonymous_id = models.CharField(_("anonymous id"), max_length=200, blank=True)
    product_id = models.CharField(_("product id"), max_length=100, blank=True)
    properties = models.JSONField(_("properties"), default=dict)
    context = models.JSONField(_("context"), default=dict)
    is_confirmed = models.BooleanField(_("vouched for by a secret key"), default=True)
    quality = models.CharField(
        _("quality"), max_length=10, choices=Quality.choices, blank=True, db_default=""
    )
    happened_at = models.DateTimeField(_("happened at"))
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        indexes = [
            # A customer's history, newest first; traits and segments of the customers who changed.
            # What segments count by stands in it, so that a few are counted without their events.
            models.Index(
                fields=["customer", "happened_at", "name", "kind", "quality"],
                name="event_of_customer",
                condition=models.Q(customer__isnull=False),
            ),
            # Who did something by that name in a window, without what cleaning marked: segments.
            # The customer stands in the index, so that counting reads nothing else.
            models.Index(
                fields=["name", "happened_at", "customer"],
                name="event_by_name",
                condition=models.Q(customer__isnull=False, kind="track") & counted(),
            ),
            # What an anonymous visitor did is given to the customer who logs in later.
            models.Index(
                fields=["anonymous_id"],
                name="event_of_stranger",
                condition=models.Q(customer__isnull=True),
            ),
            # What cleaning marked.
            models.Index(
                fields=["quality"], name="event_marked", condition=models.Q(quality__gt="")
            ),
            # Orders told by a browser or an app, for the secret key that confirms them.
            models.Index(
                fields=["message_id"],
                name="event_to_confirm",
                condition=models.Q(is_confirmed=False, name__in=ORDER_EVENTS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class EventStaging(models.Model):
    """The accepted events of a request, which wait for the merge: one row, short-lived.

    `events` is for `profiles.events.staging` to write and to read.
    """

    source = models.ForeignKey(
        "privacy.Source", models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    is_confirmed = models.BooleanField()
    received_at = models.DateTimeField()
    n_events = models.PositiveIntegerField()
    events = models.TextField()

    class Meta:
        verbose_name = _("staged event")
        verbose_name_plural = _("staged events")

    def __str__(self) -> str:
        return f"{self.n_events} events {self.pk}"


class EventKey(models.Model):
    """A message id seen lately: a second event of that id from the same source is dropped.

    `staging_id` tells one merge's ids from another's: it is the first of that merge's parcels.
    While only a browser or app key has told of it (`is_open`), an order of that id that a
    secret key tells of takes its place.
    """

    pk = models.CompositePrimaryKey("source_id", "message_id")
    source = models.ForeignKey(
        "privacy.Source", models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    message_id = models.CharField(max_length=100)
    staging_id = models.BigIntegerField()
    is_open = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("seen message id")
        verbose_name_plural = _("seen message ids")
        indexes = [models.Index(fields=["seen_at"], name="event_key_by_age")]

    def __str__(self) -> str:
        return self.message_id


class EventVerdict(models.Model):
    """What became of an event that was not simply taken in; shown in the event log for 7 days."""

    class Verdict(models.TextChoices):
        REJECTED = "rejected", _("Rejected")
        DUPLICATE = "duplicate", _("Duplicate")
        WARNED = "warned", _("Accepted with a warning")
        TEST = "test", _("Test, not kept")

    source = models.ForeignKey("privacy.Source", models.CASCADE, related_name="+")
    message_id = models.CharField(_("message id"), max_length=100, blank=True)
    kind = models.CharField(_("kind"), max_length=8, blank=True)
    name = models.CharField(_("name"), max_length=200, blank=True)
    verdict = models.CharField(_("verdict"), max_length=9, choices=Verdict.choices)
    code = models.CharField(_("code"), max_length=40, blank=True)
    is_test = models.BooleanField(_("of a test key"), default=False)
    received_at = models.DateTimeField(_("received at"))

    class Meta:
        verbose_name = _("verdict on an event")
        verbose_name_plural = _("verdicts on events")
        indexes = [
            models.Index(fields=["source", "received_at"], name="event_verdict_of_source"),
            models.Index(fields=["received_at"], name="event_verdict_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} {self.code}"
