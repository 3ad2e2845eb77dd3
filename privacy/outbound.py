"""Requests to addresses that others chose: never into our own networks, never longer than told.

A name is resolved once, every address it has is looked at, and the connection goes to that very
address, while TLS and Host keep the name: resolving again could give another answer. Redirects
are not followed, proxies of the environment not asked, and of the reply to a post only the status
and `Retry-After` are kept.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

SECONDS: Final = 5.0
LONGEST_REPLY: Final = 65_536
LONGEST_URL: Final = 1_000
TLS_PORT: Final = 443
DEFAULT_PORTS: Final = {"https": TLS_PORT, "http": 80}
LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")

# IANA's special-purpose registries, multicast, and what clouds answer on without being private.
REFUSED: Final = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)
# Of IPv6 only this is out in the world: not ::1, ::ffff:…, 64:ff9b::…, fc00::/7, fe80::/10.
WORLD6: Final = IPv6Network("2000::/3")
# Here clouds hand secrets to their machines; no setting opens it.
NEVER: Final = tuple(
    ip_network(text)
    for text in (
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "192.0.0.192/32",
        "fd00:ec2::/32",
        "fe80::/10",
    )
)


# Addresses of IPv6 that end in one of IPv4: compatible, mapped, translated (RFC 4291, 2765, 6052).
WRAPPING: Final = tuple(
    IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)


class OutboundError(Exception):
    """The request got no answer; `code` says why, and nothing else is known of the other side.

    `invalid_url`, `unresolved`, `refused_address`, `not_connected`, `tls_failed`, `timeout`,
    `connection_lost`, `not_http`, `too_large`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Resolver(Protocol):
    """Gives the addresses of a name; raises OSError for one it does not know."""

    def __call__(self, host: str, port: int, /) -> Sequence[str]: ...


def system_resolver(host: str, port: int, /) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_kind, address in found))


@dataclass(frozen=True)
class Guard:
    """What a request may reach: the public internet over TLS, and the networks in `allowed`.

    Those also in plain HTTP and on any port, for receivers on the shop's own ground.
    """

    allowed: tuple[Network, ...] = ()
    resolve: Resolver = system_resolver
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    seconds: float = SECONDS

    def lets_through(self, target: Target, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:  # not an address, or one with a scope
            return False
        if any(one in network for one in _reached(found) for network in NEVER):
            return False
        if any(found in network for network in self.allowed):
            return True
        return target.is_ordinary and is_public(found)


def _reached(address: Address) -> Iterator[Address]:
    """The address, and the IPv4 addresses that a machine or a network on the way makes of it."""
    yield address
    if isinstance(address, IPv6Address):
        if any(address in network for network in WRAPPING):
            yield IPv4Address(address.packed[-4:])
        if address.sixtofour is not None:
            yield address.sixtofour


def is_public(address: Address) -> bool:
    """Whether an address is out in the world; one wrapped in another is not."""
    if isinstance(address, IPv6Address) and address not in WORLD6:
        return False
    return not any(address in network for network in REFUSED)


@dataclass(frozen=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_ordinary(self) -> bool:
        return self.scheme == "https" and self.port == TLS_PORT

    @property
    def authority(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"


@dataclass(frozen=True)
class Answer:
    """How the other side answered; `seconds` since the request began."""

    status: int
    retry_after: str
    seconds: float


@dataclass(frozen=True)
class Got:
    """How a fetch was answered: its status, and what to ask with the next time."""

    status: int
    etag: str
    last_modified: str
    n_bytes: int


def parse(url: str) -> Target:
    """Take a web address apart.

    Raises OutboundError `invalid_url`: a user name, a fragment, blanks, a host that is none.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise OutboundError("invalid_url") from None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    clean = all("!" <= sign <= "~" for sign in path) and not re.search(r"[\x00-\x20\x7f\\]", url)
    if not clean or parts.fragment or "@" in parts.netloc or len(url) > LONGEST_URL:
        raise OutboundError("invalid_url")
    if not (_is_address(host) or all(map(LABEL.fullmatch, host.removesuffix(".").split(".")))):
        raise OutboundError("invalid_url")
    return Target(parts.scheme, host, port, path)


def post(url: str, body: bytes, headers: Mapping[str, str], *, guard: Guard) -> Answer:
    """Send `body` and return the answer, whatever its status.

    Raises OutboundError if none came whole (up to 64 KiB of it) within `guard.seconds`, from the
    look-up of the name on.
    """
    with _asked("POST", url, body, headers, guard) as (reply, clock):
        n_left = LONGEST_REPLY
        while n_left > 0 and (piece := reply.read1(min(n_left, 8_192))):
            n_left -= len(piece)
        return Answer(reply.status, reply.headers.get("Retry-After", ""), clock.gone())


def head(url: str, headers: Mapping[str, str], *, guard: Guard) -> int:
    """Return the status that `url` answers a HEAD with; raises OutboundError if none came."""
    with _asked("HEAD", url, b"", headers, guard) as (reply, _clock):
        return reply.status


def get(
    url: str,
    headers: Mapping[str, str],
    take: Callable[[bytes], None],
    *,
    guard: Guard,
    max_bytes: int,
) -> Got:
    """Fetch `url` and hand its body to `take`, piece by piece; of another status than 200 none.

    Raises OutboundError if it is longer than `max_bytes`, ends early, or does not come whole
    within `guard.seconds`.
    """
    with _asked("GET", url, b"", headers, guard) as (reply, _clock):
        n_bytes = 0
        if reply.status == http.HTTPStatus.OK:
            if (reply.length or 0) > max_bytes:
                raise OutboundError("too_large")
            while piece := reply.read1(65_536):
                n_bytes += len(piece)
                if n_bytes > max_bytes:
                    raise OutboundError("too_large")
                take(piece)
            if reply.length:  # less came than was told
                raise OutboundError("connection_lost")
        told = reply.headers
        return Got(reply.status, told.get("ETag", ""), told.get("Last-Modified", ""), n_bytes)


@contextmanager
def _asked(
    method: str, url: str, body: bytes, headers: Mapping[str, str], guard: Guard
) -> Iterator[tuple[http.client.HTTPResponse, Stopwatch]]:
    """Send a request and hand over its answer, whose body is not read yet."""
    clock = Stopwatch(guard.seconds)
    target = parse(url)
    addresses = _look_up(target, guard, clock)
    try:
        with _connect(target, addresses, guard, clock) as line:
            line.settimeout(clock.left())
            line.sendall(_request(method, target, body, headers))
            incoming = _Incoming(line, clock)
            reply = http.client.HTTPResponse(incoming, method=method)  # type: ignore[arg-type]
            reply.begin()
            yield reply, clock
    except TimeoutError:
        raise OutboundError("timeout") from None
    except http.client.HTTPException:
        raise OutboundError("not_http") from None
    except OSError:
        raise OutboundError("connection_lost") from None


class Stopwatch:
    """How long a request has been going on, and may still."""

    def __init__(self, seconds: float) -> None:
        self._began = time.monotonic()
        self._seconds = seconds

    def gone(self) -> float:
        return time.monotonic() - self._began

    def left(self) -> float:
        """Return the seconds left; raises TimeoutError if there are none."""
        left = self._seconds - self.gone()
        if left <= 0:
            raise TimeoutError
        return left


def _look_up(target: Target, guard: Guard, clock: Stopwatch) -> list[str]:
    """Return the addresses of the target that may be connected to, in the resolver's order."""
    try:
        found = _in_time(lambda: guard.resolve(target.host, target.port), clock)
    except TimeoutError:
        raise OutboundError("timeout") from None
    except (OSError, UnicodeError):
        raise OutboundError("unresolved") from None
    if not found:
        raise OutboundError("unresolved")
    good = [address for address in found if guard.lets_through(target, address)]
    if not good:
        raise OutboundError("refused_address")
    return good


def _in_time(ask: Callable[[], Sequence[str]], clock: Stopwatch) -> Sequence[str]:
    """Return what `ask` gives; the system's resolver knows no time limit, so it gets a thread."""
    told: SimpleQueue[Sequence[str] | OSError | UnicodeError] = SimpleQueue()

    def run() -> None:
        try:
            told.put(ask())
        except (OSError, UnicodeError) as error:
            told.put(error)

    Thread(target=run, name="resolver", daemon=True).start()
    try:
        found = told.get(timeout=clock.left())
    except Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found


def _connect(
    target: Target, addresses: Sequence[str], guard: Guard, clock: Stopwatch
) -> socket.socket:
    """Connect to the first of the addresses that answers, by TLS under the target's name."""
    for address in addresses:
        line = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            line.settimeout(clock.left())
            line.connect((address, target.port))
            return _wrapped(line, target, guard, clock) if target.scheme == "https" else line
        except TimeoutError:
            line.close()
            raise
        except ssl.SSLError:
            line.close()
            raise OutboundError("tls_failed") from None
        except OSError:
            line.close()
    raise OutboundError("not_connected")


def _wrapped(line: socket.socket, target: Target, guard: Guard, clock: Stopwatch) -> socket.socket:
    line.settimeout(clock.left())
    return guard.tls.wrap_socket(line, server_hostname=target.host)


def _request(method: str, target: Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = {
        "Host": target.authority,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    for name, value in lines.items():
        if re.search(r"[\r\n\x00]", name + value):
            raise ValueError(f"the header {name!r} has a line break")
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {target.path} HTTP/1.1\r\n{head}\r\n".encode("ascii") + body


class _Incoming(io.RawIOBase):
    """What comes in until the deadline, which holds for all of it and not for each piece."""

    def __init__(self, line: socket.socket, clock: Stopwatch) -> None:
        super().__init__()
        self._line = line
        self._clock = clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._line.settimeout(self._clock.left())
        return self._line.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
