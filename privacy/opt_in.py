"""Double opt-in: a consent asked for on a form holds once the address's owner confirms it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from privacy import consent, registry, suppression, tokens
from privacy.consent import Declaration
from privacy.models import Consent, ConsentEntry, OptIn, Subject, Suppression

USE = "opt-in"
VALID = timedelta(days=14)


def ask(
    subject: Subject,
    purpose: str,
    channel: str,
    *,
    wording: str,
    source: str,
    now: datetime,
    locale: str = "",
) -> OptIn:
    """Begin a double opt-in; nobody is written to for the purpose before it is confirmed.

    Raises DomainError as `consent.check` does.
    """
    given = ConsentEntry.State.GIVEN
    consent.check(Declaration(subject.uuid, purpose, channel, given, wording, source, now), now=now)
    return OptIn.objects.create(
        subject=subject,
        purpose=purpose,
        channel=channel,
        wording=wording,
        locale=locale[:12],
        source=source,
        asked_at=now,
        expires_at=now + VALID,
    )


def link(asked: OptIn) -> str:
    """Return the address that the confirmation message leads to."""
    return settings.PUBLIC_URL + reverse("confirm-opt-in", args=[tokens.token(USE, asked.uuid)])


def find(token: str, *, now: datetime) -> OptIn | None:
    """Return what a token asks to confirm, or None: unknown, expired, or the person is gone."""
    uuid = tokens.read(USE, token)
    if uuid is None:
        return None
    rows = OptIn.objects.filter(subject__erased_at__isnull=True, expires_at__gt=now)
    return rows.select_related("subject").filter(uuid=uuid).first()


@transaction.atomic
def confirm(token: str, *, now: datetime) -> OptIn | None:
    """Use a token up: the consent is of this moment. Confirming again changes nothing.

    Returns None for one that `find` does not find, or that is void since the person withdrew
    after it was asked for.
    """
    asked = find(token, now=now)
    if asked is None or _was_withdrawn_since(asked):
        return None
    if not OptIn.objects.filter(pk=asked.pk, confirmed_at=None).update(confirmed_at=now):
        return asked
    consent.record(
        asked.subject,
        asked.purpose,
        asked.channel,
        ConsentEntry.State.GIVEN,
        wording=asked.wording,
        source=asked.source,
        locale=asked.locale,
        evidence={"opt_in": str(asked.uuid), "asked_at": asked.asked_at.isoformat()},
        happened_at=now,
        now=now,
    )
    welcome_back(asked.subject, asked.channel, now=now)
    return asked


def welcome_back(subject: Subject, channel: str, *, now: datetime) -> None:
    """Let the addresses of somebody who agrees anew be written to, if it was they who said no."""
    for where, tag in registry.addresses_of(subject.uuid):
        if where == channel:
            suppression.lift_tag(channel, tag, reason=Suppression.Reason.UNSUBSCRIBED, now=now)


def _was_withdrawn_since(asked: OptIn) -> bool:
    return Consent.objects.filter(
        subject=asked.subject,
        purpose=asked.purpose,
        channel=asked.channel,
        state=ConsentEntry.State.WITHDRAWN,
        since__gte=asked.asked_at,
    ).exists()
