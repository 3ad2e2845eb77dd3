from __future__ import annotations

from uuid import uuid4

from django.db import models
from django.utils.translation import gettext_lazy as _


class Erasure(models.Model):
    """One person's erasure, from the freeze to the signed certificate.

    `subject_tag` is keyed, and is what the ledger in the keystore holds of the person.
    `certificate` is what `privacy.certificates` signed, empty until the end.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        REPLAYED = "replayed", _("Done again after a restore")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.ForeignKey(
        "privacy.Subject", models.PROTECT, to_field="uuid", null=True, related_name="+"
    )
    subject_tag = models.BinaryField(max_length=16)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.RUNNING)
    actor = models.CharField(_("asked for by"), max_length=100)
    job_uuid = models.UUIDField(null=True, blank=True, editable=False)
    certificate = models.JSONField(_("certificate"), default=dict)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        permissions = [("erase_subject", "Can erase a person")]
        constraints = [
            models.UniqueConstraint(
                name="erasure_one_at_a_time",
                fields=["subject"],
                condition=models.Q(state="running"),
            )
        ]

    def __str__(self) -> str:
        return str(self.uuid)


class LedgerEntry(models.Model):
    """An erasure as the keystore remembers it, to be done again on a restored database."""

    erasure_uuid = models.UUIDField(_("erasure"), unique=True)
    subject_tag = models.BinaryField(max_length=16)
    erased_at = models.DateTimeField(_("erased at"))

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("erasure ledger")

    def __str__(self) -> str:
        return str(self.erasure_uuid)


class Recipient(models.Model):
    """Somebody outside to whom the shop passes personal data: told when a person is erased.

    Told of everybody where the shop passes everybody's data, else of those in `Disclosure`.
    """

    class Kind(models.TextChoices):
        PROCESSOR = "processor", _("Processor")
        EXPORT = "export", _("Receiver of an export")
        WEBHOOK = "webhook", _("Webhook endpoint")

    name = models.CharField(_("name"), max_length=200)
    kind = models.CharField(_("kind"), max_length=9, choices=Kind.choices, default=Kind.PROCESSOR)
    email = models.EmailField(
        _("e-mail for notices"),
        blank=True,
        help_text=_("Without one, somebody tells them by hand and notes it on the erasure."),
    )
    country = models.CharField(
        _("country"),
        max_length=60,
        blank=True,
        help_text=_("Where it keeps or opens the data; the record of processing says so."),
    )
    safeguard = models.CharField(
        _("safeguard"),
        max_length=200,
        blank=True,
        help_text=_("What protects the data in a third country, such as standard clauses."),
    )
    gets_everybody = models.BooleanField(
        _("gets everybody's data"),
        default=True,
        help_text=_("If not, it is told only of persons whose data it is noted to have got."),
    )
    since = models.DateField(_("gets data since"))
    until = models.DateField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients of data")
        constraints = [
            models.UniqueConstraint(name="recipient_once_per_kind", fields=["kind", "name"])
        ]

    def __str__(self) -> str:
        return self.name


class Disclosure(models.Model):
    """That a recipient was given one person's data, when first and when last."""

    recipient = models.ForeignKey("privacy.Recipient", models.PROTECT, related_name="disclosures")
    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+"
    )
    first_at = models.DateTimeField(_("first at"))
    last_at = models.DateTimeField(_("last at"))

    class Meta:
        verbose_name = _("disclosure")
        verbose_name_plural = _("disclosures")
        constraints = [
            models.UniqueConstraint(
                name="disclosure_once_per_person", fields=["recipient", "subject"]
            )
        ]

    def __str__(self) -> str:
        return f"{self.recipient_id} {self.subject_id}"


class RecipientNotice(models.Model):
    """That one recipient has to be told of one erasure, and whether that was done."""

    class State(models.TextChoices):
        PENDING = "pending", _("To be told")
        TOLD = "told", _("Told")
        CONFIRMED = "confirmed", _("Confirmed")

    erasure = models.ForeignKey("privacy.Erasure", models.CASCADE, related_name="notices")
    recipient = models.ForeignKey("privacy.Recipient", models.PROTECT, related_name="+")
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.PENDING)
    told_at = models.DateTimeField(_("told at"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("notice to a recipient")
        verbose_name_plural = _("notices to recipients")
        constraints = [
            models.UniqueConstraint(name="recipient_notice_once", fields=["erasure", "recipient"])
        ]

    def __str__(self) -> str:
        return f"{self.erasure_id} {self.recipient_id} {self.state}"
