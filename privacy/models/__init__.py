from privacy.models.api_key import ApiKey, ApiKeyQuerySet
from privacy.models.audit import AuditEntry
from privacy.models.consent import Channel, Consent, ConsentEntry, OptIn
from privacy.models.erasure import Disclosure, Erasure, LedgerEntry, Recipient, RecipientNotice
from privacy.models.purpose import PurposeRecord, UseCount, UseRule
from privacy.models.reply import Reply
from privacy.models.request import Letter, PrivacyRequest, SubjectExport
from privacy.models.retention import RetentionPeriod
from privacy.models.second_factor import RecoveryCode, SecondFactor
from privacy.models.shop import Shop
from privacy.models.source import Source
from privacy.models.staff import Staff
from privacy.models.subject import Subject
from privacy.models.subject_key import Keyring, RootKey, SubjectKey
from privacy.models.suppression import Suppression
from privacy.models.topic import Topic
from privacy.models.webhook import Webhook, WebhookAttempt, WebhookDelivery, WebhookMessage

__all__ = [
    "ApiKey",
    "ApiKeyQuerySet",
    "AuditEntry",
    "Channel",
    "Consent",
    "ConsentEntry",
    "Disclosure",
    "Erasure",
    "Keyring",
    "LedgerEntry",
    "Letter",
    "OptIn",
    "PrivacyRequest",
    "PurposeRecord",
    "Recipient",
    "RecipientNotice",
    "RecoveryCode",
    "Reply",
    "RetentionPeriod",
    "RootKey",
    "SecondFactor",
    "Shop",
    "Source",
    "Staff",
    "Subject",
    "SubjectExport",
    "SubjectKey",
    "Suppression",
    "Topic",
    "UseCount",
    "UseRule",
    "Webhook",
    "WebhookAttempt",
    "WebhookDelivery",
    "WebhookMessage",
]
