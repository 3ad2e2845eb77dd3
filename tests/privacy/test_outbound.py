"""Requests to addresses of others' choice: where they may go, and how long they may take."""

from __future__ import annotations

import datetime as dt
import ssl
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis.strategies import ip_addresses

from privacy import outbound
from privacy.outbound import Address, Guard, OutboundError
from tests.privacy.receiver import LOOPBACK, drip, guard, raw, receiver
from tests.servers import free_port

REFUSED = [
    "0.0.0.0",  # noqa: S104 -- refused, not bound to
    "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200",
    "127.0.0.1", "127.8.8.8", "168.63.129.16", "169.254.169.254", "169.254.0.1", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
    "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:2::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "localhost",
    "1.2.3",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1",
    "126.255.255.255", "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1",
    "192.0.1.1", "192.167.255.255", "198.17.255.255", "223.255.255.255",
    "2001:4860:4860::8888", "2606:4700::1111", "2400:cb00::1", "2a00:1450::1",
]  # fmt: skip


def answering(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda _host, _port: addresses


def refusal(url: str, **facts: object) -> str:
    with pytest.raises(OutboundError) as error:
        outbound.post(url, b"{}", {}, guard=guard(**facts))
    return error.value.code


# Where ------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", REFUSED)
def test_nothing_connects_to_what_is_not_out_in_the_world(address: str) -> None:
    lets = Guard(resolve=answering(address)).lets_through
    assert not lets(outbound.parse("https://shop.example/"), address)


@pytest.mark.parametrize("address", PUBLIC)
def test_the_world_may_be_connected_to_by_tls_on_its_port_alone(address: str) -> None:
    lets = Guard().lets_through
    assert lets(outbound.parse("https://shop.example/hook"), address)
    assert not lets(outbound.parse("http://shop.example/hook"), address)
    assert not lets(outbound.parse("https://shop.example:8443/hook"), address)


@settings(max_examples=2_000, deadline=None)
@given(ip_addresses())
def test_no_address_passes_that_the_standard_library_holds_special(address: Address) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved
    assert not (outbound.is_public(address) and special)


def test_networks_that_are_let_in_stay_shut_where_machines_tell_secrets() -> None:
    everything = Guard(allowed=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    http = outbound.parse("http://erp.shop.example:8080/")
    assert everything.lets_through(http, "10.0.0.1")
    assert everything.lets_through(http, "::1")
    for address in ("169.254.169.254", "fd00:ec2::254", "fe80::1", "100.100.100.200",
                    "::ffff:169.254.169.254", "::169.254.169.254", "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::1"):  # fmt: skip
        assert not everything.lets_through(http, address)


def test_a_receiver_next_door_is_refused_without_a_setting() -> None:
    with receiver() as there:
        assert refusal(there.url, allowed=()) == "refused_address"
        assert there.heard == []
        assert outbound.post(there.url, b"{}", {}, guard=guard()).status == 200


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]"]
)
def test_other_spellings_of_loopback_are_seen_through(host: str) -> None:
    with receiver() as there:
        code = refusal(f"http://{host}:{there.port}/", allowed=())
        assert code in {"refused_address", "unresolved"}
        assert there.heard == []


def test_a_name_is_resolved_once_and_its_very_address_is_connected_to() -> None:
    """A name that changes its mind gets no second question."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.2"] if len(asked) == 1 else ["127.0.0.1"]

    with receiver() as there:
        url = f"http://shop.example:{there.port}/"
        only_the_first = (ip_network("127.0.0.2/32"),)
        code = refusal(url, resolve=rebinding, allowed=only_the_first)

    assert asked == ["shop.example"]
    assert (code, there.heard) == ("not_connected", [])


def test_of_several_addresses_only_the_good_ones_are_used() -> None:
    with receiver() as there:
        url = f"http://shop.example:{there.port}/hook"
        mixed = guard(resolve=answering("10.0.0.1", "127.0.0.1"))
        assert outbound.post(url, b"{}", {}, guard=mixed).status == 200
        assert there.heard[0].headers["Host"] == f"shop.example:{there.port}"
        none_good = answering("10.0.0.1", "192.168.1.1")
        assert refusal(url, resolve=none_good) == "refused_address"


def test_a_name_nobody_knows_is_told_apart() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError

    assert refusal("https://shop.example/", resolve=unknown) == "unresolved"
    assert refusal("https://shop.example/", resolve=answering()) == "unresolved"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/hook",
        "ftp://shop.example/",
        "https://",
        "https:///hook",
        "https://user@shop.example/",
        "https://user:secret@shop.example/",
        "https://shop.example/#part",
        "https://shop.example/a b",
        "https://shop.example/a\r\nX-Evil: 1",
        "https://shop.example\t/",
        "https://shop.example/\x00",
        "https://shop.example/ü",
        "https://shop.example\\@127.0.0.1/",
        "https://shop..example/",
        "https://-shop.example/",
        "https://shop.example:port/",
        "https://shop.example:99999/",
        "https://[::1/",
        "https://" + "a" * 70 + ".example/",
        "https://shop.example/" + "a" * 1_000,
    ],
)
def test_a_malformed_address_goes_nowhere(url: str) -> None:
    assert refusal(url, resolve=answering("127.0.0.1")) == "invalid_url"


def test_names_in_other_scripts_and_queries_are_kept() -> None:
    target = outbound.parse("https://Köln.example/hook?shop=1&x=%20")
    assert (target.host, target.path) == ("xn--kln-sna.example", "/hook?shop=1&x=%20")
    assert outbound.parse("https://[2606:4700::1111]/").authority == "[2606:4700::1111]"


# How long, how much --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n" + b"x" * 90,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 90,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 9,
    ],
)
def test_a_reply_that_comes_drop_by_drop_is_cut_at_the_deadline(text: bytes) -> None:
    head, rest = text[:-60], text[-60:]

    def say(line: object) -> None:
        line.sendall(head)  # type: ignore[attr-defined]
        drip(rest, every=0.05)(line)  # type: ignore[arg-type]

    with raw(say) as port:
        began = time.monotonic()
        assert refusal(f"http://127.0.0.1:{port}/", seconds=0.4) == "timeout"
        assert time.monotonic() - began < 2


def test_who_takes_the_request_and_says_nothing_is_left_at_the_deadline() -> None:
    with raw(lambda _line: time.sleep(1)) as port:
        assert refusal(f"http://127.0.0.1:{port}/", seconds=0.2) == "timeout"


def test_a_name_that_takes_too_long_to_resolve_is_left_at_the_deadline() -> None:
    def slow(_host: str, _port: int) -> list[str]:
        time.sleep(1)
        return ["127.0.0.1"]

    began = time.monotonic()
    assert refusal("http://shop.example/", resolve=slow, seconds=0.1) == "timeout"
    assert time.monotonic() - began < 0.9


def test_a_reply_without_end_is_read_to_its_bound() -> None:
    sent = []

    def endless(line: object) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\n\r\n")  # type: ignore[attr-defined]
        while True:
            line.sendall(b"x" * 65_536)  # type: ignore[attr-defined]
            sent.append(1)

    with raw(endless) as port:
        answer = outbound.post(f"http://127.0.0.1:{port}/", b"{}", {}, guard=guard())
    assert answer.status == 200
    assert len(sent) < 500


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "not_http"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_http"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: " + b"x" * 70_000 + b"\r\n\r\n", "not_http"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n", "not_http"),
    ],
)
def test_what_is_no_reply_is_named(said: bytes, code: str) -> None:
    with raw(lambda line: line.sendall(said)) as port:
        assert refusal(f"http://127.0.0.1:{port}/") == code


def test_nobody_listening_is_told_apart() -> None:
    assert refusal(f"http://127.0.0.1:{free_port()}/") == "not_connected"


def test_a_redirect_is_an_answer_and_followed_nowhere() -> None:
    with receiver() as other, receiver() as there:
        there.answer = lambda _heard: (302, {"Location": other.url})
        assert outbound.post(there.url, b"{}", {}, guard=guard()).status == 302
        assert other.heard == []


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as proxy, receiver() as there:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        outbound.post(there.url, b"{}", {}, guard=guard())
        assert (len(there.heard), proxy.heard) == (1, [])


def test_a_header_cannot_hold_another() -> None:
    with receiver() as there, pytest.raises(ValueError, match="line break"):
        outbound.post(there.url, b"{}", {"X": "1\r\nHost: evil"}, guard=guard())


# TLS --------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> Path:
    """A certificate for `name` that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def test_tls_asks_for_the_name_of_the_url_at_the_address_that_was_looked_at(
    tmp_path: Path,
) -> None:
    """The name goes out by SNI and is what the certificate must say; the wrong one is refused."""
    path, asked = certificate(tmp_path, "shop.example"), []
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    server.sni_callback = lambda _line, name, _context: asked.append(name)
    trusting = ssl.create_default_context(cafile=str(path))

    with receiver(tls=server) as there:
        facts = {"resolve": answering("127.0.0.1"), "tls": trusting, "allowed": LOOPBACK}
        url = f"https://shop.example:{there.port}/hook"
        answer = outbound.post(url, b'{"a":1}', {"X-One": "1"}, guard=Guard(**facts))  # type: ignore[arg-type]
        other = f"https://other.example:{there.port}/hook"
        assert refusal(other, **facts) == "tls_failed"
        assert refusal(url, resolve=answering("127.0.0.1")) == "tls_failed"

    assert answer.status == 200
    assert asked[:2] == ["shop.example", "other.example"]
    [heard] = there.heard
    assert (heard.path, heard.body, heard.headers["X-One"]) == ("/hook", b'{"a":1}', "1")
    assert heard.headers["Host"] == f"shop.example:{there.port}"
