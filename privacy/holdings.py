"""What privacy itself and the frameworks below it hold about persons."""

from __future__ import annotations

from uuid import UUID

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from jobs.models import Job, Pulse
from privacy import registry, subject_export
from privacy.models import (
    ApiKey,
    AuditEntry,
    Consent,
    ConsentEntry,
    Disclosure,
    Erasure,
    Keyring,
    LedgerEntry,
    Letter,
    OptIn,
    PrivacyRequest,
    PurposeRecord,
    Recipient,
    RecipientNotice,
    RecoveryCode,
    Reply,
    RetentionPeriod,
    RootKey,
    SecondFactor,
    Shop,
    Source,
    Staff,
    Subject,
    SubjectExport,
    SubjectKey,
    Suppression,
    Topic,
    UseCount,
    UseRule,
    Webhook,
    WebhookAttempt,
    WebhookDelivery,
    WebhookMessage,
)


def _key_of(subject: UUID) -> Q:
    return Q(subject_uuid=subject)


def declare() -> None:
    """Enter every model of privacy, of jobs and of Django into the registry."""
    registry.delete(Consent, "subject")
    registry.delete(OptIn, "subject")
    registry.delete(SubjectExport, "subject", through=("request",))
    registry.files("privacy.exports", subject_export.files_of)
    registry.sealed_files("privacy.exports", subject_export.seal_anew)
    registry.shred(SubjectKey, also=_key_of)
    registry.keep(
        ConsentEntry,
        "subject",
        "retracts__subject",
        reason=_("Evidence of what was agreed to; it names a random id that leads nowhere."),
    )
    registry.keep(Suppression, reason=_("A keyed tag, so that the address is not mailed again."))
    registry.keep(AuditEntry, reason=_("Who looked at what; it holds random ids, no values."))
    registry.keep(LedgerEntry, reason=_("A keyed tag, to erase the person again after a restore."))
    registry.keep(Erasure, "subject", reason=_("The proof that the person was erased."))
    registry.keep(
        Disclosure, "subject", reason=_("Who was given the person's data; it names random ids.")
    )
    registry.keep(RecipientNotice, "erasure__subject", reason=_("Who else was told."))
    registry.keep(
        PrivacyRequest,
        "subject",
        "about",
        "erasure__subject",
        reason=_("What was asked and answered; the address is sealed under a key of its own."),
        until=_("three years after the answer"),
    )
    registry.keep(
        Letter,
        "request__about",
        reason=_("Which answers were sent; their text is not stored."),
        until=_("three years after the answer"),
    )
    registry.delete(WebhookAttempt, "delivery__message__subject")
    registry.delete(WebhookDelivery, "message__subject")
    registry.delete(WebhookMessage, "subject")
    registry.keep(
        Reply,
        reason=_("Answers to the shop's own server, values masked, for when it asks again."),
        until=_("48 hours later"),
    )
    registry.nobody(
        *(SecondFactor, RecoveryCode),
        *apps.get_app_config("axes").get_models(),
        reason=_("About staff, not customers."),
    )
    _own()
    registry.nobody(PurposeRecord, UseRule, reason=_("What the shop may use data for."))
    registry.nobody(UseCount, reason=_("How much staff and services opened, not whose."))
    registry.nobody(Job, Pulse, reason=_("Ids of rows and counts."))
    registry.nobody(
        *(Session, ContentType, Permission, Group, Group.permissions.through, LogEntry),
        reason=_("About staff, not customers."),
    )
    registry.keep(Subject, reason=_("A random id that says: erased."))
    _retain()


def _own() -> None:
    """What is the shop's and the installation's own."""
    registry.nobody(
        *(Staff, Shop, Source, ApiKey, Recipient, Webhook, Topic), reason=_("The shop's own.")
    )
    registry.nobody(Keyring, RootKey, RetentionPeriod, reason=_("How the installation is set up."))


def _retain() -> None:
    """How long privacy's own rows are kept; each default may be changed in the admin."""
    registry.retain(
        "requests",
        _("Answered requests and their letters"),
        days=3 * 365,
        old=lambda before: PrivacyRequest.objects.filter(closed_at__lt=before),
        reason=_("Proof of the answer, until claims expire."),
        of=(PrivacyRequest, Letter),
    )
    registry.retain(
        "consents",
        _("Consent ledger"),
        days=None,
        reason=_("Evidence, as long as messages are sent on it."),
        of=(ConsentEntry, Consent),
    )
    registry.retain(
        "audit",
        _("Audit log"),
        days=None,
        reason=_("A chain; a cut would look like a fraud."),
        of=(AuditEntry,),
    )
    registry.retain(
        "admin_log",
        _("Changes made in the admin"),
        days=365,
        old=lambda before: LogEntry.objects.filter(action_time__lt=before),
    )
    registry.retain(
        "replies",
        _("Answers kept for repeated requests"),
        days=2,
        old=lambda before: Reply.objects.filter(asked_at__lt=before),
    )
    registry.retain(
        "webhooks",
        _("Messages to webhooks"),
        days=30,
        old=lambda before: WebhookMessage.objects.filter(occurred_at__lt=before),
        reason=_("To send them again to a receiver that was away."),
    )
    registry.retain(
        "sessions",
        _("Sessions of staff"),
        days=1,
        old=lambda before: Session.objects.filter(expire_date__lt=before),
    )
