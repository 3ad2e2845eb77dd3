from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from datetime import datetime


class FeedQuerySet(models.QuerySet["Feed"]):
    def due(self, now: datetime) -> FeedQuerySet:
        """Those that are to be fetched now."""
        return self.filter(next_fetch_at__lte=now).exclude(url="")


class Feed(models.Model):
    """A source of products: files brought in under its name, or an address that is fetched.

    With a `country` its prices, stock and links are those of that country; with a `language`
    its titles and descriptions are translations into it.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    url = models.CharField(
        _("address"),
        max_length=1_000,
        blank=True,
        help_text=_("https://… of a file to fetch; empty if files are brought in by hand."),
    )
    every_hours = models.PositiveSmallIntegerField(
        _("fetched every (hours)"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(24 * 7)],
    )
    country = models.CharField(
        _("country"),
        max_length=2,
        blank=True,
        help_text=_("Two letters such as DE; empty for the shop's own prices, stock and links."),
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        help_text=_("Of titles and descriptions; empty for the catalogue's own."),
    )
    is_whole = models.BooleanField(
        _("holds the whole catalogue"),
        default=True,
        help_text=_("What was in it and is not any more goes off sale."),
    )
    encoding = models.CharField(_("encoding"), max_length=20, default="utf-8")
    etag = models.CharField(max_length=200, blank=True, editable=False)
    last_modified = models.CharField(max_length=100, blank=True, editable=False)
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    next_fetch_at = models.DateTimeField(_("next fetch"), null=True, blank=True, editable=False)
    fetched_at = models.DateTimeField(_("last fetch"), null=True, blank=True, editable=False)
    fetch_error = models.CharField(_("what hindered it"), max_length=40, blank=True, editable=False)
    created_at = models.DateTimeField(_("created at"), editable=False)

    objects = FeedQuerySet.as_manager()

    class Meta:
        verbose_name = _("feed")
        verbose_name_plural = _("feeds")
        constraints = [
            models.CheckConstraint(
                name="feed_every_hour_to_week",
                condition=models.Q(every_hours__gte=1, every_hours__lte=24 * 7),
            )
        ]

    def __str__(self) -> str:
        return self.name


class FeedImport(models.Model):
    """One file of a feed, with what became of its rows.

    `held` is our sealed copy until it is brought in, `path` a command's file, which stays where it
    is. `n_missing` products were in the feed before; a majority of them goes off sale only once
    somebody confirms it (`asks`).
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    feed = models.ForeignKey(Feed, models.CASCADE, related_name="imports")
    filename = models.CharField(_("file name"), max_length=200)
    held = models.UUIDField(null=True, editable=False)
    path = models.CharField(max_length=1_000, blank=True)
    fingerprint = models.CharField(_("SHA-256"), max_length=64, blank=True)
    encoding = models.CharField(_("encoding"), max_length=20, default="utf-8")
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    job_uuid = models.UUIDField(null=True, blank=True, editable=False)
    summary = models.JSONField(_("summary"), default=dict)
    n_rejected = models.PositiveIntegerField(_("rejected rows"), default=0)
    n_missing = models.PositiveIntegerField(_("not in it any more"), default=0)
    asks = models.BooleanField(_("waits for a decision"), default=False)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("feed import")
        verbose_name_plural = _("feed imports")
        indexes = [models.Index(fields=["feed", "created_at"], name="feed_import_by_time")]

    def __str__(self) -> str:
        return self.filename


class FeedItem(models.Model):
    """A product as a feed last told it: `digest` of its row, and the import that saw it last.

    So an id that comes twice in one file is known, what is told again is not written again,
    and what a feed no longer holds can be found.
    """

    # No check by the database for each of many rows; the unique index begins with it.
    feed = models.ForeignKey(
        Feed, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    product_id = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=16)
    line = models.PositiveBigIntegerField()
    seen = models.BigIntegerField()
    is_missing = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("feed item")
        verbose_name_plural = _("feed items")
        constraints = [
            models.UniqueConstraint(fields=["feed", "product_id"], name="feed_item_once")
        ]
        indexes = [
            # What the last import of a feed did not see.
            models.Index(fields=["feed", "is_missing", "seen"], name="feed_item_by_import")
        ]

    def __str__(self) -> str:
        return f"item {self.pk} of feed {self.feed_id}"
