"""Mail servers that fail in the middle of a message, from the ledger's side: once each, or unknown."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from campaigns import delivery
from campaigns.channels import email
from campaigns.channels.email import Server, SmtpChannel
from campaigns.models import Campaign, Delivery
from tests import make
from tests.campaigns.sending import launched
from tests.make import NOW

pytestmark = pytest.mark.django_db(transaction=True)

State = Delivery.State


class _Conversation(socketserver.StreamRequestHandler):
    """Just enough SMTP to fail at a chosen moment; `server.fault` is taken up once per name."""

    server: Failing

    def handle(self) -> None:
        self._say("220 here")
        to = ""
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                to = line.decode().partition("<")[2].partition("@")[0]
            if verb == b"DATA":
                self._say("354 go on")
                while self.rfile.readline() != b".\r\n":
                    pass
                if self._fails(to):
                    return
                self.server.accepted.append(to)
            self._say("250 ok")
            if verb == b"QUIT":
                return

    def _fails(self, to: str) -> bool:
        fault = self.server.faults.pop(to, "")
        if fault == "hang":
            self.server.released.wait(30)
            return True
        if fault == "reset":
            # It has the message, and the connection is reset before anybody hears of it.
            self.server.accepted.append(to)
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()
            return True
        return False

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:  # the connection was reset on purpose
            return


class Failing(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.faults = faults
        self.accepted: list[str] = []
        self.released = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what is wanted here."""


@contextmanager
def failing(**faults: str) -> Iterator[tuple[Failing, SmtpChannel]]:
    with Failing(faults) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = int(server.server_address[1])
        yield server, SmtpChannel(Server("smtp", "127.0.0.1", port, timeout_seconds=1))
        server.released.set()
        server.shutdown()


@pytest.mark.parametrize("fault", ["reset", "hang"])
def test_a_fault_after_the_final_dot_leaves_one_unknown_and_nobody_gets_two(fault: str) -> None:
    for name in ("ann", "bob", "eve"):
        make.reader(name)
    campaign = launched()

    with failing(bob=fault) as (server, channel):
        for minutes in range(0, 60, 5):
            delivery.send_due(NOW + timedelta(minutes=minutes), channel=channel)

    assert sorted(server.accepted) == sorted({*server.accepted})
    assert dict(campaign.deliveries.values_list("customer__external_id", "state")) == {
        "ann": State.SENT,
        "bob": State.UNKNOWN,
        "eve": State.SENT,
    }
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.FINISHED


def test_a_server_that_hangs_on_everything_costs_two_time_limits_and_keeps_the_rest() -> None:
    names = [f"c{n}" for n in range(10)]
    for name in names:
        make.reader(name)
    campaign = launched()

    with failing(**dict.fromkeys(names, "hang")) as (server, channel):
        delivery.send_due(NOW, channel=channel)
        server.faults.clear()
        delivery.send_due(NOW + timedelta(minutes=6), channel=channel)

    assert campaign.counts() == {State.SENT: 8, State.UNKNOWN: email.MAX_LOST}
    assert len(server.accepted) == 8
