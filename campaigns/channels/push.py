"""Web push: each of a customer's browsers gets the message, sealed for it, over its push service."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from campaigns.channels import http
from campaigns.channels.base import Message, Outcome, Result
from campaigns.models import PushSubscription
from campaigns.rendering import push
from privacy import outbound, webhooks
from privacy.models import Shop
from privacy.outbound import Guard, OutboundError
from privacy.sealed import keys

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

KEPT_SECONDS: Final = 24 * 3_600  # the push service keeps it so long for a browser that is away
GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_TAKEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED})
# The connection never stood, so nothing was handed over.
_SURE: Final = frozenset({"unresolved", "refused_address", "not_connected", "tls_failed"})


def own_key() -> EllipticCurvePrivateKey:
    """Return the key by which push services know this installation; derived, never stored."""
    seed = keys().index_key("other", "push.vapid") + keys().index_key("other", "push.vapid.2")
    return push.private_key(seed)


def public_key() -> str:
    """Return what a browser is given to subscribe: the application server key."""
    return push.encode(push.public_point(own_key()))


@dataclass
class PushChannel:
    """A message's `parameters` hold its browsers: the row's number, and endpoint and keys as JSON."""

    guard: Guard = field(default_factory=webhooks.guard)

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        key, contact = own_key(), f"mailto:{Shop.current().sender_email}"
        gone: list[int] = []
        results = [self._send(message, key, contact, gone) for message in messages]
        if gone:
            PushSubscription.objects.filter(pk__in=gone).update(gone_at=messages[0].date)
        return results

    def _send(
        self, message: Message, key: EllipticCurvePrivateKey, contact: str, gone: list[int]
    ) -> Result:
        """Send to every browser; the message arrived if it did at one of them."""
        told = []
        for pk, target in message.parameters.items():
            result = self._post(message, json.loads(target), key, contact)
            if result.code in {"404", "410"}:
                gone.append(int(pk))
            told.append(result)
        order = [Outcome.SENT, Outcome.UNKNOWN, Outcome.LATER, Outcome.REFUSED]
        return min(
            told,
            key=lambda one: order.index(one.outcome),
            default=Result(message.key, Outcome.REFUSED, "no_address"),
        )

    def _post(
        self, message: Message, target: dict[str, str], key: EllipticCurvePrivateKey, contact: str
    ) -> Result:
        endpoint = target["endpoint"]
        headers = {
            "Authorization": push.vapid(endpoint, key, contact=contact, now=message.date),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(KEPT_SECONDS),
            # A message that was tried twice replaces itself while the browser is away.
            "Topic": message.reference[:32],
        }
        try:
            body = push.seal(message.content, target["p256dh"], target["auth"])
            answer = outbound.post(endpoint, body, headers, guard=self.guard)
        except ValueError:
            return Result(message.key, Outcome.REFUSED, "damaged")
        except OutboundError as error:
            if error.code in {"invalid_url", "refused_address"}:
                return Result(message.key, Outcome.REFUSED, error.code)
            outcome = Outcome.LATER if error.code in _SURE else Outcome.UNKNOWN
            return Result(message.key, outcome, error.code)
        if answer.status in _TAKEN:
            return Result(message.key, Outcome.SENT, str(answer.status))
        if answer.status in GONE:
            return Result(message.key, Outcome.REFUSED, str(answer.status))
        return http.refused(message.key, answer.status, answer.retry_after)
