"""Webhooks of the shop: made, changed, rotated, tested, replayed. The form is Standard Webhooks.

A secret is derived from the installation's root, the webhook and its generation: no table holds
it, and no backup. It is shown when it is made and never again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from privacy import audit, event_types, outbound
from privacy.announcing import DISABLED
from privacy.models import Recipient, Webhook, WebhookDelivery, WebhookMessage
from privacy.outbound import Guard, OutboundError
from privacy.problems import DomainError
from privacy.sealed import keys

OVERLAP: Final = timedelta(days=7)
MOST_WEBHOOKS: Final = 50
PREFIX: Final = "whsec_"
TEST: Final = "webhook.test"
ERASED: Final = "customer.erased"

State = WebhookDelivery.State


# The webhooks themselves --------------------------------------------------------------------


@transaction.atomic
def create(
    name: str, url: str, chosen: Sequence[str], *, actor: str, now: datetime
) -> tuple[Webhook, str]:
    """Make a webhook and return it with its secret.

    Raises DomainError naming the field: an address that may not be reached, an event nobody
    knows, a name that is taken, too many webhooks.
    """
    if Webhook.objects.count() >= MOST_WEBHOOKS:
        detail = _("There may be %(n)d webhooks; delete one first.") % {"n": MOST_WEBHOOKS}
        raise DomainError("too_many_webhooks", detail, status=HTTPStatus.CONFLICT)
    made = Webhook(
        name=_checked_name(name),
        url=checked_url(url),
        event_types=checked_types(chosen),
        created_at=now,
    )
    _save(made)
    _audit("webhook.created", made, actor, now)
    return made, secret_of(made)


@transaction.atomic
def change(
    webhook: Webhook,
    *,
    actor: str,
    now: datetime,
    name: str | None = None,
    url: str | None = None,
    chosen: Sequence[str] | None = None,
    is_enabled: bool | None = None,
) -> Webhook:
    """Change what is given; enabling it forgets its failures. Raises DomainError as `create`."""
    locked = Webhook.objects.select_for_update().get(pk=webhook.pk)
    before = locked.name
    if name is not None:
        locked.name = _checked_name(name)
    if url is not None:
        locked.url = checked_url(url)
    if chosen is not None:
        locked.event_types = checked_types(chosen)
    if is_enabled is not None and is_enabled != locked.is_enabled:
        if is_enabled:
            locked.state, locked.disabled_at = Webhook.State.ENABLED, None
            locked.n_failures, locked.failing_since, locked.resting_until = 0, None, None
        else:
            disable(locked, Webhook.State.DISABLED, now=now)
    _save(locked)
    _rename_recipient(before, locked.name)
    _audit("webhook.changed", locked, actor, now)
    return locked


@transaction.atomic
def delete(webhook: Webhook, *, actor: str, now: datetime) -> None:
    """Delete it with what waits for it."""
    _audit("webhook.deleted", webhook, actor, now)
    webhook.delete()


def disable(webhook: Webhook, state: str, *, now: datetime) -> None:
    """Set it disabled, to be saved by the caller; what waits for it ends, to be replayed later."""
    webhook.state, webhook.disabled_at, webhook.told_at = state, now, None
    WebhookDelivery.objects.filter(webhook=webhook, state=State.WAITING).update(
        state=State.FAILED, reason=DISABLED, ended_at=now
    )


def checked_url(url: str) -> str:
    """`url` if it may be posted to as far as its text tells; raises DomainError."""
    url = url.strip()
    try:
        target = outbound.parse(url)
    except OutboundError:
        detail = _("Write the address as https://shop.example/path, without user name or blanks.")
        raise DomainError("invalid_webhook_url", detail, pointer="/url") from None
    if not (target.is_ordinary or guard().allowed):
        detail = _("A webhook is reached by https on port 443, unless its network is let in.")
        raise DomainError("invalid_webhook_url", detail, pointer="/url")
    return url


def checked_types(chosen: Sequence[str]) -> list[str]:
    """The types asked for; who hears of customers hears of their erasure too."""
    known = {one.name: one for one in event_types.all_types() if one.name != TEST}
    if not chosen:
        raise DomainError("required", _("Choose at least one event."), pointer="/eventTypes")
    for at, name in enumerate(chosen):
        if name not in known:
            detail = _("There is no event of this name; there are: %(known)s.") % {
                "known": ", ".join(known)
            }
            raise DomainError("unknown_event_type", detail, pointer=f"/eventTypes/{at}")
    found = set(chosen)
    if any(known[name].is_about_customers for name in found):
        found.add(ERASED)
    return sorted(found)


def _checked_name(name: str) -> str:
    if not (name := " ".join(name.split())):
        raise DomainError("required", _("Give the webhook a name."), pointer="/name")
    return name


def _rename_recipient(old: str, new: str) -> None:
    """Let who was noted as given persons' data under the old name be known by the new one."""
    of_webhooks = Recipient.objects.filter(kind=Recipient.Kind.WEBHOOK)
    if not of_webhooks.filter(name=new).exists():
        of_webhooks.filter(name=old).update(name=new)


def _save(webhook: Webhook) -> None:
    try:
        with transaction.atomic():
            webhook.save()
    except IntegrityError:
        detail = _("Another webhook has this name.")
        status = HTTPStatus.CONFLICT
        raise DomainError("name_taken", detail, status=status, pointer="/name") from None


def _audit(action: str, webhook: Webhook, actor: str, now: datetime) -> None:
    audit.append(action, actor=actor, at=now, reason=f"webhook {webhook.uuid}")


# Secrets and signatures ---------------------------------------------------------------------


def secret_of(webhook: Webhook) -> str:
    """The secret as receivers are given it: `whsec_` and 32 bytes in Base64."""
    return PREFIX + base64.b64encode(_secret(webhook, webhook.generation)).decode()


def secrets_of(webhook: Webhook, *, now: datetime) -> list[bytes]:
    """The secrets that sign, the newest first."""
    live = [webhook.generation]
    if webhook.rotated_until is not None and now < webhook.rotated_until:
        live.append(webhook.generation - 1)
    return [_secret(webhook, generation) for generation in live]


@transaction.atomic
def rotate(webhook: Webhook, *, actor: str, now: datetime) -> str:
    """Begin a new secret and return it; messages bear both signatures for seven days.

    Raises DomainError `not_rotatable` while an old one still signs: there are never three.
    """
    locked = Webhook.objects.select_for_update().get(pk=webhook.pk)
    if locked.rotated_until is not None and now < locked.rotated_until:
        detail = _("The old secret still signs; end it before you make another.")
        raise DomainError("not_rotatable", detail, status=HTTPStatus.CONFLICT)
    locked.generation += 1
    locked.rotated_until = now + OVERLAP
    locked.save(update_fields=["generation", "rotated_until"])
    _audit("webhook.rotated", locked, actor, now)
    webhook.refresh_from_db()
    return secret_of(locked)


@transaction.atomic
def end_old_secret(webhook: Webhook, *, actor: str, now: datetime) -> None:
    """Sign by the newest secret alone from now on."""
    if Webhook.objects.filter(pk=webhook.pk, rotated_until__gt=now).update(rotated_until=now):
        _audit("webhook.old_secret_ended", webhook, actor, now)
    webhook.refresh_from_db()


def body_of(message: WebhookMessage) -> bytes:
    text = json.dumps(message.envelope, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def signed(
    message_id: str, body: bytes, secrets: Sequence[bytes], *, now: datetime
) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each secret."""
    seconds = int(now.timestamp())
    said = f"{message_id}.{seconds}.".encode() + body
    marks = (hmac.new(secret, said, hashlib.sha256).digest() for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(mark).decode()}" for mark in marks),
    }


def _secret(webhook: Webhook, generation: int) -> bytes:
    return keys().index_key("webhook", f"{webhook.uuid.hex}.{generation}")


# What was sent, again -----------------------------------------------------------------------


@transaction.atomic
def test_message(webhook: Webhook, *, now: datetime) -> WebhookDelivery:
    """Write a message that says nothing, for this webhook alone; `posting.send_now` sends it."""
    data = {"webhookId": str(webhook.uuid)}
    event_types.find(TEST).check(data)
    message = WebhookMessage.objects.create(type=TEST, data=data, occurred_at=now)
    return WebhookDelivery.objects.create(message=message, webhook=webhook, due_at=now)


def replay(delivery: WebhookDelivery, *, now: datetime) -> None:
    """Send a message that has ended once more, with all its attempts, under the same id.

    Raises DomainError `not_replayable` for one still on its way, or to a disabled webhook.
    """
    if not _replay(WebhookDelivery.objects.filter(pk=delivery.pk), now=now, failed_only=False):
        detail = _("Only what has ended is sent again, and only to an enabled webhook.")
        raise DomainError("not_replayable", detail, status=HTTPStatus.CONFLICT)
    delivery.refresh_from_db()


def replay_failed(webhook: Webhook, *, since: datetime, now: datetime) -> int:
    """Send again what happened since then and failed; returns how many.

    Raises DomainError `not_replayable` for a disabled webhook.
    """
    if not Webhook.objects.filter(pk=webhook.pk, state=Webhook.State.ENABLED).exists():
        detail = _("Enable the webhook first.")
        raise DomainError("not_replayable", detail, status=HTTPStatus.CONFLICT)
    failed = WebhookDelivery.objects.filter(webhook=webhook, message__occurred_at__gte=since)
    return _replay(failed.exclude(message__type=TEST), now=now, failed_only=True)


def _replay(rows: Any, *, now: datetime, failed_only: bool) -> int:
    ended = [State.FAILED] if failed_only else [State.FAILED, State.DELIVERED]
    enabled = Webhook.objects.filter(state=Webhook.State.ENABLED)
    again = rows.filter(state__in=ended, webhook__in=enabled)
    return int(
        again.update(
            state=State.WAITING, due_at=now, n_attempts=0, status=None, reason="", ended_at=None
        )
    )


# Where they may lead ------------------------------------------------------------------------


def guard() -> Guard:
    """The guard of every post to a webhook, by the installation's settings."""
    return _guard(tuple(settings.WEBHOOK_ALLOWED_NETWORKS))


@lru_cache(maxsize=4)
def _guard(networks: tuple[str, ...]) -> Guard:
    return Guard(allowed=tuple(ip_network(text) for text in networks))
