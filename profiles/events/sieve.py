"""What may be kept of an event: everything but what tells who somebody is.

Pure: knows the finder of personal data, neither Django nor the database.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from privacy import finder
from profiles.identity.telling import EMAIL, tells_personal

# Names are compared in lower case without separators: `first_name`, `firstName`, `First name`.
PERSONAL: Final = """
    email emailaddress mail usermail useremail phone phonenumber telephone tel mobile
    mobilenumber cellphone firstname lastname fullname surname familyname givenname middlename
    username nickname recipient customername address addressline1 addressline2 streetaddress
    street shippingaddress billingaddress postalcode postcode zip zipcode birthday birthdate
    dateofbirth dob ssn nationalid idcard idnumber passport passportnumber taxid password
    creditcard cardnumber cvv iban bankaccount ip ipaddress
    邮箱 电子邮件 电话 手机 手机号 姓名 身份证 身份证号 地址 收货地址 生日
"""
PERSONAL_NAMES: Final = frozenset(PERSONAL.split())
ADDRESSES: Final = frozenset({"url", "referrer", "referer", "referring", "href", "pageurl"})
# Members whose numbers are those of things: no digits of theirs count as a telephone or a card.
THING: Final = re.compile(
    r".*(?:id|ids|sku|ean|gtin|upc|isbn|barcode|code|coupon|number|token|hash)"
)
SEPARATORS: Final = re.compile(r"[\s_.\-]+")
CONTEXT_KEPT: Final = ("locale", "timezone", "userAgent")
CONTEXT_PARTS: Final = {
    "page": ("path", "title", "referrer"),
    "campaign": ("name", "source", "medium", "term", "content"),
    "library": ("name", "version"),
    "device": ("type", "manufacturer", "model"),
    "os": ("name", "version"),
}


class Sieve:
    """Looks through the events of one request, at each distinct text once."""

    def __init__(self) -> None:
        self._clear: set[str] = set()

    def finds(self, text: str) -> bool:
        """Whether anything in `text` is personal; what is, is not remembered."""
        if text in self._clear:
            return False
        if finder.holds(text):
            return True
        self._clear.add(text)
        return False

    def members(self, node: dict[str, Any], dropped: list[str], path: str = "") -> dict[str, Any]:
        """`node` without personal members; their paths are added to `dropped`."""
        kept: dict[str, Any] = {}
        for name, value in node.items():
            said = _said_by(name)
            if said == "person":
                dropped.append(f"{path}{EMAIL.sub('…', name)}")
            elif isinstance(value, str):
                text = without_query(value) if said == "address" else value
                if tells_personal(text) if said == "thing" else self.finds(text):
                    dropped.append(f"{path}{name}")
                elif name != "search":  # the query string that analytics.js adds to each page call
                    kept[name] = text
            elif isinstance(value, dict):
                kept[name] = self.members(value, dropped, f"{path}{name}.")
            elif isinstance(value, list):
                is_free = said != "thing"
                kept[name] = list(self._items(value, dropped, f"{path}{name}.", is_free=is_free))
            else:
                kept[name] = value
        return kept

    def _items(
        self, values: list[Any], dropped: list[str], path: str, *, is_free: bool
    ) -> Iterator[Any]:
        for value in values:
            if isinstance(value, dict):
                yield self.members(value, dropped, path)
            elif isinstance(value, list):
                yield list(self._items(value, dropped, path, is_free=is_free))
            elif isinstance(value, str) and (
                self.finds(value) if is_free else tells_personal(value)
            ):
                dropped.append(path.rstrip("."))
            else:
                yield value

    def context(self, context: dict[str, Any], ip: str) -> dict[str, Any]:
        """The few parts of the context that are of use and say nothing of who it was."""
        kept: dict[str, Any] = {}
        for name in CONTEXT_KEPT:
            text = text_of(context, name)
            if text and not self.finds(text):
                kept[name] = text
        for part, names in CONTEXT_PARTS.items():
            node = context.get(part)
            if isinstance(node, dict):
                texts = {name: without_query(text_of(node, name)) for name in names if name in node}
                kept[part] = {
                    name: text for name, text in texts.items() if text and not self.finds(text)
                }
        if network := shorten_ip(text_of(context, "ip") or ip):
            kept["ip"] = network
        return kept


@lru_cache(maxsize=4096)
def _said_by(name: str) -> str:
    """What a member's name says of its value: `person`, `address` (of a page), `thing` or nothing."""
    if EMAIL.search(name):
        return "person"
    plain = SEPARATORS.sub("", name).lower()
    if plain in PERSONAL_NAMES:
        return "person"
    if plain in ADDRESSES:
        return "address"
    return "thing" if THING.fullmatch(plain) else ""


def text_of(node: dict[str, Any], *names: str) -> str:
    """The first of the named members that is a text, at most 300 characters of it."""
    for name in names:
        value = node.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()[:300]
    return ""


def without_query(address: str) -> str:
    """An address without its query and fragment, where shops and mails put tokens and names."""
    return address.partition("?")[0].partition("#")[0]


@lru_cache(maxsize=1024)
def shorten_ip(text: str) -> str:
    """The network of an address: the first 24 bits of IPv4, 48 of IPv6; empty if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    bits = 24 if address.version == 4 else 48  # noqa: PLR2004
    return str(ipaddress.ip_network((address, bits), strict=False).network_address)
