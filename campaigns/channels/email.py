"""E-mail over SMTP: one connection for many messages, commands in one go, and a clear answer for every way it can break."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from campaigns.channels.base import Channel, Message, Outcome, Result
from campaigns.channels.outbox import OutboxChannel
from campaigns.rendering import signing

TIMEOUT_SECONDS = 20
SERVICE_CLOSING, GO_ON, BAD_SEQUENCE = 421, 354, 503
LOST = "connection_lost"
# A server that hangs costs its time limit each time, and a batch must end within the lease.
MAX_LOST = 2

_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]+")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_ENHANCED = re.compile(rb"^([245]\.\d{1,3}\.\d{1,3})\b")
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


def channel() -> Channel:
    """Return the way e-mail takes here: a provider's API, `SMTP_URL`, else the outbox folder."""
    if settings.MAIL_ESP:
        from campaigns.channels.esp import EspChannel  # noqa: PLC0415 -- needed by few, slow to load

        return EspChannel(settings.MAIL_ESP)
    if settings.SMTP_URL:
        return SmtpChannel(Server.from_url(settings.SMTP_URL))
    return OutboxChannel(settings.OUTBOX_DIR)


def provider() -> str:
    """Return the name of where e-mail is handed over, without any credential."""
    if settings.MAIL_ESP:
        return str(settings.MAIL_ESP)
    if not settings.SMTP_URL:
        return "outbox"
    server = Server.from_url(settings.SMTP_URL)
    return f"{server.host}:{server.port}"


def is_real() -> bool:
    """Whether e-mail leaves this machine."""
    return bool(settings.MAIL_ESP or settings.SMTP_URL)


@dataclass(frozen=True, slots=True)
class Server:
    """Where to hand mail in; `scheme` is smtp, smtp+starttls or smtps."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_seconds: float = TIMEOUT_SECONDS

    @classmethod
    def from_url(cls, url: str) -> Server:
        """Read `scheme://user:password@host:port`; raises ImproperlyConfigured if it is none."""
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[parts.scheme]
        except (KeyError, ValueError):
            raise ImproperlyConfigured(
                "SMTP_URL must start with smtp://, smtp+starttls:// or smtps:// and name a host"
            ) from None
        if not parts.hostname:
            raise ImproperlyConfigured("SMTP_URL names no host")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(parts.scheme, parts.hostname, port, user, password)

    def connect(self) -> smtplib.SMTP:
        """Open a connection, encrypted and logged in as the URL says; raises OSError."""
        if self.scheme == "smtps":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_seconds, context=_context()
            )
        else:
            smtp = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
        try:
            if self.scheme == "smtp+starttls":
                smtp.starttls(context=_context())
            if self.user:
                smtp.login(self.user, self.password)
            smtp.ehlo_or_helo_if_needed()
        except OSError:
            smtp.close()
            raise
        return smtp


@cache
def _context() -> ssl.SSLContext:
    """Reading the authorities takes as long as sending a hundred messages."""
    return ssl.create_default_context()


class _RefusedError(Exception):
    """The server said no to one message, with this reply."""

    def __init__(self, code: int, reply: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.reply = reply


class SmtpChannel:
    """Sends through one server; a connection that breaks twice in a row ends the batch."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._kept: smtplib.SMTP | None = None
        self._keeps = False

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Use one connection for all batches of the block."""
        self._keeps = True
        try:
            yield
        finally:
            self._keeps = False
            if self._kept is not None:
                _quit(self._kept)
            self._kept = None

    def send_batch(self, messages: Sequence[Message]) -> list[Result]:
        results: list[Result] = []
        smtp, self._kept = self._kept, None
        n_lost, is_offered = 0, False
        messages = [signed(message) for message in messages]
        for message in messages:
            if smtp is None:
                try:
                    smtp = self._server.connect()
                except OSError as error:
                    return results + _all_later(messages[len(results) :], _connection_code(error))
            following = messages[len(results) + 1 : len(results) + 2]
            result, usable, is_offered = _send(smtp, message, following, is_offered=is_offered)
            results.append(result)
            if not usable:
                smtp.close()
                smtp = None
            n_lost = n_lost + 1 if result.code == LOST else 0
            if result.code.startswith(str(SERVICE_CLOSING)) or n_lost == MAX_LOST:
                return results + _all_later(messages[len(results) :], result.code)
        if self._keeps:
            self._kept = smtp
        elif smtp is not None:
            _quit(smtp)
        return results


def signed(message: Message) -> Message:
    """Return the message under the shop's DKIM key, if it has one."""
    if not settings.DKIM_KEY or not settings.DKIM_SELECTOR:
        return message
    content = signing.sign(
        message.content,
        domain=message.sender.rpartition("@")[2].lower(),
        selector=settings.DKIM_SELECTOR,
        key=settings.DKIM_KEY.encode(),
    )
    return replace(message, content=content)


def _send(
    smtp: smtplib.SMTP, message: Message, following: Sequence[Message], *, is_offered: bool
) -> tuple[Result, bool, bool]:
    """Send one message; says if the connection can carry the next one, and if that is offered.

    The next one's commands go with this one's last bytes, so that each costs one round trip.
    """
    try:
        if is_offered:
            _take_up(smtp, message)
        else:
            _offer(smtp, message)
    except _RefusedError as refused:
        return _refusal(message, refused, Outcome.LATER), _reset(smtp, refused.code), False
    except OSError:
        return Result(message.key, Outcome.LATER, LOST), False, False
    ahead = b"".join(map(_commands, following)) if smtp.has_extn("pipelining") else b""
    try:
        # From here on the server may have taken the message, whatever we hear of it.
        smtp.send(_on_the_wire(message.content) + ahead)
        _expect(smtp.getreply(), 250)
    except _RefusedError as refused:
        goes_on = bool(ahead) and refused.code not in {SERVICE_CLOSING, -1}
        usable = goes_on or _reset(smtp, refused.code)
        return _refusal(message, refused, Outcome.UNKNOWN), usable, goes_on
    except OSError:
        return Result(message.key, Outcome.UNKNOWN, LOST), False, False
    return Result(message.key, Outcome.SENT, "250"), True, bool(ahead)


def _take_up(smtp: smtplib.SMTP, message: Message) -> None:
    """Hear of a message offered ahead; a server that lost the thread is asked anew."""
    try:
        _hear(smtp)
    except _RefusedError as refused:
        if refused.code != BAD_SEQUENCE or not _reset(smtp, refused.code):
            raise
        _offer(smtp, message)


def _offer(smtp: smtplib.SMTP, message: Message) -> None:
    """Bring the server to where it takes the message: in one go, if it can (RFC 2920)."""
    if not smtp.has_extn("pipelining"):
        _expect(smtp.mail(message.sender), 250)
        _expect(smtp.rcpt(message.recipient), 250, 251)
        _expect(smtp.docmd("data"), GO_ON)
        return
    smtp.send(_commands(message))
    _hear(smtp)


def _commands(message: Message) -> bytes:
    sender, recipient = _path(message.sender), _path(message.recipient)
    return f"MAIL FROM:{sender}\r\nRCPT TO:{recipient}\r\nDATA\r\n".encode("ascii")


def _path(address: str) -> str:
    """Return an address as a command has it; taking one apart takes longer than sending to it."""
    return f"<{address}>" if _PLAIN.fullmatch(address) else smtplib.quoteaddr(address)


def _hear(smtp: smtplib.SMTP) -> None:
    """Read the answers to a message's commands; raises _RefusedError if it is not wanted."""
    asked, named, begun = (_unless_closing(smtp.getreply()) for _ in range(3))
    try:
        _expect(asked, 250)
        _expect(named, 250, 251)
    except _RefusedError:
        if begun[0] == GO_ON:  # it waits for a message to nobody: an empty one, to be refused
            smtp.send(b".\r\n")
            smtp.getreply()
        raise
    _expect(begun, GO_ON)


def _unless_closing(answer: tuple[int, bytes]) -> tuple[int, bytes]:
    if answer[0] == SERVICE_CLOSING:
        raise _RefusedError(*answer)
    return answer


def _expect(answer: tuple[int, bytes], *codes: int) -> None:
    if answer[0] not in codes:
        raise _RefusedError(*answer)


def _refusal(message: Message, refused: _RefusedError, unclear: Outcome) -> Result:
    """Read the reply by its class: 4 is for now, 5 for good, anything else is `unclear`."""
    outcome = {4: Outcome.LATER, 5: Outcome.REFUSED}.get(refused.code // 100, unclear)
    enhanced = _ENHANCED.match(refused.reply)
    code = f"{refused.code} {enhanced[1].decode()}" if enhanced else str(refused.code)
    return Result(message.key, outcome, code)


def _all_later(messages: Sequence[Message], code: str) -> list[Result]:
    return [Result(message.key, Outcome.LATER, code) for message in messages]


def _reset(smtp: smtplib.SMTP, code: int) -> bool:
    if code == SERVICE_CLOSING or code < 0:
        return False
    try:
        return smtp.rset()[0] == 250  # noqa: PLR2004 -- "done"
    except OSError:
        return False


def _quit(smtp: smtplib.SMTP) -> None:
    try:
        smtp.quit()
    except OSError:
        smtp.close()


def _on_the_wire(content: bytes) -> bytes:
    end = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    return _LEADING_DOT.sub(b"..", content) + end


def _connection_code(error: OSError) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "login_refused"
    if isinstance(error, ssl.SSLError):
        return "tls_failed"
    return "no_connection"
