from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from privacy.fields import (
    ClearClass,
    SealedEmailField,
    SealedModel,
    SealedQuerySet,
    SealedTextField,
    TagField,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class PrivacyRequestQuerySet(SealedQuerySet["PrivacyRequest"]):
    def open(self) -> PrivacyRequestQuerySet:
        """Requests of confirmed persons that wait for an answer."""
        return self.filter(state__in=[PrivacyRequest.State.OPEN, PrivacyRequest.State.WORKING])

    def overdue(self, now: datetime) -> PrivacyRequestQuerySet:
        return self.open().filter(due_at__lt=now)


class PrivacyRequest(SealedModel):
    """What a person asks of the shop about their own data, and until when it must be answered.

    The address is sealed under a key of the request's own (`subject`), so that the answer can
    still be sent when the person it is `about` has been erased.
    """

    sealed_label: ClassVar[str] = "privacy_request"
    clear_classes: ClassVar[Mapping[str, ClearClass]] = {
        "kind": ClearClass.TECHNICAL,
        "law": ClearClass.TECHNICAL,
        "state": ClearClass.TECHNICAL,
        "language": ClearClass.LANGUAGE,
        "reason": ClearClass.NOTE,
    }

    class Kind(models.TextChoices):
        ACCESS = "access", _("A copy of the data")
        ERASE = "erase", _("Erasure")
        CORRECT = "correct", _("Correction")
        RESTRICT = "restrict", _("Restriction")
        OBJECT = "object", _("Objection")

    class Law(models.TextChoices):
        GDPR = "gdpr", _("GDPR: one month")
        PIPL = "pipl", _("PIPL: 15 working days")

    class State(models.TextChoices):
        UNCONFIRMED = "unconfirmed", _("Waits for the person")
        OPEN = "open", _("Open")
        WORKING = "working", _("Being worked on")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")
        LAPSED = "lapsed", _("Never confirmed")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.OneToOneField(
        "privacy.Subject", models.PROTECT, to_field="uuid", related_name="+", editable=False
    )
    about = models.ForeignKey(
        "privacy.Subject",
        models.PROTECT,
        to_field="uuid",
        null=True,
        blank=True,
        related_name="+",
        editable=False,
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    law = models.CharField(_("law"), max_length=4, choices=Law.choices)
    language = models.CharField(_("language"), max_length=7)
    state = models.CharField(
        _("state"), max_length=11, choices=State.choices, default=State.UNCONFIRMED
    )
    email_tag = TagField()
    email = SealedEmailField(_("e-mail"), tag="email_tag")
    details = SealedTextField(_("what the person wrote"))
    created_at = models.DateTimeField(_("came in at"))
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    extended_at = models.DateTimeField(_("extended at"), null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True, editable=False)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    erasure = models.ForeignKey(
        "privacy.Erasure", models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = PrivacyRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("request of a person")
        verbose_name_plural = _("requests of persons")
        permissions = [("handle_request", "Can handle requests of persons")]
        indexes = [
            models.Index(fields=["state", "due_at"], name="request_by_clock"),
            models.Index(fields=["email_tag", "created_at"], name="request_of_address"),
        ]
        constraints = [
            models.CheckConstraint(
                name="request_has_clock_once_confirmed",
                condition=models.Q(state__in=["unconfirmed", "lapsed"])
                | models.Q(confirmed_at__isnull=False, due_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def is_open(self) -> bool:
        return self.state in {self.State.OPEN, self.State.WORKING}


class Letter(models.Model):
    """A message to the person who asked; its text is made when it is sent, never stored."""

    class Kind(models.TextChoices):
        CONFIRM = "confirm", _("Link to confirm")
        RECEIVED = "received", _("Receipt")
        NOTHING = "nothing", _("Nothing is held")
        EXTENDED = "extended", _("More time is needed")
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")

    request = models.ForeignKey("privacy.PrivacyRequest", models.CASCADE, related_name="letters")
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.WAITING)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    code = models.CharField(_("reply code"), max_length=40, blank=True)
    created_at = models.DateTimeField(_("written at"))
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)

    class Meta:
        verbose_name = _("letter")
        verbose_name_plural = _("letters")

    def __str__(self) -> str:
        return f"{self.kind} {self.request_id}"


class SubjectExport(models.Model):
    """A copy of everything held about one person, as a file that is there for a while."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Being made")
        READY = "ready", _("Ready")
        EXPIRED = "expired", _("Expired")

    uuid = models.UUIDField(default=uuid4, unique=True, editable=False)
    subject = models.ForeignKey(
        "privacy.Subject", models.CASCADE, to_field="uuid", related_name="+"
    )
    request = models.ForeignKey(
        "privacy.PrivacyRequest", models.SET_NULL, null=True, blank=True, related_name="exports"
    )
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.WAITING)
    actor = models.CharField(_("asked for by"), max_length=100)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    n_bytes = models.PositiveBigIntegerField(_("bytes"), default=0)
    created_at = models.DateTimeField(_("asked for at"))
    ready_at = models.DateTimeField(_("ready at"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("copy of a person's data")
        verbose_name_plural = _("copies of persons' data")
        permissions = [("download_export", "Can download copies of persons' data")]

    def __str__(self) -> str:
        return str(self.uuid)
