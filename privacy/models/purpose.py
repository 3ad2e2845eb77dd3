from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.models.staff import Staff


class PurposeRecord(models.Model):
    """A purpose of the code's registry as the database keeps it, with what the shop adds.

    All but `valid_until`, `confirmed_on` and `note` is written by `purposes.mirror`. After
    `valid_until` nothing may be used for the purpose; `is_known` says the code still has it.
    """

    name = models.CharField(_("purpose"), max_length=64, unique=True)
    basis = models.TextField(_("lawful basis"))
    data_classes = models.JSONField(_("data classes"), default=list)
    channels = models.JSONField(_("channels"), default=list)
    retention = models.TextField(_("kept"), blank=True)
    needs_consent = models.BooleanField(_("needs consent"), default=False)
    is_automated = models.BooleanField(_("automated decision"), default=False)
    is_known = models.BooleanField(_("in use"), default=True)
    valid_until = models.DateField(
        _("valid until"),
        null=True,
        blank=True,
        help_text=_("The last day; afterwards nothing is used for this purpose. Empty: no end."),
    )
    confirmed_on = models.DateField(
        _("confirmed by counsel on"),
        null=True,
        blank=True,
        help_text=_("The lawful basis is our reading of the law until your counsel confirms it."),
    )
    note = models.TextField(_("note"), blank=True)

    class Meta:
        verbose_name = _("purpose")
        verbose_name_plural = _("purposes")

    def __str__(self) -> str:
        return self.name


class UseRule(models.Model):
    """Who may open or use which class of data for which purpose: until when, how many rows a day.

    `who` is a role, the prefix of an API key, or the first word of a service's actor, `*` for
    any of its kind; the more exact rule counts. A rule is ended, never deleted.
    """

    class Kind(models.TextChoices):
        ROLE = "role", _("Role")
        KEY = "key", _("API key")
        SERVICE = "service", _("Service")

    class DataClass(models.TextChoices):
        EMAIL = "email", _("E-mail")
        PHONE = "phone", _("Phone")
        NAME = "name", _("Name")
        BIRTH_DATE = "birth_date", _("Birth date")
        TEXT = "text", _("Free text")
        FILE = "file", _("Uploaded file")
        AGE = "age", _("Age")
        GENDER = "gender", _("Gender")

        @classmethod
        def sealed(cls) -> list[str]:
            """Those of sealed values; the others stand in clear, and are protected traits."""
            return [one.value for one in cls if one not in {cls.AGE, cls.GENDER}]

    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    who = models.CharField(_("who"), max_length=40)
    purpose = models.CharField(_("purpose"), max_length=64)
    data_class = models.CharField(_("data class"), max_length=10, choices=DataClass.choices)
    until = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("From this moment on it allows nothing.")
    )
    rows_per_day = models.PositiveIntegerField(
        _("rows a day"),
        null=True,
        blank=True,
        help_text=_("For each account or key, days in UTC. Empty: no limit. 0: nothing."),
    )

    class Meta:
        verbose_name = _("use rule")
        verbose_name_plural = _("use rules")
        constraints = [
            models.UniqueConstraint(
                name="use_rule_once", fields=["kind", "who", "purpose", "data_class"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.who} {self.data_class} {self.purpose}"

    @property
    def who_label(self) -> str:
        if self.kind == self.Kind.ROLE and self.who in Staff.Role.values:
            return str(Staff.Role(self.who).label)
        return self.who


class UseCount(models.Model):
    """How many rows of a data class one account or key opened on a day."""

    actor = models.CharField(max_length=100)
    purpose = models.CharField(max_length=64)
    data_class = models.CharField(max_length=10)
    day = models.DateField()
    n_rows = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("rows opened")
        verbose_name_plural = _("rows opened")
        constraints = [
            models.UniqueConstraint(
                name="use_count_once_a_day", fields=["actor", "purpose", "data_class", "day"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.data_class} {self.day} {self.n_rows}"
