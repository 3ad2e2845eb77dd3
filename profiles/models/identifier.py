from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Identifier(models.Model):
    """Another id under which a customer is known, as a keyed tag that is never made anew.

    A telephone is none: it may be a household's (decision record "A telephone names a
    household").
    """

    class Kind(models.TextChoices):
        CUSTOMER_ID = "customer_id", _("Customer id")
        EMAIL = "email", _("E-mail")
        CARD = "card", _("Loyalty card")

    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    tag = models.BinaryField(max_length=16, editable=False)
    added_at = models.DateTimeField(_("added at"))

    class Meta:
        verbose_name = _("identifier")
        verbose_name_plural = _("identifiers")
        constraints = [models.UniqueConstraint(name="identifier_once", fields=["kind", "tag"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class CustomerMerge(models.Model):
    """One customer's record taken up by another's: who did it, why, and what moved.

    `moved` are the keys of the rows by model, so that it can be undone; it holds no values.
    `taken` names the sealed fields that were sealed anew for the survivor; `identifiers` are
    the keys of the further ids that the survivor got.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    survivor = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    absorbed_id = models.CharField(_("merged customer id"), max_length=100)
    absorbed_subject = models.UUIDField(editable=False)
    taken = models.JSONField(_("fields taken over"), default=list)
    moved = models.JSONField(_("rows moved"), default=dict, editable=False)
    identifiers = models.JSONField(default=list, editable=False)
    actor = models.CharField(_("by"), max_length=60)
    reason = models.CharField(_("reason"), max_length=200)
    merged_at = models.DateTimeField(_("merged at"))
    key_destroyed_at = models.DateTimeField(null=True, blank=True, editable=False)
    undone_at = models.DateTimeField(_("undone at"), null=True, blank=True)

    class Meta:
        verbose_name = _("merge of customers")
        verbose_name_plural = _("merges of customers")
        indexes = [
            models.Index(
                fields=["id"],
                name="merge_with_key",
                condition=models.Q(key_destroyed_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"merge {self.uuid}"
