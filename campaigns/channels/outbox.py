"""The outbox folder: in embedded mode mail is written here instead of being sent."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from campaigns.channels.base import Message, Outcome, Result

_NAME = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9A-Za-z-]{1,80}\.eml")


class UnknownMessageError(LookupError):
    """There is no message of that name in the outbox."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of the outbox, taken apart for a screen; `html` must be shown sandboxed."""

    name: str
    written_at: datetime
    subject: str
    sender: str
    recipient: str
    html: str = ""
    text: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)


class OutboxChannel:
    """Writes each message to `folder`, under a name that a second try would overwrite."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [self._write(message) for message in messages]

    def _write(self, message: Message) -> Result:
        name = f"{message.date.astimezone(UTC):%Y%m%dT%H%M%S}-{message.key}.eml"
        half = self._folder / f".{name}.part"
        try:
            half.write_bytes(message.content)
            half.replace(self._folder / name)
        except OSError:
            half.unlink(missing_ok=True)
            return Result(message.key, Outcome.LATER, "outbox_not_writable")
        return Result(message.key, Outcome.SENT, "250")


class TextOutbox:
    """Writes text messages beside the mails, in the same form, so that a screen can show them."""

    def __init__(self, folder: Path) -> None:
        self._outbox = OutboxChannel(folder)

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        return self._outbox.send_batch([_as_mail(message) for message in messages])


def _as_mail(message: Message) -> Message:
    text = message.content.decode()
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"] = "sms", message.recipient
    mail["Subject"] = f"SMS: {' '.join(text.split())[:60]}"
    if message.template:
        mail["X-Template"] = message.template
    mail.set_content(text)
    return replace(message, content=mail.as_bytes())


def count(folder: Path) -> int:
    """Return how many messages lie in `folder`."""
    return len(_names(folder))


def messages(folder: Path, *, limit: int = 50, offset: int = 0) -> list[Shown]:
    """Return one page of `folder`'s messages, newest first, headers only."""
    page = _names(folder)[offset : offset + limit]
    return [_shown(folder / name, body=False) for name in page]


def read(folder: Path, name: str) -> Shown:
    """Return one message whole; raises UnknownMessageError for any name that is not one."""
    path = folder / name
    if not _NAME.fullmatch(name) or path.is_symlink() or not path.is_file():
        raise UnknownMessageError(name)
    return _shown(path, body=True)


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted((p.name for p in folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)


def _shown(path: Path, *, body: bool) -> Shown:
    parsed = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    shown = Shown(
        name=path.name,
        written_at=datetime.strptime(path.name[:15], "%Y%m%dT%H%M%S").replace(tzinfo=UTC),
        subject=str(parsed["Subject"] or ""),
        sender=str(parsed["From"] or ""),
        recipient=str(parsed["To"] or ""),
        html=_body(parsed, "html") if body else "",
        text=_body(parsed, "plain") if body else "",
    )
    if body:
        shown.headers.extend((name, str(value)) for name, value in parsed.items())
    return shown


def _body(parsed: EmailMessage, kind: str) -> str:
    part = parsed.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""
