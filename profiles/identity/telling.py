"""Whether an id tells who somebody is; knows neither Django nor the database."""

from __future__ import annotations

import re
from typing import Final

INTERNATIONAL: Final = re.compile(r"\+\d[\d\s().-]{6,18}\d")
EMAIL: Final = re.compile(r"[^\s@<>\"]+@[^\s@<>\"]+\.[^\s@<>\"]{2,}")
PHONE: Final = re.compile(r"(?:\+\d[\d\s().-]{6,18}\d|1[3-9]\d{9})\Z")


def looks_personal(identifier: str) -> bool:
    """Whether an id is an e-mail address or a phone number."""
    return ("@" in identifier and EMAIL.fullmatch(identifier) is not None) or (
        identifier[:1] in "+1" and PHONE.match(identifier) is not None
    )


def tells_personal(text: str) -> bool:
    """Whether an id holds an e-mail address or a phone number with its country.

    Numbers without a plus are let through: most of them are no phone numbers. What people
    wrote is looked through by `privacy.finder`.
    """
    return ("@" in text and EMAIL.search(text) is not None) or (
        "+" in text and INTERNATIONAL.search(text) is not None
    )
