"""How long a text message is: the parts a telephone network cuts it into (3GPP 23.038)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("^{}\\[~]|€\f")
_HOW_TO_STOP: Final = re.compile(
    r"\b(stop|unsubscribe|opt[ -]?out)\b|退订|拒收|回复?\s?(TD|T|R)\b", re.IGNORECASE
)
_STOP_WORDS: Final = frozenset(
    {
        *(
            "stop",
            "stopall",
            "stop all",
            "unsubscribe",
            "cancel",
            "end",
            "quit",
            "optout",
            "opt out",
        ),
        *("td", "t", "r", "tdx", "n", "退订", "拒收", "取消", "取消订阅", "停止"),
    }
)


@dataclass(frozen=True, slots=True)
class Size:
    """`n_units` are characters of the network's alphabet, or 16-bit units outside it."""

    is_unicode: bool
    n_units: int
    n_parts: int
    n_left: int


def size(text: str) -> Size:
    """Return how many parts `text` is sent as, and how many units the last one has left."""
    is_unicode = any(sign not in _BASIC and sign not in _EXTENDED for sign in text)
    if is_unicode:
        n_units, single, joined = len(text.encode("utf-16-be")) // 2, 70, 67
    else:
        n_units, single, joined = len(text) + sum(sign in _EXTENDED for sign in text), 160, 153
    if n_units <= single:
        return Size(is_unicode, n_units, 1 if n_units else 0, single - n_units)
    n_parts = -(-n_units // joined)
    return Size(is_unicode, n_units, n_parts, n_parts * joined - n_units)


def tells_how_to_stop(text: str) -> bool:
    """Whether a text names a way to get no more of them."""
    return _HOW_TO_STOP.search(text) is not None


def is_stop(text: str) -> bool:
    """Whether an answer, taken whole, asks for no more messages."""
    told = " ".join(re.sub(r"[\s.!。！,，\"'“”]+", " ", text).split()).lower()
    return told in _STOP_WORDS
