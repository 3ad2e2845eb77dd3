from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class SendingRules(models.Model):
    """What holds for all campaigns of the shop; one row, which lacks until somebody sets it."""

    cap_messages = models.PositiveSmallIntegerField(
        _("messages per person"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Nobody gets more from all campaigns together; empty for no limit."),
    )
    cap_days = models.PositiveSmallIntegerField(
        _("within days"),
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
    )
    two_persons_from = models.PositiveIntegerField(
        _("two persons from an audience of"),
        null=True,
        blank=True,
        help_text=_(
            "From so many customers on nobody may approve a campaign of their own, even where "
            "nobody else could. Empty for no such limit."
        ),
    )
    undo_minutes = models.PositiveSmallIntegerField(
        _("minutes to undo"),
        default=10,
        validators=[MaxValueValidator(1440)],
        help_text=_("So long a scheduled campaign waits at least, so that it can be called back."),
    )
    shop_domains = models.CharField(
        _("domains of the shop"),
        max_length=500,
        blank=True,
        help_text=_(
            "With blanks between; their links are marked for web analytics. Empty: the origins of "
            "the shop's browser keys."
        ),
    )
    short_links = models.BooleanField(
        _("count links in texts"),
        default=False,
        help_text=_(
            "Links in text messages become short ones of this installation, which count clicks and "
            "mark what leads to the shop. Ask your gateway first whether it takes such addresses."
        ),
    )
    quiet_from = models.TimeField(
        _("quiet from"),
        null=True,
        blank=True,
        help_text=_("In the person's own time zone, where it is known; else in the shop's."),
    )
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)

    class Meta:
        verbose_name = _("sending rules")
        verbose_name_plural = _("sending rules")
        constraints = [
            models.CheckConstraint(name="sending_rules_are_the_only_row", condition=models.Q(pk=1)),
            models.CheckConstraint(
                name="sending_rules_quiet_has_both_ends",
                condition=~(models.Q(quiet_from__isnull=True) ^ models.Q(quiet_until__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return gettext("Sending rules")

    @classmethod
    def current(cls) -> SendingRules:
        """Return the shop's rules, or unsaved ones that limit nothing."""
        return cls.objects.filter(pk=1).first() or cls(pk=1)
