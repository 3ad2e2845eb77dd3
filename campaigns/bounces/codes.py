"""Reply codes of mail servers (RFC 5321, RFC 3463) and what they say about an address."""

from __future__ import annotations

import re
from enum import StrEnum

# The address is none, or nobody's: bad mailbox, bad system, syntax, moved, null MX; disabled.
_HARD = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.310"})
_ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_BASIC = re.compile(r"\b([245]\d\d)\b")
_NOBODY = re.compile(
    r"user (is )?unknown|unknown user|no such (user|recipient|address|mailbox)|"
    r"does(n.t| not) (have an account|exist)|mailbox (not found|unavailable|does not exist)|"
    r"invalid (recipient|mailbox)|recipient (address )?(rejected: user|not found|unknown)|"
    r"account (has been )?(disabled|deactivated|closed)|不存在|无此用户|找不到收件人",
    re.IGNORECASE,
)
_ABOUT_US = re.compile(
    r"spam|block(ed|list)|blacklist|reputation|dmarc|spf|dkim|policy|rejected due to content",
    re.IGNORECASE,
)


class Kind(StrEnum):
    """What a word about a message means.

    `HARD`: there is nobody at the address. `SOFT`: not now, as with a full mailbox. `BLOCKED`:
    the sender or the content was refused, which says nothing of the address.
    """

    DELIVERED = "delivered"
    HARD = "hard"
    SOFT = "soft"
    BLOCKED = "blocked"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"


def is_hard(code: str) -> bool:
    """Say whether a result's code, such as "550 5.1.1", means that the address is nobody's."""
    found = _ENHANCED.search(code)
    return found is not None and found[1] in _HARD


def code_in(text: str) -> str:
    """Return the most exact code a server's words carry, empty if they carry none."""
    found = _ENHANCED.search(text) or _BASIC.search(text)
    return found[1] if found else ""


def classify(code: str, words: str = "") -> Kind:
    """Read a failure by its code; by the server's words where the code says too little."""
    code = code or code_in(words)
    if is_hard(code):
        return Kind.HARD
    if code.startswith("4"):
        return Kind.SOFT
    if code.startswith("5.7") or (not code.startswith("5.") and _ABOUT_US.search(words)):
        return Kind.BLOCKED
    says_nobody = _NOBODY.search(words) and not _ABOUT_US.search(words)
    too_little = code in {"", "5.0.0"} or not code.startswith("5.")
    return Kind.HARD if too_little and says_nobody else Kind.SOFT
