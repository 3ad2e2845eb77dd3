"""E-mail over a provider's API through django-anymail, and what the provider reports back."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from anymail.exceptions import (
    AnymailAPIError,
    AnymailError,
    AnymailImproperlyInstalled,
    AnymailSerializationError,
    AnymailWebhookValidationFailure,
)
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives, get_connection

from campaigns.bounces.codes import Kind, classify, code_in
from campaigns.channels import http
from campaigns.channels.base import Message, Outcome, Result

if TYPE_CHECKING:
    from django.http import HttpRequest

# What stands in the API's own fields, so that it must not come as a header too.
_FIELDS: Final = frozenset({"from", "to", "subject", "content-type", "mime-version", "date"})
# Names under which a message comes back in a provider's reports.
REFERENCE: Final = "message_ref"
_REJECTED: Final = {
    "invalid": Kind.HARD,
    "bounced": Kind.HARD,
    "timed_out": Kind.SOFT,
    "spam": Kind.COMPLAINT,
    "unsubscribed": Kind.UNSUBSCRIBE,
}
_WORDS: Final = {
    "delivered": Kind.DELIVERED,
    "opened": Kind.DELIVERED,
    "clicked": Kind.DELIVERED,
    "complained": Kind.COMPLAINT,
    "unsubscribed": Kind.UNSUBSCRIBE,
}


class EspChannel:
    """Hands messages to one provider; what it did not surely take is never called sent."""

    def __init__(self, name: str) -> None:
        self._name = name

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        results: list[Result] = []
        try:
            connection = get_connection(f"anymail.backends.{self._name}.EmailBackend")
            connection.open()
        except (ImproperlyConfigured, AnymailImproperlyInstalled):
            return [Result(message.key, Outcome.LATER, http.LOGIN_REFUSED) for message in messages]
        try:
            for message in messages:
                result = _send(connection, message)
                results.append(result)
                if http.ends_batch(result):
                    rest = messages[len(results) :]
                    return results + [Result(m.key, Outcome.LATER, result.code) for m in rest]
        finally:
            connection.close()
        return results


def _send(connection: Any, message: Message) -> Result:
    try:
        mail = as_mail(message)
    except (ValueError, LookupError):
        return Result(message.key, Outcome.REFUSED, "not_accepted")
    try:
        connection.send_messages([mail])
    except AnymailAPIError as error:
        return _failure(message, error)
    except AnymailSerializationError:
        return Result(message.key, Outcome.REFUSED, "not_accepted")
    except (AnymailError, ValueError):
        # The answer could not be read; the message may be with the provider.
        return Result(message.key, Outcome.UNKNOWN, "provider_unclear")
    return _told(message, mail.anymail_status.status or set())  # type: ignore[attr-defined]


def _told(message: Message, status: set[str]) -> Result:
    if status & {"sent", "queued"}:
        return Result(message.key, Outcome.SENT, "250")
    if refused := status & {"rejected", "invalid", "failed"}:
        return Result(message.key, Outcome.REFUSED, f"provider_{min(refused)}")
    return Result(message.key, Outcome.UNKNOWN, "provider_unclear")


def _failure(message: Message, error: AnymailAPIError) -> Result:
    """Read a failed request; only an answer, or no connection at all, is sure."""
    response = getattr(error, "response", None)
    if response is None:
        return http.unanswered(message.key, http.no_answer(error))
    return http.refused(
        message.key, int(response.status_code), response.headers.get("Retry-After", "")
    )


def as_mail(message: Message) -> EmailMultiAlternatives:
    """Return the finished bytes as what anymail takes apart for the provider's API."""
    parsed = email.message_from_bytes(message.content, policy=email.policy.default)
    parts = {kind: parsed.get_body((kind,)) for kind in ("plain", "html")}
    text, html = (str(part.get_content()) if part else "" for part in parts.values())
    mail = EmailMultiAlternatives(
        subject=str(parsed["Subject"] or ""),
        body=text,
        from_email=str(parsed["From"] or message.sender),
        to=[message.recipient],
        headers={name: str(value) for name, value in parsed.items() if name.lower() not in _FIELDS},
    )
    if html:
        mail.attach_alternative(html, "text/html")
    mail.metadata = {REFERENCE: str(parsed["Message-ID"] or "")}  # type: ignore[attr-defined]
    mail.track_opens = mail.track_clicks = False  # type: ignore[attr-defined]
    return mail


class NotGenuineError(Exception):
    """A report that the provider did not sign, or that nobody could have."""


def reports(name: str, request: HttpRequest) -> list[Any]:
    """Return the events of a provider's report, once its signature or password is right.

    Raises NotGenuineError; so it does where neither is set up, since anybody could report then.
    """
    module = import_module(f"anymail.webhooks.{name}")
    views = [
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and found.__module__ == module.__name__
        and found.__name__.endswith(("TrackingWebhookView", "CombinedWebhookView"))
    ]
    try:
        view = views[0]()
        if view.warn_if_no_basic_auth and not view.basic_auth:
            raise NotGenuineError
        view.run_validators(request)
        events = view.parse_events(request)
    except (AnymailWebhookValidationFailure, ImproperlyConfigured):
        raise NotGenuineError from None
    return list(events)


def kinds(event: Any) -> Iterator[tuple[Kind, str]]:
    """Give what an event of anymail's means for a message, if anything, and the code it has."""
    words = " ".join(filter(None, (event.mta_response, event.description)))
    code = code_in(words)
    if event.event_type in _WORDS:
        yield _WORDS[event.event_type], code
    elif event.event_type == "bounced":
        sure = classify(code, words) if code or "soft" in _own_name(event) else None
        yield sure or _REJECTED.get(event.reject_reason, classify(code, words)), code
    elif event.event_type == "rejected":
        yield _REJECTED.get(event.reject_reason, Kind.BLOCKED), code or str(event.reject_reason)


def _own_name(event: Any) -> str:
    """What the provider itself calls the event."""
    told = event.esp_event if isinstance(event.esp_event, dict) else {}
    return " ".join(str(told.get(name, "")) for name in ("Type", "type", "event")).lower()
