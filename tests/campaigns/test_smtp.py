"""The SMTP channel against a real server on loopback and the ways it fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from django.core.exceptions import ImproperlyConfigured

from campaigns.channels.base import Message, Outcome
from campaigns.channels.email import Server, SmtpChannel

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _raw(envelope: Envelope) -> bytes:
    assert isinstance(envelope.content, bytes)
    return envelope.content


@dataclass
class Sink:
    """Accepts mail; a recipient's local part tells it how to fail."""

    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    pipelines: bool = False

    async def handle_EHLO(  # noqa: N802 -- aiosmtpd's hook
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        if self.pipelines:
            replies.insert(-1, "250-PIPELINING")
        return replies

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        local = address.partition("@")[0]
        if local.startswith("rcpt"):
            return f"{local[4:7]} {'5.1.1 ' if local == 'rcpt550' else ''}no"
        if local == "vanish":
            server.transport.close()  # type: ignore[union-attr]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        address = envelope.rcpt_tos[0]
        local = address.partition("@")[0]
        if local == "drop":
            self.accepted.append((address, _raw(envelope)))
            server.transport.close()  # type: ignore[union-attr]
            return "250 never heard"
        if local.startswith("data"):
            return f"{local[4:7]} no"
        self.accepted.append((address, _raw(envelope)))
        return "250 ok"


@contextmanager
def serving(sink: Sink, **options: Any) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(sink, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def message(local: str, content: bytes = b"Subject: hi\r\n\r\nbody\r\n") -> Message:
    return Message(local, "shop@shop.test", f"{local}@example.com", content, NOW)


def send(*locals_: str, pipelines: bool = False) -> tuple[Sink, dict[str, tuple[Outcome, str]]]:
    sink = Sink(pipelines=pipelines)
    with serving(sink) as port:
        results = SmtpChannel(Server("smtp", "127.0.0.1", port)).send_batch(
            [message(local) for local in locals_]
        )
    return sink, {result.key: (result.outcome, result.code) for result in results}


def test_a_batch_goes_over_one_connection() -> None:
    sink, results = send("ann", "bob", "eve")

    assert set(results.values()) == {(Outcome.SENT, "250")}
    assert [address for address, _ in sink.accepted] == [
        "ann@example.com",
        "bob@example.com",
        "eve@example.com",
    ]
    assert sink.connections == 1


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("rcpt451", (Outcome.LATER, "451")),
        ("rcpt550", (Outcome.REFUSED, "550 5.1.1")),
        ("data451", (Outcome.LATER, "451")),
        ("data550", (Outcome.REFUSED, "550")),
        ("data552", (Outcome.REFUSED, "552")),
    ],
)
@pytest.mark.parametrize("pipelines", [False, True])
def test_a_refusal_is_read_by_its_class_and_the_rest_is_sent(
    local: str,
    expected: tuple[Outcome, str],
    pipelines: bool,  # noqa: FBT001
) -> None:
    sink, results = send("ann", local, "bob", pipelines=pipelines)

    assert results[local] == expected
    assert results["ann"] == results["bob"] == (Outcome.SENT, "250")
    assert len(sink.accepted) == 2


def test_a_server_that_closes_service_gets_no_more_of_the_batch() -> None:
    sink, results = send("ann", "rcpt421", "bob", "eve")

    assert results["ann"] == (Outcome.SENT, "250")
    assert {results[key] for key in ("rcpt421", "bob", "eve")} == {(Outcome.LATER, "421")}
    assert len(sink.accepted) == 1


def test_a_connection_lost_after_the_data_leaves_the_message_unknown() -> None:
    sink, results = send("drop", "bob")

    assert results["drop"] == (Outcome.UNKNOWN, "connection_lost")
    assert results["bob"] == (Outcome.SENT, "250")
    assert sink.connections == 2


def test_a_connection_lost_before_the_data_may_be_tried_again() -> None:
    _, results = send("vanish")

    assert results["vanish"][0] is Outcome.LATER


def test_a_server_that_is_not_there_leaves_all_for_later() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    results = SmtpChannel(Server("smtp", "127.0.0.1", port)).send_batch(
        [message("ann"), message("bob")]
    )

    assert [(r.outcome, r.code) for r in results] == [(Outcome.LATER, "no_connection")] * 2


def test_lines_that_start_with_a_dot_arrive_whole() -> None:
    body = b"Subject: dots\r\n\r\n.\r\n..two\r\n.end\r\n"
    sink = Sink()
    with serving(sink) as port:
        SmtpChannel(Server("smtp", "127.0.0.1", port)).send_batch([message("ann", body)])

    assert sink.accepted[0][1] == body


def test_wrong_credentials_are_told_apart() -> None:
    def check(*facts: Any) -> AuthResult:
        login = facts[-1]
        assert isinstance(login, LoginPassword)
        return AuthResult(success=login.password == b"right", handled=False)

    sink = Sink()
    with serving(sink, authenticator=check, auth_require_tls=False) as port:
        wrong = SmtpChannel(Server("smtp", "127.0.0.1", port, "shop", "wrong"))
        right = SmtpChannel(Server("smtp", "127.0.0.1", port, "shop", "right"))
        refused, sent = wrong.send_batch([message("ann")]), right.send_batch([message("ann")])

    assert (refused[0].outcome, refused[0].code) == (Outcome.LATER, "login_refused")
    assert sent[0].outcome is Outcome.SENT


def test_a_url_names_scheme_host_port_and_login() -> None:
    server = Server.from_url("smtp+starttls://me%40shop:p%3Ass@mail.test:2525")

    assert server == Server("smtp+starttls", "mail.test", 2525, "me@shop", "p:ss")
    assert "p:ss" not in repr(server)
    assert Server.from_url("smtps://mail.test").port == 465


@pytest.mark.parametrize("url", ["http://mail.test", "smtp://", "mail.test:25"])
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="SMTP_URL"):
        Server.from_url(url)


@pytest.mark.parametrize("pipelines", [False, True])
def test_commands_that_go_in_one_go_are_answered_one_by_one(pipelines: bool) -> None:  # noqa: FBT001
    sink, results = send("ann", "rcpt550", "bob", "rcpt451", "drop", "eve", pipelines=pipelines)

    assert results == {
        "ann": (Outcome.SENT, "250"),
        "rcpt550": (Outcome.REFUSED, "550 5.1.1"),
        "bob": (Outcome.SENT, "250"),
        "rcpt451": (Outcome.LATER, "451"),
        "drop": (Outcome.UNKNOWN, "connection_lost"),
        "eve": (Outcome.SENT, "250"),
    }
    assert [address.partition("@")[0] for address, _ in sink.accepted] == [
        "ann", "bob", "drop", "eve"
    ]  # fmt: skip


def test_a_server_that_lost_the_next_message_with_a_refused_one_is_asked_anew() -> None:
    @dataclass
    class Forgetful(Sink):
        asked: int = 0

        async def handle_MAIL(  # noqa: N802
            self,
            server: SMTP,
            session: Session,
            envelope: Envelope,
            address: str,
            options: list[str],
        ) -> str:
            self.asked += 1
            if self.asked == 3:
                return "503 what was that?"
            envelope.mail_from = address
            return "250 ok"

    sink = Forgetful(pipelines=True)
    with serving(sink) as port:
        results = SmtpChannel(Server("smtp", "127.0.0.1", port)).send_batch(
            [message(local) for local in ("ann", "data451", "bob", "eve")]
        )

    assert [result.code for result in results] == ["250", "451", "250", "250"]
    assert [address for address, _ in sink.accepted] == [
        "ann@example.com", "bob@example.com", "eve@example.com"
    ]  # fmt: skip


def test_a_server_that_closes_after_a_message_has_not_taken_the_next_one() -> None:
    sink, results = send("ann", "data421", "bob", pipelines=True)

    assert results["data421"] == results["bob"] == (Outcome.LATER, "421")
    assert [address for address, _ in sink.accepted] == ["ann@example.com"]


def test_a_server_that_closes_in_the_middle_of_one_go_is_told_as_such() -> None:
    _sink, results = send("ann", "rcpt421", "bob", pipelines=True)

    assert results["ann"] == (Outcome.SENT, "250")
    assert results["rcpt421"] == results["bob"] == (Outcome.LATER, "421")


def test_batches_in_a_row_share_a_connection_only_where_it_is_kept() -> None:
    sink = Sink(pipelines=True)
    with serving(sink) as port:
        channel = SmtpChannel(Server("smtp", "127.0.0.1", port))
        with channel.kept_open():
            for name in ("ann", "bob", "eve"):
                channel.send_batch([message(name)])
        assert sink.connections == 1
        channel.send_batch([message("dan")])

    assert sink.connections == 2
    assert len(sink.accepted) == 4
