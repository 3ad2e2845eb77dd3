from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Product(models.Model):
    """A product of the catalogue, by the shop's own id; money in the shop's currency."""

    product_id = models.CharField(_("product id"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=200)
    category = models.CharField(_("category"), max_length=100, blank=True)
    brand = models.CharField(_("brand"), max_length=100, blank=True)
    description = models.TextField(_("description"), blank=True)
    translations = models.JSONField(
        _("translations"),
        default=dict,
        blank=True,
        help_text=_('Title and description by language, e.g. {"zh-hans": {"title": "…"}}.'),
    )
    specs = models.JSONField(_("specifications"), default=dict, blank=True)
    price_minor = models.BigIntegerField(_("price"), null=True, blank=True)
    cost_minor = models.BigIntegerField(_("cost"), null=True, blank=True)
    stock = models.PositiveIntegerField(
        _("stock"), null=True, blank=True, help_text=_("Pieces; empty if the shop does not tell.")
    )
    family = models.CharField(
        _("model family"),
        max_length=100,
        blank=True,
        help_text=_("The same for the colours and sizes of one model."),
    )
    accessory_for = models.JSONField(
        _("accessory for"),
        default=list,
        blank=True,
        help_text=_('Categories of devices, e.g. ["Phones"]; specifications say which of them.'),
    )
    image_url = models.URLField(_("image"), max_length=500, blank=True)
    link = models.URLField(_("link"), max_length=500, blank=True)
    is_active = models.BooleanField(_("on sale"), default=True)
    is_consumable = models.BooleanField(
        _("bought again"),
        default=False,
        help_text=_("May be recommended to customers who have bought it already."),
    )
    from_orders = models.BooleanField(
        _("known from orders only"),
        default=False,
        editable=False,
        help_text=_(
            "Title, category and price follow the order lines until a catalogue sets them."
        ),
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        indexes = [
            models.Index(fields=["category"], name="product_of_category"),
            models.Index(fields=["-created_at", "-id"], name="product_newest_first"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.title}"

    def title_in(self, language: str) -> str:
        """Return the title in that language where there is one."""
        return str(self.translations.get(language.lower(), {}).get("title") or self.title)
