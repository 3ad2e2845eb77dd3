from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("SMS")
    PUSH = "push", _("Push")
    ONSITE = "onsite", _("On site")


class ConsentEntry(models.Model):
    """One line of the append-only consent ledger.

    `informed` is no consent: the person was told of a use that needs none, and did not refuse.
    `retracted` takes back the entry it names, as if that had not come in. `wording_hash` is the
    SHA-256 of the text, its version; `batch` the import that brought the entry; `evidence` how
    it came about: ids, never values.
    """

    class State(models.TextChoices):
        GIVEN = "given", _("Given")
        INFORMED = "informed", _("Informed")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        RETRACTED = "retracted", _("Retracted")

    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+"
    )
    purpose = models.CharField(_("purpose"), max_length=64)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    state = models.CharField(_("state"), max_length=9, choices=State.choices)
    wording = models.TextField(_("wording"))
    wording_hash = models.CharField(_("text version"), max_length=64, blank=True)
    locale = models.CharField(_("locale"), max_length=12, blank=True)
    source = models.CharField(_("source"), max_length=100)
    evidence = models.JSONField(_("evidence"), default=dict, blank=True)
    batch = models.UUIDField(null=True, blank=True, editable=False)
    retracts = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="+", editable=False
    )
    happened_at = models.DateTimeField(_("happened at"))
    recorded_at = models.DateTimeField(_("recorded at"))

    class Meta:
        verbose_name = _("consent entry")
        verbose_name_plural = _("consent ledger")
        constraints = [
            models.UniqueConstraint(
                name="consent_entry_recorded_once",
                fields=["subject", "purpose", "channel", "state", "happened_at"],
                condition=~models.Q(state="retracted"),
            ),
            models.CheckConstraint(
                name="consent_entry_retracts_if_retracted",
                condition=models.Q(state="retracted") ^ models.Q(retracts__isnull=True),
            ),
        ]
        indexes = [
            # An import is taken back entry by entry.
            models.Index(
                fields=["batch", "id"],
                name="consent_entry_of_batch",
                condition=models.Q(batch__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.channel} {self.state} {self.happened_at:%Y-%m-%d}"


class Consent(models.Model):
    """The current state per subject, purpose and channel: a projection of the ledger."""

    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+"
    )
    purpose = models.CharField(_("purpose"), max_length=64)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    state = models.CharField(_("state"), max_length=9, choices=ConsentEntry.State.choices)
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.UniqueConstraint(
                name="consent_one_state", fields=["subject", "purpose", "channel"]
            )
        ]
        indexes = [
            # Every audience asks "who gave consent for this purpose on this channel".
            models.Index(
                fields=["purpose", "channel", "subject"],
                name="consent_in_force",
                condition=models.Q(state="given"),
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.channel} {self.state}"


class OptIn(models.Model):
    """A consent that waits for its confirmation by a link: the double opt-in.

    The link's token is signed and not stored; confirming uses it up.
    """

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+"
    )
    purpose = models.CharField(_("purpose"), max_length=64)
    channel = models.CharField(_("channel"), max_length=8, choices=Channel.choices)
    wording = models.TextField(_("wording"))
    locale = models.CharField(_("locale"), max_length=12, blank=True)
    source = models.CharField(_("source"), max_length=100)
    asked_at = models.DateTimeField(_("asked at"))
    expires_at = models.DateTimeField(_("expires at"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("opt-in")
        verbose_name_plural = _("opt-ins")

    def __str__(self) -> str:
        return f"{self.purpose} {self.channel} {self.uuid}"
