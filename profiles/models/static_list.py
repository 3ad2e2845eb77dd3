from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class StaticList(models.Model):
    """A list of customers that somebody brought in by their ids, or that is made anew every night."""

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    name = models.CharField(_("name"), max_length=100, unique=True)
    created_at = models.DateTimeField(_("created at"))
    # Empty of a list that was last filled before this was kept.
    filled_at = models.DateTimeField(_("last filled"), null=True, editable=False)

    class Meta:
        verbose_name = _("list of customers")
        verbose_name_plural = _("lists of customers")

    def __str__(self) -> str:
        return self.name


class StaticListMember(models.Model):
    """One customer on a list."""

    # The unique constraint begins with it, so it needs no index of its own.
    static_list = models.ForeignKey(
        "profiles.StaticList", models.CASCADE, related_name="members", db_index=False
    )
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="+")
    added_at = models.DateTimeField(_("added at"))

    class Meta:
        verbose_name = _("customer on a list")
        verbose_name_plural = _("customers on lists")
        constraints = [
            models.UniqueConstraint(
                name="static_list_member_once", fields=["static_list", "customer"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.static_list_id} {self.pk}"
