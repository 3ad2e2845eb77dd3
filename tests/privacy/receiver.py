"""A receiver of webhooks on this host: real sockets, answers by script, notes what it was sent."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

from privacy.outbound import Guard

LOOPBACK = (ip_network("127.0.0.0/8"),)


def guard(**facts: Any) -> Guard:
    """A guard that lets loopback through, and nothing else that the real one would not."""
    return Guard(**({"allowed": LOOPBACK} | facts))


@dataclass
class Heard:
    path: str
    headers: Message
    body: bytes


@dataclass
class Receiver:
    """`answer` gives status and headers of the next reply."""

    answer: Callable[[Heard], tuple[int, dict[str, str]]] = lambda _heard: (200, {})
    heard: list[Heard] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [str(heard.headers["webhook-id"]) for heard in self.heard]


@contextmanager
def receiver(*, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard = Heard(self.path, self.headers, body)
            made.heard.append(heard)
            status, headers = made.answer(heard)
            with suppress(OSError):
                self.send_response(status)
                for name, value in {"Content-Length": "2", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

        def log_message(self, *_facts: Any) -> None:
            """Tests read `heard`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


@contextmanager
def raw(say: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that takes one request and then says what it likes; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                line, _address = server.accept()
                with line:
                    line.recv(65_536)
                    say(line)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
    thread.join(5)


def drip(text: bytes, *, every: float) -> Callable[[socket.socket], None]:
    """Say `text` byte by byte."""

    def say(line: socket.socket) -> None:
        for byte in text:
            line.sendall(bytes([byte]))
            time.sleep(every)

    return say
