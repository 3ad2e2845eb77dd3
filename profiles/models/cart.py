from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Cart(models.Model):
    """What a customer or visitor is about to buy.

    `base` is what the cart was stated to hold at `stated_at`, `moves` what was put in and taken
    out since; lines and total follow from both, whichever comes first. Money is in minor units
    of `currency`, net of tax.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        ABANDONED = "abandoned", _("Abandoned")
        RECOVERED = "recovered", _("Recovered")
        ORDERED = "ordered", _("Ordered")

    # The shop's own; of a cart that events without one tell of, an id of ours.
    cart_id = models.CharField(_("cart id"), max_length=100, unique=True)
    customer = models.ForeignKey(
        "profiles.Customer",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("customer"),
        db_index=False,  # cart_of_customer
    )
    anonymous_id = models.CharField(_("anonymous id"), max_length=200, blank=True)
    source = models.ForeignKey("privacy.Source", models.PROTECT, related_name="+", db_index=False)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.OPEN)
    currency = models.CharField(_("currency"), max_length=3)
    total_minor = models.BigIntegerField(_("total"), default=0)
    n_units = models.PositiveIntegerField(_("items"), default=0)
    base = models.JSONField(default=list, editable=False)
    moves = models.JSONField(default=list, editable=False)
    stated_at = models.DateTimeField(null=True, editable=False)
    opened_at = models.DateTimeField(_("opened at"))
    changed_at = models.DateTimeField(_("changed at"))
    abandoned_at = models.DateTimeField(_("abandoned at"), null=True, blank=True)
    recovered_at = models.DateTimeField(_("recovered at"), null=True, blank=True)
    ordered_at = models.DateTimeField(_("ordered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")
        constraints = [
            models.CheckConstraint(
                name="cart_ordered_at_a_time",
                condition=~models.Q(state="ordered") | models.Q(ordered_at__isnull=False),
            )
        ]
        # No index holds what each event of a cart changes: PostgreSQL then leaves all as they are.
        indexes = [
            models.Index(fields=["customer"], name="cart_of_customer"),
            models.Index(
                fields=["anonymous_id"],
                name="cart_of_visitor",
                condition=~models.Q(anonymous_id=""),
            ),
            # The sweep looks for carts that rest.
            models.Index(fields=["state"], name="cart_by_state"),
        ]

    def __str__(self) -> str:
        return self.cart_id


class CartLine(models.Model):
    """A product in a cart, with title, category and price as they were last told."""

    cart = models.ForeignKey("profiles.Cart", models.CASCADE, related_name="lines", db_index=False)
    product_id = models.CharField(_("product id"), max_length=100)
    title = models.CharField(_("title"), max_length=200, blank=True)
    category = models.CharField(_("category"), max_length=100, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_price_minor = models.BigIntegerField(_("unit price"))

    class Meta:
        verbose_name = _("cart line")
        verbose_name_plural = _("cart lines")
        constraints = [
            models.UniqueConstraint(name="cart_line_once", fields=["cart", "product_id"])
        ]

    def __str__(self) -> str:
        return f"{self.cart_id} {self.product_id}"


class CartToken(models.Model):
    """A link that brings a cart back: of the token only its hash is kept."""

    cart = models.ForeignKey("profiles.Cart", models.CASCADE, related_name="tokens")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    expires_at = models.DateTimeField(_("expires at"))

    class Meta:
        verbose_name = _("token of a cart")
        verbose_name_plural = _("tokens of carts")
        indexes = [models.Index(fields=["expires_at"], name="cart_token_by_age")]

    def __str__(self) -> str:
        return f"{self.cart_id} {self.expires_at:%Y-%m-%d}"
