"""Finds personal data in free text: e-mail, telephone, Chinese resident id, bank card.

Rules, no model: shape, check digit, what stands before and behind. Full-width and other
spellings of a character count as the plain one, invisible characters as nothing. Every
pattern is bounded, so that the time grows with the length of the text and no faster.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    RESIDENT_ID = "resident id"
    BANK_CARD = "bank card"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`text[start:end]` is personal data."""

    start: int
    end: int
    kind: Kind


INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"
DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2212"
# A look-up in the number plans takes a tenth of a millisecond; past this many in one text a
# number with a plus counts as a telephone number unseen.
MOST_LOOKUPS: Final = 50

_ANY_NUMBER: Final = re.compile(r"\d[\d -]{8}")
_MOBILE: Final = re.compile(
    r"(?<![\d+])(?:(?:\+|00)?86[ -]?)?"
    r"1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])(?:\d{8}|([ -])\d{4}\1\d{4})(?!\d)"
)
_RESIDENT: Final = re.compile(
    r"(?<!\d)[1-8]\d{5}([ -]?)((?:19|20)\d{6})\1(\d{3}[\dXx])(?![\dA-Za-z])"
)
_CARD: Final = re.compile(
    r"(?<!\d)(?:\d{13,19}"
    r"|\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{1,3})?"  # most
    r"|\d{6}([ -])\d{13}"  # UnionPay of 19
    r"|3\d{3}([ -])\d{6}\3\d{4,5})(?!\d)"  # American Express, Diners
)
_INTERNATIONAL: Final = re.compile(
    r"(?<![\w+])(?:\+[ ]?|00)[1-9]\d{0,2}[-. /()\d]{4,18}\d(?!\d)", re.ASCII
)
# Visa, Mastercard, American Express, Discover, JCB, Diners, UnionPay, Maestro, Mir, old ICBC.
_ISSUER: Final = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12,15}"
    r"|35(?:2[89]|[3-8]\d)\d{12,15}"
    r"|3(?:0[0-5]|[689]\d)\d{11,16}"
    r"|62\d{14,17}"
    r"|(?:50(?:18|20|38)|5893|6304|6759|676[1-3])\d{9,15}"
    r"|220[0-4]\d{12}"
    r"|9558\d{15})"
)
_PROVINCES: Final = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_RESIDENT_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_SIGNS: Final = "10X98765432"
_DOMAIN: Final = re.compile(
    r"@((?:[a-z0-9\u00df-\u024f](?:[a-z0-9\u00df-\u024f-]{0,61}[a-z0-9\u00df-\u024f])?\.){1,126}"
    r"(?:xn--[a-z0-9-]{2,59}|[a-z]{2,24}))(?![a-z0-9])",
    re.IGNORECASE,
)
_FILE: Final = re.compile(
    r".*\.(?:png|jpe?g|gif|svg|webp|avif|bmp|css|m?js|json|html)", re.IGNORECASE
)
_LOCAL_SIGNS: Final = frozenset("!#$%&'*+-/=?^_`{|}~.")
_LOCAL_MOST: Final = 64
_URL_SIGNS: Final = re.compile(r"[/=?&]")
_GTIN_LENGTHS: Final = frozenset({8, 12, 13, 14})
_JOINED: Final = re.compile(r"(?:[A-Za-z0-9_][-._]?|[A-Za-z_]/)\Z")
_WORD_BEFORE: Final = re.compile(r"([A-Za-z]{1,12})[-._/]?\Z")
_CUE: Final = re.compile(
    r"tell?|telephone|phone|mob(?:ile)?|cell|call|sms|whatsapp|wechat|weixin|wx|vx?|fax|ph|number"
    r"|card|visa|mastercard|amex|unionpay|id|sfz",
    re.IGNORECASE,
)
_NO_PERSON: Final = re.compile(
    r"(?:order|sku|ean|gtin|upc|isbn|asin|barcode|serial|s/n|imei|tracking|parcel|invoice|receipt"
    r"|ticket|batch|model|article|item|订单|单号|编号|运单|序列|条码|发票|流水|货号|型号|批次)"
    r"[ ]?(?:no|nr|num|number|id|code|编号|单号|号码|号|码)?[ ]?[.:=#-]?[ ]?\Z",
    re.IGNORECASE,
)


def find(text: str) -> list[Span]:
    """Return what is personal in `text`, in its order; spans do not overlap."""
    if not _may_hold(text):
        return []
    plain, places = _folded(text)
    taken = bytearray(len(plain))
    found = []
    for kind, finder in _FINDERS:
        for start, end in finder(plain):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                found.append(Span(places[start], places[end - 1] + 1, kind))
    return sorted(found)


def holds(text: str) -> bool:
    """Whether anything in `text` is personal."""
    if not _may_hold(text):
        return False
    plain, _places = _folded(text)
    return any(True for _kind, finder in _FINDERS for _span in finder(plain))


def redact(text: str) -> str:
    """Return `text` with the kind in the place of each finding: "call [phone]"."""
    parts, at = [], 0
    for span in find(text):
        parts += [text[at : span.start], f"[{span.kind}]"]
        at = span.end
    return "".join([*parts, text[at:]])


def _may_hold(text: str) -> bool:
    """Most texts are done after this one look."""
    return not text.isascii() or "@" in text or _ANY_NUMBER.search(text) is not None


class _Fold(dict[int, str]):
    """One plain character for each: full-width forms, digits of any script, dashes, spaces."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        digit = unicodedata.digit(sign, None) if unicodedata.category(sign) == "Nd" else None
        if digit is not None:
            folded = str(digit)
        elif sign in DASHES:
            folded = "-"
        else:
            plain = unicodedata.normalize("NFKC", sign)
            folded = plain if len(plain) == 1 else sign
        self[code] = folded
        return folded


_FOLD: Final = _Fold()


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """Return the text in plain characters, and where each of them stands in the original."""
    if text.isascii():
        return text, range(len(text))
    folded = text.translate(_FOLD)
    if not any(sign in folded for sign in INVISIBLE):
        return folded, range(len(folded))
    places = [at for at, sign in enumerate(folded) if sign not in INVISIBLE]
    return "".join(folded[at] for at in places), places


def _emails(text: str) -> Iterator[tuple[int, int]]:
    if "@" not in text:
        return
    for match in _DOMAIN.finditer(text):
        if _FILE.fullmatch(match[1]):
            continue
        start = at = match.start()
        floor = max(0, at - _LOCAL_MOST)
        while start > floor and _may_be_local(text[start - 1]):
            start -= 1
        # In an address of a page the local part begins behind the last of its signs.
        cut = max((sign.end() for sign in _URL_SIGNS.finditer(text, start, at)), default=start)
        start = cut if cut < at else start
        if start < at:
            yield start, match.end()


def _may_be_local(sign: str) -> bool:
    return (sign.isalnum() and sign < "\u0250") or sign in _LOCAL_SIGNS


def _resident_ids(text: str) -> Iterator[tuple[int, int]]:
    for match in _RESIDENT.finditer(text):
        digits = re.sub(r"[ -]", "", match[0]).upper()
        if _is_resident_id(digits) and _stands_alone(text, *match.span()):
            yield match.span()


def _is_resident_id(digits: str) -> bool:
    """Whether the check sign, the province and the birth date are right.

    Source: GB 11643-1999, whose check sign is ISO 7064 MOD 11-2.
    """
    if not _PROVINCES.match(digits) or digits[6:14] < "1900":
        return False
    try:
        dt.date.fromisoformat(f"{digits[6:10]}-{digits[10:12]}-{digits[12:14]}")
    except ValueError:
        return False
    total = sum(int(sign) * weight for sign, weight in zip(digits, _RESIDENT_WEIGHTS, strict=False))
    return _RESIDENT_SIGNS[total % 11] == digits[17]


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", match[0])
        if (
            _ISSUER.fullmatch(digits)
            and _passes_luhn(digits)
            and not (digits == match[0] and _is_gtin(digits))
            and len(set(digits)) > 1
            and _stands_alone(text, *match.span())
            and not _is_of_things(text, match.start())
        ):
            yield match.span()


def _passes_luhn(digits: str) -> bool:
    """Source: ISO/IEC 7812-1, annex B."""
    doubled = sum(sum(divmod(2 * int(sign), 10)) for sign in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _is_gtin(digits: str) -> bool:
    """Whether it is a product's number (EAN, UPC). Source: GS1 General Specifications, 7.9."""
    if len(digits) not in _GTIN_LENGTHS:
        return False
    return (3 * sum(map(int, digits[-2::-2])) + sum(map(int, digits[-1::-2]))) % 10 == 0


def _mobiles(text: str) -> Iterator[tuple[int, int]]:
    for match in _MOBILE.finditer(text):
        if _stands_alone(text, *match.span()) and not _is_of_things(text, match.start()):
            yield match.span()


def _international(text: str) -> Iterator[tuple[int, int]]:
    n_lookups = 0
    for match in _INTERNATIONAL.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if match[0].startswith("00") and (_is_gtin(digits) or _is_of_things(text, match.start())):
            continue
        n_lookups += 1
        if n_lookups > MOST_LOOKUPS or _is_number_of_a_plan(digits.removeprefix("00")):
            yield match.span()


def _is_number_of_a_plan(digits: str) -> bool:
    import phonenumbers  # noqa: PLC0415 -- 10 MB of number plans, only for who needs them

    try:
        number = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(number)  # new ranges are in use before plans know them


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether the number is no part of a longer id, a price or a decimal fraction."""
    behind = text[end : end + 2]
    if behind and (
        _is_word(behind[0]) or (behind[0] in ".-" and behind[1:].isdigit()) or behind[0] in "元円%"
    ):
        return False
    before = text[max(0, start - 13) : start]
    if before.rstrip(" ")[-1:] in {"$", "€", "£", "¥", "#", "№"}:
        return False
    if not _JOINED.search(before):
        return True
    word = _WORD_BEFORE.search(before)
    return word is not None and _CUE.fullmatch(word[1]) is not None


def _is_word(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign == "_")


def _is_of_things(text: str, start: int) -> bool:
    return _NO_PERSON.search(text, max(0, start - 24), start) is not None


_Finder = Callable[[str], Iterator[tuple[int, int]]]
# The stricter first: what one of them took is not looked at again.
_FINDERS: Final[tuple[tuple[Kind, _Finder], ...]] = (
    (Kind.EMAIL, _emails),
    (Kind.RESIDENT_ID, _resident_ids),
    (Kind.BANK_CARD, _cards),
    (Kind.PHONE, _mobiles),
    (Kind.PHONE, _international),
)
