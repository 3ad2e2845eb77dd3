from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Availability(models.TextChoices):
    """What Merchant feeds call it; empty where only the stock tells."""

    IN_STOCK = "in_stock", _("In stock")
    OUT_OF_STOCK = "out_of_stock", _("Out of stock")
    PREORDER = "preorder", _("To be ordered ahead")
    BACKORDER = "backorder", _("Ordered when wanted")


class Product(models.Model):
    """A product of the catalogue, by the shop's own id; money in the shop's currency.

    `price_minor` is what is paid now, `list_price_minor` the price it is reduced from.
    """

    class Condition(models.TextChoices):
        NEW = "new", _("New")
        REFURBISHED = "refurbished", _("Refurbished")
        USED = "used", _("Used")

    product_id = models.CharField(_("product id"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=200)
    category = models.CharField(_("category"), max_length=100, blank=True)
    brand = models.CharField(_("brand"), max_length=100, blank=True)
    description = models.TextField(_("description"), blank=True)
    translations = models.JSONField(
        _("translations"),
        default=dict,
        blank=True,
        help_text=_(
            'Title, description and category by language, e.g. {"zh-hans": {"title": "…"}}.'
        ),
    )
    specs = models.JSONField(_("specifications"), default=dict, blank=True)
    price_minor = models.BigIntegerField(_("price"), null=True, blank=True)
    list_price_minor = models.BigIntegerField(_("reduced from"), null=True, blank=True)
    cost_minor = models.BigIntegerField(_("cost"), null=True, blank=True)
    stock = models.PositiveIntegerField(
        _("stock"), null=True, blank=True, help_text=_("Pieces; empty if the shop does not tell.")
    )
    availability = models.CharField(
        _("availability"), max_length=12, choices=Availability.choices, blank=True
    )
    gtin = models.CharField(_("GTIN"), max_length=14, blank=True)
    mpn = models.CharField(_("manufacturer's number"), max_length=70, blank=True)
    condition = models.CharField(
        _("condition"), max_length=11, choices=Condition.choices, blank=True
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
    fits_products = models.JSONField(
        _("made for"),
        default=list,
        blank=True,
        help_text=_(
            'Ids of the devices it is known to fit, e.g. ["ph-15"], whatever specifications say.'
        ),
    )
    tags = models.JSONField(
        _("tags"),
        default=list,
        blank=True,
        help_text=_('Words of the shop\'s own, e.g. ["sale", "gift"], for rules of placements.'),
    )
    image_url = models.URLField(_("image"), max_length=500, blank=True)
    images = models.JSONField(
        _("more images"), default=list, blank=True, help_text=_("Addresses, the first shown first.")
    )
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
            # The variants of a model, on its page.
            models.Index(
                fields=["family"], name="product_of_family", condition=~models.Q(family="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.title}"

    def title_in(self, language: str) -> str:
        """Return the title in that language where there is one."""
        return self._in(language, "title")

    def category_in(self, language: str) -> str:
        """Return what its category is called in that language, its own name without a word."""
        return self._in(language, "category")

    def _in(self, language: str, name: str) -> str:
        return str(self.translations.get(language.lower(), {}).get(name) or getattr(self, name))


class Offer(models.Model):
    """What a product costs in one country, in that country's money, and where it is bought there.

    `price_minor` is what is paid now, `list_price_minor` the price it is reduced from.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="offers")
    country = models.CharField(_("country"), max_length=2)
    currency = models.CharField(_("currency"), max_length=3)
    price_minor = models.BigIntegerField(_("price"), null=True, blank=True)
    list_price_minor = models.BigIntegerField(_("reduced from"), null=True, blank=True)
    availability = models.CharField(
        _("availability"), max_length=12, choices=Availability.choices, blank=True
    )
    stock = models.PositiveIntegerField(_("stock"), null=True, blank=True)
    link = models.URLField(_("link"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("offer in a country")
        verbose_name_plural = _("offers in countries")
        constraints = [
            models.UniqueConstraint(fields=["product", "country"], name="offer_once_a_country")
        ]

    def __str__(self) -> str:
        return f"product {self.product_id} in {self.country}"


class ProductChange(models.Model):
    """Price and stock of a product from a moment on, in the shop (no country) or in a country.

    Written only when one of them changes, and never changed.
    """

    product = models.ForeignKey(Product, models.CASCADE, related_name="+", db_index=False)
    country = models.CharField(_("country"), max_length=2, blank=True)
    currency = models.CharField(_("currency"), max_length=3)
    price_minor = models.BigIntegerField(_("price"), null=True)
    list_price_minor = models.BigIntegerField(_("reduced from"), null=True)
    stock = models.PositiveIntegerField(_("stock"), null=True)
    availability = models.CharField(
        _("availability"), max_length=12, choices=Availability.choices, blank=True
    )
    changed_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("change of price or stock")
        verbose_name_plural = _("changes of price and stock")
        indexes = [
            # The history of a product, newest last; one place of it.
            models.Index(fields=["product", "country", "changed_at"], name="change_of_product"),
            # What is too old to keep.
            models.Index(fields=["changed_at"], name="change_by_time"),
        ]

    def __str__(self) -> str:
        return f"product {self.product_id} since {self.changed_at:%Y-%m-%d %H:%M}"
