"""Blind indexes: a keyed tag of a normalised value, to find it without opening any row."""

from __future__ import annotations

import hashlib
import re
import unicodedata

TAG_BYTES = 16
BLOCK_BYTES = 64  # of SHA-256
MAX_EMAIL = 254

# Numbers the parser would give back as they are: mobiles of China, and North America's plan.
_PLAIN_E164 = re.compile(r"\+861[3-9][0-9]{9}|\+1[2-9][0-9]{2}[2-9][0-9]{6}")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}")
_PLAIN_EMAIL = re.compile(rf"{_LOCAL.pattern}@{_DOMAIN.pattern}")

_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class NotAnAddressError(ValueError):
    """The text is not an e-mail address or telephone number; never quotes it."""


class Tagger:
    """Tags of one key: the first 16 bytes of HMAC-SHA256 (RFC 2104).

    Made once and used for many values: the key's two blocks are hashed here, which leaves
    half the work of `hmac.digest` for each value.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        block = key.ljust(BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def digest(self, message: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()

    def tag(self, normalised: str) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()  # `digest`, a call spared
        inner.update(normalised.encode())
        outer.update(inner.digest())
        return outer.digest()[:TAG_BYTES]


def tag(key: bytes, normalised: str) -> bytes:
    """Return the tag of one value; for many of one key see Tagger."""
    return Tagger(key).tag(normalised)


def normalise_email(text: str) -> str:
    """Return the form two spellings of one address share: NFKC, trimmed, casefolded, IDNA domain.

    Dots and `+tag` stay, as providers differ on them. Raises NotAnAddressError.
    """
    folded = text.strip().lower() if text.isascii() else _folded(text)
    if _PLAIN_EMAIL.fullmatch(folded) and len(folded) <= MAX_EMAIL:  # nearly always
        return folded
    local, at, domain = folded.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(folded) > MAX_EMAIL:
        raise NotAnAddressError("not an e-mail address; it reads name@example.com")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            raise NotAnAddressError("the domain of the e-mail address is not valid") from None
    if not _DOMAIN.fullmatch(domain):
        raise NotAnAddressError("the domain of the e-mail address is not valid")
    return f"{local}@{domain}"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold()


def mailbox(normalised: str) -> str:
    """Return a normalised address without `+tag`: who opted out once is out under all tags."""
    local, _, domain = normalised.rpartition("@")
    return f"{local.split('+', 1)[0] or local}@{domain}"


class E164(str):
    """A telephone number in the one form it is kept in."""

    __slots__ = ()


def normalise_phone(text: str, region: str | None = None) -> E164:
    """Return the number in E.164; `region` (ISO 3166) is needed where `+` is missing.

    What this returned is taken again as it is: only the first time costs the parser's 15 µs.
    Raises NotAnAddressError for what cannot be a number.
    """
    if isinstance(text, E164):
        return text
    if _PLAIN_E164.fullmatch(text):
        return E164(text)
    import phonenumbers  # noqa: PLC0415 -- 10 MB of number plans, only for who needs them

    try:
        number = phonenumbers.parse(unicodedata.normalize("NFKC", text).strip(), region)
    except phonenumbers.NumberParseException:
        raise NotAnAddressError("not a telephone number; it reads +8613800138000") from None
    if not phonenumbers.is_possible_number(number):
        raise NotAnAddressError("the telephone number has too few or too many digits")
    return E164(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def last_four(e164: str) -> str:
    """Return the digits by which a person on the telephone says who they are."""
    return e164[-4:]
