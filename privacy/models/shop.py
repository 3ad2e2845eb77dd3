from __future__ import annotations

from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Shop(models.Model):
    """The one controller of this installation: who it is, in which money and time zone."""

    name = models.CharField(_("shop name"), max_length=100)
    language = models.CharField(_("language"), max_length=7, default="en")
    currency = models.CharField(_("currency"), max_length=3)
    time_zone = models.CharField(_("time zone"), max_length=64)
    tax_rate = models.DecimalField(_("tax rate"), max_digits=5, decimal_places=4, default=0)
    margin_rate = models.DecimalField(
        _("default margin rate"),
        max_digits=5,
        decimal_places=4,
        default="0.2500",
        help_text=_("Share of net revenue that stays, for products without a known cost."),
    )
    sender_name = models.CharField(_("sender name"), max_length=100, blank=True)
    sender_email = models.EmailField(_("sender e-mail"), blank=True)
    privacy_law = models.CharField(
        _("deadline of requests"),
        max_length=4,
        default="gdpr",
        choices=[("gdpr", _("GDPR: one month")), ("pipl", _("PIPL: 15 working days"))],
    )
    privacy_contact = models.CharField(
        _("privacy contact"),
        max_length=200,
        blank=True,
        help_text=_("The data protection officer, or whom to ask about personal data."),
    )
    legal_footer = models.TextField(_("legal footer"), blank=True)
    set_up_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_demo = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("shop")
        verbose_name_plural = _("shop")
        constraints = [
            models.CheckConstraint(name="shop_is_the_only_row", condition=models.Q(pk=1)),
            models.CheckConstraint(
                name="shop_rates_within_0_and_1",
                condition=models.Q(tax_rate__gte=0, tax_rate__lt=1)
                & models.Q(margin_rate__gte=0, margin_rate__lte=1),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @classmethod
    def current(cls) -> Shop:
        """Return the shop, or an unsaved one of the settings before it was set up."""
        there = cls.objects.filter(pk=1).first()
        return there or cls(
            pk=1, name="", currency=settings.SHOP_CURRENCY, time_zone=settings.SHOP_TIME_ZONE
        )
