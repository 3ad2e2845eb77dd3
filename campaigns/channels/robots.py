"""Alerts to staff in WeCom or DingTalk groups, through the groups' own robots."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import datetime
from typing import Final
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit, urlunsplit

import requests
from django.core.exceptions import ImproperlyConfigured

from campaigns.channels import http
from campaigns.channels.base import Outcome, Result
from campaigns.channels.http import NoAnswerError

KINDS: Final = frozenset({"wecom", "dingtalk"})
LONGEST: Final = 2_000
# Sent too often: WeCom takes 20 a minute of a robot, DingTalk too.
_TOO_OFTEN: Final = frozenset({45009, 45033, 130101, 660026})


def check(urls: list[str]) -> list[str]:
    """Return the addresses; raises ImproperlyConfigured for one that is no robot's."""
    for number, url in enumerate(urls, start=1):
        kind, _plus, scheme = urlsplit(url).scheme.partition("+")
        if kind not in KINDS or scheme not in {"http", "https"}:
            raise ImproperlyConfigured(
                f"part {number} of STAFF_ROBOTS must start with wecom+https:// or dingtalk+https://"
            )
    return urls


def tell(url: str, text: str, now: datetime) -> Result:
    """Send one alert to one robot; `url` as in STAFF_ROBOTS, with DingTalk's `secret`."""
    kind, _plus, address = url.partition("+")
    if kind == "dingtalk":
        address = _stamped(address, now)
    told = {"msgtype": "text", "text": {"content": text[:LONGEST]}}
    body = json.dumps(told, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        with requests.Session() as session:
            answer = http.post(session, address, body, headers)
    except NoAnswerError as error:
        return http.unanswered(kind, error)
    return _read(kind, answer)


def _read(kind: str, answer: http.Answer) -> Result:
    """Robots answer 200 whatever happens; what did is in `errcode`."""
    if answer.status != 200:  # noqa: PLR2004
        return http.refused(kind, answer.status, answer.retry_after)
    try:
        code = int(json.loads(answer.text)["errcode"])
    except (ValueError, LookupError, TypeError):
        return Result(kind, Outcome.UNKNOWN, "no_answer_code")
    if code == 0:
        return Result(kind, Outcome.SENT, "250")
    if code in _TOO_OFTEN:
        return Result(kind, Outcome.LATER, str(code), wait_seconds=http.UNTOLD_WAIT)
    return Result(kind, Outcome.REFUSED, str(code))


def _stamped(address: str, now: datetime) -> str:
    """DingTalk signs milliseconds and the secret itself, a line each, in the address."""
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query))
    secret = query.pop("secret", "")
    if secret:
        stamp = str(int(now.timestamp() * 1000))
        mark = hmac.digest(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256)
        query |= {"timestamp": stamp, "sign": b64encode(mark).decode()}
    return urlunsplit(parts._replace(query=urlencode(query, quote_via=quote_plus)))
