"""One request to a provider, and what is sure of the message when it fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import requests

from campaigns.channels.base import Outcome, Result

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
LONGEST: Final = 65_536
UNTOLD_WAIT: Final = 60.0
LOGIN_REFUSED: Final = "login_refused"
_AGAIN: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_NO_LOGIN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_BEFORE_ANYTHING: Final = frozenset({"NewConnectionError", "NameResolutionError"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said: its status and its words, cut at 64 KiB."""

    status: int
    text: str
    retry_after: str = ""


class NoAnswerError(Exception):
    """No answer came; `code` says why, `is_sure` that the request did not get there."""

    def __init__(self, code: str, *, is_sure: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_sure = is_sure


def post(
    session: requests.Session,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float = READ_SECONDS,
    auth: tuple[str, str] | None = None,
) -> Answer:
    """Send `body` and return the answer; raises NoAnswerError. Redirects are not followed."""
    try:
        reply = session.post(
            url,
            data=body,
            headers=dict(headers),
            timeout=(CONNECT_SECONDS, seconds),
            allow_redirects=False,
            stream=True,
            auth=auth,
        )
        with reply:
            told = next(reply.iter_content(LONGEST), b"")
    except requests.RequestException as error:
        raise no_answer(error) from None
    text = told.decode("utf-8", "replace")
    return Answer(reply.status_code, text, reply.headers.get("Retry-After", ""))


def no_answer(error: requests.RequestException | Any) -> NoAnswerError:
    """Tell a connection that never stood from one that broke, when the message may be there."""
    if isinstance(error, requests.exceptions.SSLError):
        return NoAnswerError("tls_failed", is_sure=True)
    if isinstance(error, requests.ConnectTimeout) or _never_connected(error):
        return NoAnswerError("no_connection", is_sure=True)
    return NoAnswerError("connection_lost", is_sure=False)


def unanswered(key: str, error: NoAnswerError) -> Result:
    return Result(key, Outcome.LATER if error.is_sure else Outcome.UNKNOWN, error.code)


def refused(key: str, status: int, retry_after: str = "") -> Result:
    """Read a status that is not good: again later, a wrong key, a refusal, or unclear."""
    if status in _NO_LOGIN:
        return Result(key, Outcome.LATER, LOGIN_REFUSED)
    if status in _AGAIN:
        return Result(key, Outcome.LATER, str(status), wait_seconds=wait_seconds(retry_after))
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return Result(key, Outcome.REFUSED, str(status))
    return Result(key, Outcome.UNKNOWN, str(status))


def wait_seconds(retry_after: str) -> float:
    """Return the seconds a Retry-After asks for; a minute where it gives a date or nothing."""
    told = retry_after.strip()
    return max(1.0, float(told)) if re.fullmatch(r"[0-9]{1,6}", told) else UNTOLD_WAIT


def ends_batch(result: Result) -> bool:
    """Whether the others of a batch would fare alike, so that they are kept back."""
    return bool(result.wait_seconds) or result.code in {
        LOGIN_REFUSED,
        "no_connection",
        "tls_failed",
    }


def _never_connected(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        for told in cause.args:
            if type(getattr(told, "reason", told)).__name__ in _BEFORE_ANYTHING:
                return True
        cause = cause.__cause__
    return False
