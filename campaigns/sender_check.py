"""Whether the world will believe the shop's mail: its SPF, DKIM and DMARC records, read and explained."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from django.conf import settings
from django.utils.translation import gettext as _

from privacy.models import Shop

SECONDS: Final = 4.0
# RFC 7208: a record that asks for more look-ups than these is void.
MOST_LOOKUPS: Final = 10
_LOOKUP: Final = re.compile(r"^[+?~-]?(include:|a\b|mx\b|ptr\b|exists:|redirect=)")
# Selectors that large providers use; one's own is DKIM_SELECTOR.
_USUAL: Final = ("default", "mail", "dkim", "s1", "s2", "k1", "selector1", "selector2", "google")


class Grade(StrEnum):
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    UNKNOWN = "unknown"


class UnreachableError(Exception):
    """No name server answered."""


class Records(Protocol):
    """Gives the TXT records of a name, none where there is none; raises UnreachableError."""

    def __call__(self, name: str, /) -> Sequence[str]: ...


@dataclass(frozen=True)
class Finding:
    """One record: how it stands, and what to set where it is not well."""

    name: str
    grade: Grade
    host: str
    record: str
    words: str
    advice: str = ""


def from_dns(name: str, /) -> list[str]:
    """Ask the system's name servers."""
    import dns.exception  # noqa: PLC0415 -- only for this page
    import dns.resolver  # noqa: PLC0415 -- as above

    try:
        found = dns.resolver.resolve(name, "TXT", lifetime=SECONDS)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise UnreachableError from error
    return [b"".join(one.strings).decode("utf-8", "replace") for one in found]


def domain() -> str:
    """Return the domain the shop writes from, empty where no sender is set."""
    return Shop.current().sender_email.rpartition("@")[2].lower()


def check(host: str, records: Records = from_dns) -> list[Finding]:
    """Look at the three records of a domain; unreachable ones are said to be unknown."""
    return [_looked(one, host, records) for one in (_spf, _dkim, _dmarc)]


def _looked(look: _Look, host: str, records: Records) -> Finding:
    try:
        return look(host, records)
    except UnreachableError:
        name = {_spf: "SPF", _dkim: "DKIM", _dmarc: "DMARC"}[look]
        words = _("No name server answered from here; look at the record from elsewhere.")
        return Finding(name, Grade.UNKNOWN, host, "", words)


class _Look(Protocol):
    def __call__(self, host: str, records: Records, /) -> Finding: ...


def _spf(host: str, records: Records, /) -> Finding:
    found = [one for one in records(host) if one.lower().split(" ")[0] == "v=spf1"]
    if not found:
        advice = _("Set a TXT record “v=spf1 … -all” that names the servers your mail comes from.")
        words = _("There is no SPF record: anybody may claim to send for this domain.")
        return Finding("SPF", Grade.BAD, host, "", words, advice)
    if len(found) > 1:
        words = _("There are several SPF records, so receivers ignore them all.")
        return Finding("SPF", Grade.BAD, host, " | ".join(found), words, _("Make them one record."))
    terms = found[0].lower().split()[1:]
    n_lookups = sum(_LOOKUP.match(term) is not None for term in terms)
    if n_lookups > MOST_LOOKUPS:
        words = _("The record asks for %(n)d look-ups; more than ten make it void.")
        words %= {"n": n_lookups}
        return Finding("SPF", Grade.BAD, host, found[0], words, _("Take servers out of it."))
    if any(term in {"+all", "all", "?all"} for term in terms):
        words = _("The record lets everybody send for this domain.")
        return Finding("SPF", Grade.BAD, host, found[0], words, _("End it with “-all”."))
    if not any(term in {"-all", "~all"} or term.startswith("redirect=") for term in terms):
        words = _("The record does not say what becomes of other servers' mail.")
        return Finding("SPF", Grade.WARN, host, found[0], words, _("End it with “-all”."))
    return Finding("SPF", Grade.GOOD, host, found[0], _("The record names who may send."))


def _dkim(host: str, records: Records, /) -> Finding:
    own = settings.DKIM_SELECTOR
    for selector in (own,) if own else _USUAL:
        name = f"{selector}._domainkey.{host}"
        for record in records(name):
            tags = _tags(record)
            if "p" not in tags:
                continue
            if not tags["p"]:
                words = _("The key under this selector was taken back.")
                return Finding("DKIM", Grade.BAD, name, record, words, _("Publish a new key."))
            return Finding("DKIM", Grade.GOOD, name, record, _("A key is published."))
    if own:
        words = _("No key is published under the selector that signs here.")
        advice = _("Set the TXT record “v=DKIM1; k=rsa; p=…” with the public key.")
        return Finding("DKIM", Grade.BAD, f"{own}._domainkey.{host}", "", words, advice)
    words = _("No key under a usual selector; your provider may use one of its own.")
    advice = _("Look for its DKIM record, or set DKIM_KEY and DKIM_SELECTOR to sign here.")
    return Finding("DKIM", Grade.WARN, f"…._domainkey.{host}", "", words, advice)


def _dmarc(host: str, records: Records, /) -> Finding:
    name, found = f"_dmarc.{host}", []
    # A subdomain without one has that of the domain above it.
    for candidate in (host, ".".join(host.split(".")[-2:])):
        name = f"_dmarc.{candidate}"
        found = [one for one in records(name) if one.lower().startswith("v=dmarc1")]
        if found:
            break
    if not found:
        advice = _(
            "Set the TXT record “v=DMARC1; p=none; rua=mailto:…” first, and “p=quarantine” later."
        )
        words = _("There is no DMARC record; Gmail and Yahoo want one of whoever sends much.")
        return Finding("DMARC", Grade.BAD, f"_dmarc.{host}", "", words, advice)
    policy = _tags(found[0]).get("p", "").lower()
    if policy not in {"none", "quarantine", "reject"}:
        words = _("The record has no policy that can be read.")
        return Finding("DMARC", Grade.BAD, name, found[0], words, _("Set “p=none” or stricter."))
    if policy == "none":
        words = _("The record only watches: forged mail of this domain still arrives.")
        advice = _("When the reports look right, set “p=quarantine”.")
        return Finding("DMARC", Grade.WARN, name, found[0], words, advice)
    return Finding("DMARC", Grade.GOOD, name, found[0], _("Forged mail of this domain is stopped."))


def _tags(record: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}
