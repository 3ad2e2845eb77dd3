from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

DEFINING = ("kind", "event", "property_path", "aggregate", "window_days")
DESCRIBING = ("label", "unit", "data_class")


class CustomTrait(models.Model):
    """A trait that the shop made of its own events, without code.

    What decides its values is kept as versions; `filled_version` is the one that every
    customer's value is of, so a build knows when all of them are due.
    """

    class Kind(models.TextChoices):
        NUMBER = "number", _("Number")
        TEXT = "text", _("Text")

    class Aggregate(models.TextChoices):
        COUNT = "count", _("How many events")
        DISTINCT = "distinct", _("How many different values")
        SUM = "sum", _("Sum of the values")
        AVERAGE = "avg", _("Average of the values")
        FIRST = "first", _("First value")
        LAST = "last", _("Last value")

    class DataClass(models.TextChoices):
        PURCHASES = "purchases", _("Purchases")
        BROWSING = "browsing", _("Browsing")
        CONTACT = "contact", _("Answers to messages")
        POSSESSIONS = "possessions", _("Possessions")

    name = models.SlugField(_("name"), max_length=40, unique=True)
    label = models.CharField(_("label"), max_length=60, unique=True)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind.choices, default=Kind.NUMBER)
    unit = models.CharField(_("unit"), max_length=20, blank=True)
    data_class = models.CharField(
        _("kind of data"), max_length=11, choices=DataClass.choices, default=DataClass.BROWSING
    )
    event = models.CharField(_("event"), max_length=200)
    property_path = models.CharField(_("property"), max_length=100, blank=True)
    aggregate = models.CharField(_("what is made of it"), max_length=8, choices=Aggregate.choices)
    window_days = models.PositiveSmallIntegerField(_("of the last days"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    filled_version = models.PositiveIntegerField(null=True, editable=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("own trait")
        verbose_name_plural = _("own traits")

    def __str__(self) -> str:
        return self.name

    @property
    def definition(self) -> dict[str, object]:
        """All that decides the values."""
        return {name: getattr(self, name) for name in DEFINING}


class CustomTraitVersion(models.Model):
    """What decided a trait's values from `made_at` on, until the next version."""

    trait = models.ForeignKey(
        "profiles.CustomTrait", models.CASCADE, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField(_("version"))
    definition = models.JSONField(_("definition"))
    made_by = models.CharField(_("made by"), max_length=200, blank=True)
    made_at = models.DateTimeField(_("made at"))

    class Meta:
        verbose_name = _("version of an own trait")
        verbose_name_plural = _("versions of own traits")
        constraints = [
            models.UniqueConstraint(name="custom_trait_version_once", fields=["trait", "number"])
        ]

    def __str__(self) -> str:
        return f"{self.trait_id} version {self.number}"


class CustomTraitValue(models.Model):
    """The value a customer's events give; whoever did none of them has no row.

    `due_at` is when it next changes by itself, as an event falls out of the window.
    """

    trait = models.ForeignKey(
        "profiles.CustomTrait", models.CASCADE, related_name="+", db_index=False
    )
    customer = models.ForeignKey("profiles.Customer", models.CASCADE, related_name="own_traits")
    number = models.FloatField(_("number"), null=True)
    text = models.CharField(_("text"), max_length=100, blank=True)
    due_at = models.DateTimeField(_("due again at"), null=True)

    class Meta:
        verbose_name = _("value of an own trait")
        verbose_name_plural = _("values of own traits")
        constraints = [
            models.UniqueConstraint(name="custom_trait_value_once", fields=["trait", "customer"])
        ]
        indexes = [
            # Segments ask for a range of numbers or for a text; the customer is in the index.
            models.Index(fields=["trait", "number", "customer"], name="own_trait_by_number"),
            models.Index(fields=["trait", "text", "customer"], name="own_trait_by_text"),
            models.Index(
                fields=["due_at"], name="own_trait_due", condition=models.Q(due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"trait {self.trait_id} of customer {self.customer_id}"
