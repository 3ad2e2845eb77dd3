"""What campaigns hold about persons, and what erasing one does to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import (
    Automation,
    Brand,
    Campaign,
    Card,
    CheckedLink,
    Conversion,
    Coupon,
    Delivery,
    Feedback,
    Hit,
    Impression,
    Link,
    Mailbox,
    Note,
    Picture,
    Provider,
    PushSubscription,
    SendingRules,
    ServiceMessage,
    SignUp,
    SignUpForm,
    SignUpText,
    SignUpWording,
    SmsText,
    Step,
    Template,
    TemplateVersion,
    Variant,
)
from privacy import registry
from privacy.erasure import StillOnItsWayError, destroy_key
from privacy.models import Channel, Subject

PERSON = "customer__subject"
_OF_DELIVERY = re.compile(r"[0-9T]{15}-([0-9]+)\.eml")


def declare() -> None:
    """Enter every model of this app, the outbox's files, and how sending is stopped."""
    registry.delete(Delivery, PERSON)
    registry.delete(Hit, f"delivery__{PERSON}")
    registry.delete(Feedback, f"delivery__{PERSON}")
    registry.delete(Conversion, f"delivery__{PERSON}", f"order__{PERSON}")
    registry.delete(ServiceMessage, "subject", f"delivery__{PERSON}")
    registry.delete(Coupon, f"delivery__{PERSON}")
    registry.delete(Impression, f"delivery__{PERSON}")
    registry.delete(PushSubscription, "subject", PERSON)
    registry.delete(SignUp, "subject", "about", also=_asked_from)
    topics_of = SignUpForm.topics.through
    registry.nobody(
        *(SignUpForm, SignUpText, SignUpWording, topics_of),
        reason=gettext_lazy("What sign-up forms say."),
    )
    registry.nobody(
        *(Campaign, Variant, Template, SmsText, Card, Link, Automation, Step),
        *(Brand, CheckedLink, Picture, TemplateVersion),
        reason=gettext_lazy("What is said to everybody."),
    )
    segments = (Campaign.also.through, Campaign.excluded.through)
    registry.nobody(*segments, reason=gettext_lazy("Which segments a campaign is for."))
    registry.nobody(Provider, Mailbox, reason=gettext_lazy("How mail servers do."))
    registry.nobody(
        Note,
        SendingRules,
        reason=gettext_lazy("Rules of the shop, and what its staff said of a campaign."),
    )
    registry.files("campaigns.outbox", _messages)
    registry.cancel_pending("campaigns", _cancel)
    _retain()


def _retain() -> None:
    """How long rows are kept; each default may be changed in the admin."""
    registry.retain(
        "hits",
        gettext_lazy("Opens and clicks"),
        days=3 * 365,
        old=lambda before: Hit.objects.filter(at__lt=before),
    )
    registry.retain(
        "feedback",
        gettext_lazy("Bounces, complaints and proofs of arrival"),
        days=3 * 365,
        old=lambda before: Feedback.objects.filter(at__lt=before),
    )
    registry.retain(
        "sign_ups",
        gettext_lazy("Sign-ups that nobody confirmed"),
        days=30,
        old=lambda before: SignUp.objects.none(),
        drop=_forget,
        of=(SignUp,),
    )
    registry.retain(
        "push_subscriptions",
        gettext_lazy("Browsers that took push messages and are gone"),
        days=30,
        old=lambda before: PushSubscription.objects.filter(gone_at__lt=before),
    )
    registry.retain(
        "service_messages",
        gettext_lazy("What transactional messages were about"),
        days=90,
        old=lambda before: ServiceMessage.objects.filter(asked_at__lt=before),
    )
    registry.retain(
        "deliveries",
        gettext_lazy("Messages sent, with their part in reports"),
        days=3 * 365,
        old=lambda before: Delivery.objects.filter(due_at__lt=before),
        reason=gettext_lazy("Proof of what was sent; reports older than that lose their rows."),
    )


def _messages(subject: UUID) -> Iterator[Path]:
    """The person's messages in the outbox folder, where there is no mail server."""
    folder = Path(settings.OUTBOX_DIR)
    if not folder.is_dir():
        return
    keys = set(
        Delivery.objects.filter(customer__subject__uuid=subject).values_list("pk", flat=True)
    )
    for path in folder.iterdir():
        match = _OF_DELIVERY.fullmatch(path.name)
        if match and int(match[1]) in keys:
            yield path


def _asked_from(subject: UUID) -> Q:
    """Sign-ups from the person's addresses that nobody confirmed yet."""
    tags = [tag for channel, tag in registry.addresses_of(subject) if channel == Channel.EMAIL]
    return Q(address_tag__in=tags)


def _forget(before: datetime) -> int:
    """Drop old sign-ups that nobody confirmed, with the keys of what was typed."""
    old = SignUp.objects.filter(asked_at__lt=before, confirmed_at=None)
    subjects = list(old.values_list("subject__uuid", flat=True))
    old.delete()
    for subject in subjects:
        destroy_key(subject)
    Subject.objects.filter(uuid__in=subjects).delete()
    return len(subjects)


def _cancel(subject: UUID, now: datetime) -> int:
    """Skip what is still to go out; raises StillOnItsWayError for what goes out right now."""
    mine = Delivery.objects.filter(customer__subject__uuid=subject)
    waiting = mine.filter(state__in=[Delivery.State.PLANNED, Delivery.State.CLAIMED])
    n_stopped = waiting.update(
        state=Delivery.State.SKIPPED, reason="erased", claim_token=None, lease_until=None
    )
    if mine.filter(state=Delivery.State.SENDING, lease_until__gte=now).exists():
        raise StillOnItsWayError(
            _("A message to this person is being handed over; it is tried again in a minute.")
        )
    return n_stopped
