from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.fields import ClearClass, SealedModel, SealedQuerySet, SealedTextField

if TYPE_CHECKING:
    from collections.abc import Mapping


class ServiceMessageQuerySet(SealedQuerySet["ServiceMessage"]):
    """Its rows; `data` opens only under the purpose `service.email`."""


class ServiceMessage(SealedModel):
    """A transactional message that the shop's server asked for; `data` is what it is about."""

    sealed_label: ClassVar[str] = "service_message"
    clear_classes: ClassVar[Mapping[str, ClearClass]] = {}

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+", editable=False
    )
    delivery = models.OneToOneField("campaigns.Delivery", models.CASCADE, related_name="service")
    data = SealedTextField(_("what it is about"))
    asked_at = models.DateTimeField(_("asked at"))

    objects = ServiceMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("transactional message")
        verbose_name_plural = _("transactional messages")

    def __str__(self) -> str:
        return str(self.uuid)
