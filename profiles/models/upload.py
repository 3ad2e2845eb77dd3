from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Upload(models.Model):
    """A file brought in by staff or a command, with what became of its rows.

    `path` is empty once our copy of the file is deleted; that one is sealed under `uuid`. A
    command's file stays where it is, and is known by `fingerprint`.
    """

    class Kind(models.TextChoices):
        ORDERS = "orders", _("Orders")
        CUSTOMERS = "customers", _("Customers")
        CONSENTS = "consents", _("Consents")
        SUPPRESSIONS = "suppressions", _("Suppressions")
        EVENTS = "events", _("Events")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices)
    filename = models.CharField(_("file name"), max_length=200)
    fingerprint = models.CharField(_("SHA-256"), max_length=64)
    path = models.CharField(_("path"), max_length=1000, blank=True)
    options = models.JSONField(_("options"), default=dict)
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    job_uuid = models.UUIDField(null=True, blank=True, editable=False)
    summary = models.JSONField(_("summary"), default=dict)
    n_rejected = models.PositiveIntegerField(_("rejected rows"), default=0)
    created_at = models.DateTimeField(_("created at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("upload")
        verbose_name_plural = _("uploads")
        indexes = [models.Index(fields=["created_at"], name="upload_by_time")]

    def __str__(self) -> str:
        return self.filename


class StagedLine(models.Model):
    """A good line of an order file on its way into orders; gone once it has arrived.

    `price` is the unit price as written, without needless zeros: part of the line's key.
    `occurrence` tells equal refunds apart. `quantity` counts upwards for refunds too. Amounts are in minor units of `currency`,
    `total_minor` signed as in the file.
    """

    class Kind(models.TextChoices):
        SALE = "sale", _("Sale")
        REFUND = "refund", _("Refund")

    # No check by the database for each of many short-lived rows; the index below begins with it.
    upload = models.ForeignKey(
        "profiles.Upload", models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    line_number = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    number = models.CharField(max_length=100)
    customer = models.CharField(max_length=100, blank=True)
    product = models.CharField(max_length=100)
    title = models.CharField(max_length=200, blank=True)
    category = models.CharField(max_length=100, blank=True)
    quantity = models.PositiveIntegerField()
    price = models.CharField(max_length=24)
    unit_price_minor = models.BigIntegerField()
    discount_minor = models.BigIntegerField()
    total_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    placed_at = models.DateTimeField()
    country = models.CharField(max_length=60, blank=True)
    status = models.CharField(max_length=9)
    occurrence = models.PositiveIntegerField(db_default=1)

    class Meta:
        verbose_name = _("staged line")
        verbose_name_plural = _("staged lines")
        indexes = [
            # Whole orders are taken in ranges of their number.
            models.Index(fields=["upload", "kind", "number", "line_number"], name="staged_order"),
            # Refunds are matched in the order of time.
            models.Index(
                fields=["upload", "placed_at", "line_number"],
                name="staged_refund",
                condition=models.Q(kind="refund"),
            ),
        ]

    def __str__(self) -> str:
        return f"line {self.line_number} of upload {self.upload_id}"
