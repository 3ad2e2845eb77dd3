from __future__ import annotations

from uuid import uuid4

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _


class Automation(models.Model):
    """Messages that follow when something happens to a customer; its steps send them.

    Whoever it happens to after `since` enters, once for each consent, cart or order.
    `entered_until` is up to when that was looked for. Of those who enter, the holdout gets
    nothing: by `salt` the same people at every step.
    """

    class Kind(models.TextChoices):
        WELCOME = "welcome", _("Welcome")
        CART = "cart", _("Abandoned cart")
        ACCESSORY = "accessory", _("Accessory after purchase")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=9, choices=Kind.choices, unique=True)
    is_on = models.BooleanField(_("on"), default=False, editable=False)
    salt = models.UUIDField(default=uuid4, editable=False)
    holdout_ppm = models.PositiveIntegerField(
        _("holdout (parts per million)"),
        default=100_000,
        validators=[MaxValueValidator(500_000)],
    )
    restore_url = models.URLField(
        _("page of the shop that brings a cart back"),
        blank=True,
        max_length=500,
        help_text=_("“{token}” in it is where the cart's token goes."),
    )
    since = models.DateTimeField(_("on since"), null=True, blank=True, editable=False)
    entered_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("automation")
        verbose_name_plural = _("automations")
        constraints = [
            models.CheckConstraint(
                name="automation_on_since",
                condition=models.Q(is_on=False) | models.Q(since__isnull=False),
            ),
            models.CheckConstraint(
                name="automation_holdout_below_half",
                condition=models.Q(holdout_ppm__lte=500_000),
            ),
        ]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class Step(models.Model):
    """One message of an automation, `delay_minutes` after the customer entered."""

    automation = models.ForeignKey("campaigns.Automation", models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(_("position"))
    delay_minutes = models.PositiveIntegerField(
        _("delay (minutes)"), validators=[MaxValueValidator(525_600)]
    )
    campaign = models.OneToOneField("campaigns.Campaign", models.CASCADE, related_name="step")

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        constraints = [
            models.UniqueConstraint(name="step_once_in_place", fields=["automation", "position"])
        ]

    def __str__(self) -> str:
        return f"step {self.position} of automation {self.automation_id}"
