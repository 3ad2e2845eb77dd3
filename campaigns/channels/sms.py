"""Text messages: one channel, and a dialect for each form in which gateways want them."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit
from uuid import UUID, uuid5

import requests
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from campaigns.channels import http
from campaigns.channels.base import Channel, Message, Outcome, Result
from campaigns.channels.http import Answer, NoAnswerError
from campaigns.channels.outbox import TextOutbox
from privacy import webhooks

FORM: Final = "application/x-www-form-urlencoded"
_NONCES: Final = UUID("9a1de0a4-6f2b-4c55-b9a1-1d2f9d5d2f61")


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where text messages are handed in; `query` holds what the dialect wants beside the key."""

    dialect: str
    url: str
    user: str
    secret: str = field(repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    seconds: float = http.READ_SECONDS

    @classmethod
    def from_url(cls, url: str) -> Gateway:
        """Read `dialect://key:secret@host/path?name=value`; raises ImproperlyConfigured.

        `dialect+http` goes in plain HTTP, which is taken for this machine alone.
        """
        parts = urlsplit(url)
        dialect, _plus, scheme = parts.scheme.partition("+")
        if dialect not in DIALECTS:
            known = ", ".join(f"{name}://" for name in sorted(DIALECTS))
            raise ImproperlyConfigured(f"SMS_URL must start with one of {known}")
        scheme = scheme or "https"
        is_here = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if (
            not parts.hostname
            or scheme not in {"http", "https"}
            or (scheme == "http" and not is_here)
        ):
            raise ImproperlyConfigured("SMS_URL must name a host, and another machine by https")
        if not parts.username or not parts.password:
            raise ImproperlyConfigured("SMS_URL must name the gateway's key and secret")
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if missing := DIALECTS[dialect].needs - query.keys():
            raise ImproperlyConfigured(f"SMS_URL lacks {', '.join(sorted(missing))}")
        host = parts.netloc.rpartition("@")[2]
        address = f"{scheme}://{host}{parts.path or '/'}"
        return cls(dialect, address, unquote(parts.username), unquote(parts.password), query)

    @property
    def name(self) -> str:
        return f"{self.dialect} {urlsplit(self.url).netloc}"


@dataclass(frozen=True, slots=True)
class Request:
    url: str
    body: bytes
    headers: Mapping[str, str]
    auth: tuple[str, str] | None = None


class Dialect(Protocol):
    """How one kind of gateway is spoken to. `has_templates`: it takes registered texts alone."""

    needs: frozenset[str]
    has_templates: bool

    def request(self, gateway: Gateway, message: Message, now: datetime) -> Request: ...

    def read(self, key: str, answer: Answer) -> Result: ...


class Twilio:
    """Twilio's Messages resource, which others offer as well."""

    needs = frozenset({"from"})
    has_templates = False

    def request(self, gateway: Gateway, message: Message, now: datetime) -> Request:
        base = gateway.url.rstrip("/")
        told = {
            "To": message.recipient,
            "From": gateway.query["from"],
            "Body": message.content.decode(),
            "StatusCallback": f"{events_url('twilio')}?ref={quote(message.reference)}",
        }
        return Request(
            f"{base}/2010-04-01/Accounts/{quote(gateway.user)}/Messages.json",
            urlencode(told).encode(),
            {"Content-Type": FORM},
            (gateway.user, gateway.secret),
        )

    def read(self, key: str, answer: Answer) -> Result:
        told = _json(answer)
        if answer.status in {200, 201} and told.get("sid"):
            return Result(key, Outcome.SENT, "250")
        code = str(told.get("code", ""))
        if answer.status == 400 and code in _TWILIO_HARD:  # noqa: PLR2004
            return Result(key, Outcome.REFUSED, f"no_number {code}")
        return http.refused(key, answer.status, answer.retry_after)


class Aliyun:
    """Alibaba Cloud's SendSms: a registered text by its code, parameters as JSON, HMAC-SHA1."""

    needs = frozenset({"sign"})
    has_templates = True

    def request(self, gateway: Gateway, message: Message, now: datetime) -> Request:
        told = {
            "AccessKeyId": gateway.user,
            "Action": "SendSms",
            "Format": "JSON",
            "OutId": message.reference,
            "PhoneNumbers": message.recipient.removeprefix("+86").lstrip("+"),
            "RegionId": gateway.query.get("region", "cn-hangzhou"),
            "SignName": gateway.query["sign"],
            "SignatureMethod": "HMAC-SHA1",
            "SignatureNonce": _nonce(message, now),
            "SignatureVersion": "1.0",
            "TemplateCode": message.template,
            "TemplateParam": json.dumps(dict(message.parameters), ensure_ascii=False),
            "Timestamp": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "Version": "2017-05-25",
        }
        signed = told | {"Signature": aliyun_signature("POST", told, gateway.secret)}
        return Request(gateway.url, urlencode(signed).encode(), {"Content-Type": FORM})

    def read(self, key: str, answer: Answer) -> Result:
        told = _json(answer)
        code = str(told.get("Code", ""))
        if code == "OK":
            return Result(key, Outcome.SENT, "250")
        if code in _ALIYUN_LATER:
            return Result(key, Outcome.LATER, "429", wait_seconds=http.UNTOLD_WAIT)
        if code in _ALIYUN_NO_LOGIN:
            return Result(key, Outcome.LATER, http.LOGIN_REFUSED)
        if code == "isv.MOBILE_NUMBER_ILLEGAL":
            return Result(key, Outcome.REFUSED, "no_number")
        if code:
            return Result(key, Outcome.REFUSED, code.rpartition(".")[2].lower()[:40])
        return http.refused(key, answer.status, answer.retry_after)


class Signed:
    """Any gateway that takes JSON under an HMAC: text, or the registered text with parameters."""

    needs = frozenset[str]()
    has_templates = False

    def request(self, gateway: Gateway, message: Message, now: datetime) -> Request:
        told = {
            "to": message.recipient,
            "reference": message.reference,
            "sign": gateway.query.get("sign", ""),
            **(
                {"template": message.template, "parameters": dict(message.parameters)}
                if message.template
                else {"text": message.content.decode()}
            ),
        }
        body = json.dumps(told, ensure_ascii=False).encode()
        stamp, nonce = str(int(now.timestamp())), _nonce(message, now)
        headers = {
            "Content-Type": "application/json",
            "X-Key": gateway.user,
            "X-Timestamp": stamp,
            "X-Nonce": nonce,
            "X-Signature": signature(gateway.secret, stamp, nonce, body),
        }
        return Request(gateway.url, body, headers)

    def read(self, key: str, answer: Answer) -> Result:
        if answer.status in {200, 201, 202}:
            return Result(key, Outcome.SENT, "250")
        return http.refused(key, answer.status, answer.retry_after)


class StandardWebhook:
    """A receiver of the shop's own, told in the form of Standard Webhooks what to send to whom."""

    needs = frozenset[str]()
    has_templates = False

    def request(self, gateway: Gateway, message: Message, now: datetime) -> Request:
        told = {
            "type": "message.send",
            "timestamp": now.astimezone(UTC).isoformat(),
            "data": {
                "channel": "sms",
                "to": message.recipient,
                "text": message.content.decode(),
                "template": message.template,
                "parameters": dict(message.parameters),
                "reference": message.reference,
            },
        }
        body = json.dumps(told, ensure_ascii=False).encode()
        name = f"msg_{message.reference or message.key}"
        signed = webhooks.signed(name, body, [_key(gateway.secret)], now=now)
        return Request(gateway.url, body, {"Content-Type": "application/json", **signed})

    def read(self, key: str, answer: Answer) -> Result:
        if 200 <= answer.status < 300:  # noqa: PLR2004 -- as the specification says
            return Result(key, Outcome.SENT, "250")
        return http.refused(key, answer.status, answer.retry_after)


DIALECTS: Final[dict[str, Dialect]] = {
    "twilio": Twilio(),
    "aliyun": Aliyun(),
    "signed": Signed(),
    "webhook": StandardWebhook(),
}
_TWILIO_HARD: Final = frozenset({"21211", "21214", "21217", "21614"})
_ALIYUN_LATER: Final = frozenset(
    {"isv.BUSINESS_LIMIT_CONTROL", "isp.SYSTEM_ERROR", "Throttling.User", "Throttling"}
)
_ALIYUN_NO_LOGIN: Final = frozenset(
    {"SignatureDoesNotMatch", "InvalidAccessKeyId.NotFound", "isv.ACCOUNT_ABNORMAL",
     "isv.OUT_OF_SERVICE", "isv.AMOUNT_NOT_ENOUGH", "isp.RAM_PERMISSION_DENY"}
)  # fmt: skip


class SmsChannel:
    """Sends through one gateway, a request a message over one kept connection."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        results: list[Result] = []
        with requests.Session() as session:
            for message in messages:
                result = self._send(session, message)
                results.append(result)
                if http.ends_batch(result):
                    rest = messages[len(results) :]
                    return results + [Result(one.key, Outcome.LATER, result.code) for one in rest]
        return results

    def _send(self, session: requests.Session, message: Message) -> Result:
        dialect = DIALECTS[self._gateway.dialect]
        if dialect.has_templates and not message.template:
            return Result(message.key, Outcome.REFUSED, "no_template")
        asked = dialect.request(self._gateway, message, message.date)
        try:
            answer = http.post(
                session,
                asked.url,
                asked.body,
                asked.headers,
                seconds=self._gateway.seconds,
                auth=asked.auth,
            )
        except NoAnswerError as error:
            return http.unanswered(message.key, error)
        return dialect.read(message.key, answer)


def channel() -> Channel:
    """Return the way text messages take here: the gateway of `SMS_URL`, else the outbox folder."""
    if settings.SMS_URL:
        return SmsChannel(Gateway.from_url(settings.SMS_URL))
    return TextOutbox(settings.OUTBOX_DIR)


def provider() -> str:
    """Return the name of where text messages are handed over, without any credential."""
    return Gateway.from_url(settings.SMS_URL).name if settings.SMS_URL else "outbox (sms)"


def needs_templates() -> bool:
    """Whether the gateway sends registered texts alone."""
    return (
        bool(settings.SMS_URL)
        and DIALECTS[Gateway.from_url(settings.SMS_URL).dialect].has_templates
    )


def events_url(dialect: str) -> str:
    return f"{settings.PUBLIC_URL}{reverse('sms-events', args=[dialect])}"


def signature(secret: str, stamp: str, nonce: str, body: bytes) -> str:
    """Return base64 of HMAC-SHA256 over time, nonce and body, a line each."""
    signed = b"\n".join((stamp.encode(), nonce.encode(), body))
    return b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def twilio_signature(token: str, url: str, form: Mapping[str, str]) -> str:
    """Return what Twilio signs its calls with: the address and each field in order, HMAC-SHA1."""
    signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return b64encode(hmac.digest(token.encode(), signed.encode(), hashlib.sha1)).decode()


def aliyun_signature(method: str, told: Mapping[str, str], secret: str) -> str:
    """Return the signature of Alibaba Cloud's RPC interface, version 1.0."""
    query = "&".join(f"{_encoded(name)}={_encoded(told[name])}" for name in sorted(told))
    signed = f"{method}&{_encoded('/')}&{_encoded(query)}"
    return b64encode(hmac.digest(f"{secret}&".encode(), signed.encode(), hashlib.sha1)).decode()


def _key(secret: str) -> bytes:
    """Return the bytes that a secret of Standard Webhooks stands for; any other as it is."""
    if not secret.startswith(webhooks.PREFIX):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(webhooks.PREFIX), validate=True)
    except ValueError:
        raise ImproperlyConfigured("the secret of SMS_URL is no whsec_ of base64") from None


def _encoded(text: str) -> str:
    return quote(text, safe="~")


def _nonce(message: Message, now: datetime) -> str:
    return str(uuid5(_NONCES, f"{message.key} {now.isoformat()}"))


def _json(answer: Answer) -> dict[str, object]:
    try:
        told = json.loads(answer.text)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
