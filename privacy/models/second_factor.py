from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class SecondFactor(models.Model):
    """An authenticator app of an account. Its secret is derived from `uuid`, never stored."""

    staff = models.OneToOneField("privacy.Staff", models.CASCADE, related_name="second_factor")
    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=-1)
    n_failures = models.PositiveSmallIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("second factor")
        verbose_name_plural = _("second factors")

    def __str__(self) -> str:
        return f"second factor {self.pk}"


class RecoveryCode(models.Model):
    """A code that stands in for a lost authenticator once; only its digest is kept."""

    factor = models.ForeignKey(SecondFactor, models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32)
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")

    def __str__(self) -> str:
        return f"recovery code {self.pk}"
