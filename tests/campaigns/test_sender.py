"""Whether the world believes the shop's mail: records graded in words, messages signed."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client

from campaigns import delivery, sender_check
from campaigns.channels import email
from campaigns.sender_check import Grade, UnreachableError
from tests import make
from tests.campaigns.sending import Tray, launched
from tests.make import NOW

pytestmark = pytest.mark.django_db
SPF = "v=spf1 include:_spf.esp.test -all"
DMARC = "v=DMARC1; p=reject; rua=mailto:d@shop.test"


def graded(zone: dict[str, list[str]], host: str = "shop.test") -> dict[str, Grade]:
    def records(name: str, /) -> Sequence[str]:
        return zone.get(name, [])

    return {one.name: one.grade for one in sender_check.check(host, records)}


def test_a_domain_that_is_set_up_well_is_good_all_through() -> None:
    zone = {"shop.test": ["other", SPF], "s1._domainkey.shop.test": ["v=DKIM1; p=abc"],
            "_dmarc.shop.test": [DMARC]}  # fmt: skip

    assert set(graded(zone).values()) == {Grade.GOOD}


def test_what_is_missing_comes_with_what_to_set() -> None:
    found = sender_check.check("shop.test", lambda _name: [])

    assert [one.grade for one in found] == [Grade.BAD, Grade.WARN, Grade.BAD]
    assert all(one.advice for one in found)


@pytest.mark.parametrize(
    ("record", "grade"),
    [
        ("v=spf1 +all", Grade.BAD),
        ("v=spf1 mx", Grade.WARN),
        ("v=spf1 mx ~all", Grade.GOOD),
        ("v=spf1 " + "include:x.test " * 11 + "-all", Grade.BAD),
        ("v=spf10 -all", Grade.BAD),
    ],
)
def test_an_spf_record_is_read_by_what_receivers_make_of_it(record: str, grade: Grade) -> None:
    assert graded({"shop.test": [record]})["SPF"] == grade


def test_two_spf_records_are_none() -> None:
    assert graded({"shop.test": [SPF, SPF]})["SPF"] == Grade.BAD


@pytest.mark.parametrize(
    ("record", "grade"),
    [("v=DMARC1; p=none", Grade.WARN), ("v=DMARC1; p=quarantine", Grade.GOOD),
     ("v=DMARC1; rua=mailto:x@y.test", Grade.BAD)],
)  # fmt: skip
def test_a_dmarc_record_is_read_by_its_policy_also_from_the_domain_above(
    record: str, grade: Grade
) -> None:
    assert graded({"_dmarc.shop.test": [record]}, "news.shop.test")["DMARC"] == grade


def test_a_key_that_was_taken_back_is_bad(settings: Any) -> None:
    settings.DKIM_SELECTOR = "own"

    assert graded({"own._domainkey.shop.test": ["v=DKIM1; p="]})["DKIM"] == Grade.BAD
    assert graded({"s1._domainkey.shop.test": ["v=DKIM1; p=x"]})["DKIM"] == Grade.BAD


def test_without_name_servers_nothing_is_claimed(client: Client, settings: Any) -> None:
    def away(_name: str, /) -> Sequence[str]:
        raise UnreachableError

    assert {one.grade for one in sender_check.check("shop.test", away)} == {Grade.UNKNOWN}
    make.shop(pk=1, sender_email="shop@shop.test")
    client.force_login(make.staff(), backend="privacy.roles.RoleBackend")
    settings.MAIL_ESP = ""
    shown = client.get("/admin/campaigns/provider/sender/").content.decode()
    assert "shop.test" in shown
    assert "Nobody reports bounces" in shown


def test_a_signed_message_verifies_with_the_unsubscription_under_the_signature(
    settings: Any,
) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    settings.DKIM_SELECTOR = "s1"
    settings.DKIM_KEY = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    make.reader("ann")
    launched()
    tray = Tray()
    delivery.send_due(NOW, channel=tray)

    signed = email.signed(tray.taken[0]).content

    def txt(_name: bytes, **_facts: Any) -> bytes:
        return b"v=DKIM1; k=rsa; p=" + b64encode(public)

    assert dkim.verify(signed, dnsfunc=txt)
    mark = signed.split(b"\r\n\r\n")[0].replace(b"\r\n ", b"").split(b"\r\n")[0]
    assert b"list-unsubscribe : list-unsubscribe-post" in mark.replace(b":", b" : ").replace(
        b"  ", b" "
    )
    assert not dkim.verify(signed.replace(b"One-Click", b"Two-Click"), dnsfunc=txt)


def test_without_a_key_messages_go_as_they_are() -> None:
    make.reader("ann")
    launched()
    tray = Tray()
    delivery.send_due(NOW, channel=tray)

    assert email.signed(tray.taken[0]) is tray.taken[0]
