from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Segment(models.Model):
    """A named rule tree over customers.

    Campaigns ask the rule itself, so that they reach who is in it at that moment. `members`
    keep who was in it at the last refresh, for who entered and who left.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100, unique=True)
    rule = models.JSONField(_("rule"))
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    n_customers = models.PositiveIntegerField(_("customers"), null=True, editable=False)
    reachable = models.JSONField(_("reachable by channel"), default=dict, editable=False)
    counted_at = models.DateTimeField(_("counted at"), null=True, editable=False)
    refreshed_at = models.DateTimeField(_("members as of"), null=True, editable=False)
    # Set by whatever may move anybody, until a refresh has looked at everybody.
    is_open_to_all = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return self.name


class SegmentVersion(models.Model):
    """A rule as it stood from `made_at` on, until the next version."""

    segment = models.ForeignKey(
        "profiles.Segment", models.CASCADE, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField(_("version"))
    rule = models.JSONField(_("rule"))
    made_by = models.CharField(_("made by"), max_length=200, blank=True)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("version of a segment")
        verbose_name_plural = _("versions of segments")
        constraints = [
            models.UniqueConstraint(name="segment_version_once", fields=["segment", "number"])
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} version {self.number}"


class SegmentSize(models.Model):
    """How many were in a segment at a moment; written at each count."""

    segment = models.ForeignKey(
        "profiles.Segment", models.CASCADE, related_name="sizes", db_index=False
    )
    version = models.PositiveIntegerField(_("version"))
    n_customers = models.PositiveIntegerField(_("customers"))
    reachable = models.JSONField(_("reachable by channel"), default=dict)
    counted_at = models.DateTimeField(_("counted at"))

    class Meta:
        verbose_name = _("size of a segment")
        verbose_name_plural = _("sizes of segments")
        indexes = [models.Index(fields=["segment", "counted_at"], name="segment_size_by_time")]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.n_customers}"


class SegmentMember(models.Model):
    """A customer's stay in a segment; open while `left_at` is empty."""

    segment = models.ForeignKey(
        "profiles.Segment", models.CASCADE, related_name="members", db_index=False
    )
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    entered_at = models.DateTimeField(_("entered at"))
    left_at = models.DateTimeField(_("left at"), null=True, blank=True)

    class Meta:
        verbose_name = _("member of a segment")
        verbose_name_plural = _("members of segments")
        constraints = [
            models.UniqueConstraint(
                name="segment_member_once",
                fields=["segment", "customer"],
                condition=models.Q(left_at__isnull=True),
            )
        ]
        indexes = [
            models.Index(
                fields=["segment", "id"],
                name="segment_member_newest",
                condition=models.Q(left_at__isnull=True),
            ),
            models.Index(
                fields=["left_at"],
                name="segment_member_by_end",
                condition=models.Q(left_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.pk}"
