from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class UploadChange(models.Model):
    """What an import added or changed, so that it can be taken back.

    `key` names the row: a customer's id, an order's number and the key of a line or refund, an
    event's message id, a suppression's channel and tag. `before` holds what stood there: sealed values as their sealed
    bytes, so that nothing is opened to keep them or to bring them back. `after` are hashes of
    what the import wrote: where the row says something else by now, another source changed it.
    """

    class Kind(models.TextChoices):
        CUSTOMER = "customer", _("Customer")
        ORDER = "order", _("Order")
        LINE = "line", _("Order line")
        REFUND = "refund", _("Refund")
        EVENT = "event", _("Event")
        SUPPRESSION = "suppression", _("Suppression")

    upload = models.ForeignKey(
        "profiles.Upload", models.CASCADE, related_name="changes", db_index=False
    )
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    key = models.CharField(_("key"), max_length=300)
    customer = models.ForeignKey(
        "profiles.Customer", models.CASCADE, null=True, blank=True, related_name="+"
    )
    is_new = models.BooleanField(_("added"))
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    is_kept = models.BooleanField(_("kept, as something else builds on it"), default=False)
    undone_at = models.DateTimeField(_("taken back at"), null=True, blank=True)

    class Meta:
        verbose_name = _("change by an upload")
        verbose_name_plural = _("changes by uploads")
        constraints = [
            models.UniqueConstraint(name="upload_change_once", fields=["upload", "kind", "key"])
        ]
        indexes = [
            # Whether a later import changed the same, and whether an event came before.
            models.Index(fields=["kind", "key"], name="upload_change_of_row"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
