"""Links of a message: found, replaced by tracked ones, written out for plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape, unescape
from urllib.parse import urlsplit

MAX_URL = 2_000
SHORT_MARK = 10  # so many signs of a message's token stand in a short link: 60 bits
ENDINGS = ".,;:!?"  # they end the sentence around an address, not the address

_HREF = re.compile(r"""(<a\b[^>]*?\shref\s*=\s*)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
_ANCHOR = re.compile(
    r"""<a\b[^>]*?\shref\s*=\s*(["'])(.*?)\1[^>]*>(.*?)</a\s*>""", re.IGNORECASE | re.DOTALL
)
_BARE = re.compile(r"""https?://(?:\([^\s()<>"']*\)|[^\s()<>"'])+""")
_UNSEEN = re.compile(
    r"<!--.*?-->|<(head|style|script|title)\b.*?</\1\s*>|<[^>]*display:\s*none[^>]*>.*?</[^>]+>",
    re.IGNORECASE | re.DOTALL,
)
_BREAK = re.compile(r"<br\s*/?>|</(p|div|h[1-6]|tr|li|table)\s*>", re.IGNORECASE)
_TAG = re.compile(r"<[^>]+>")
_SPACE = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"\s*\n\s*\n\s*")


@lru_cache(maxsize=1024)
def is_trackable(url: str) -> bool:
    """Say whether `url` is a web address of bearable length, the only kind redirected to."""
    if len(url) > MAX_URL or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def targets(html: str, text: str = "") -> list[str]:
    """Return the trackable targets in `html` and plain `text`, each once, in order."""
    found = [unescape(match[3]).strip() for match in _HREF.finditer(html)]
    found += [match[0].rstrip(ENDINGS) for match in _BARE.finditer(text)]
    return [url for url in dict.fromkeys(found) if is_trackable(url)]


def rewrite(html: str, replacements: Mapping[str, str]) -> str:
    """Return `html` with the anchors' targets exchanged where `replacements` names them."""

    def exchanged(match: re.Match[str]) -> str:
        new = replacements.get(unescape(match[3]).strip())
        return match[0] if new is None else f"{match[1]}{match[2]}{escape(new)}{match[2]}"

    return _HREF.sub(exchanged, html)


def rewrite_text(text: str, replacements: Mapping[str, str]) -> str:
    """Return plain `text` with the addresses exchanged that `replacements` names."""

    def exchanged(match: re.Match[str]) -> str:
        url = match[0].rstrip(ENDINGS)
        return replacements.get(url, url) + match[0][len(url) :]

    return _BARE.sub(exchanged, text)


_PIXEL = '<img src="{}" width="1" height="1" alt="" style="display:block;border:0">'
_ANY_PIXEL = re.compile(re.escape(_PIXEL).replace(re.escape("{}"), '[^"]*'))


def with_pixel(html: str, url: str) -> str:
    """Return `html` with an invisible image of `url` as the last thing in its body."""
    image = _PIXEL.format(escape(url))
    at = html.lower().rfind("</body>")
    return f"{html}{image}" if at < 0 else f"{html[:at]}{image}{html[at:]}"


_CANARY = (
    '<a href="{}" rel="nofollow" tabindex="-1" aria-hidden="true" '
    'style="display:none;max-height:0;overflow:hidden;mso-hide:all"></a>'
)


def with_canary(html: str, url: str) -> str:
    """Return `html` with a link as the first thing in its body that programs alone follow."""
    link = _CANARY.format(escape(url))
    body = re.search(r"<body\b[^>]*>", html, re.IGNORECASE)
    return f"{link}{html}" if body is None else f"{html[: body.end()]}{link}{html[body.end() :]}"


def without_pixel(html: str) -> str:
    """Return `html` without our invisible image: whoever looks at it here is not the reader."""
    return _ANY_PIXEL.sub("", html)


def to_text(html: str) -> str:
    """Return the plain text of `html`: links written out, one blank line between blocks."""
    seen = _UNSEEN.sub("", html)
    linked = _ANCHOR.sub(_written_out(unescape), seen)
    lines = unescape(_TAG.sub("", _BREAK.sub("\n\n", _SPACE.sub(" ", linked.replace("\n", " ")))))
    return _LINES.sub("\n\n", "\n".join(line.strip() for line in lines.split("\n"))).strip()


def _written_out(plain: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
    def written(match: re.Match[str]) -> str:
        target, label = plain(match[2]).strip(), _TAG.sub("", match[3]).strip()
        if not label or not is_trackable(target) or plain(label) == target:
            return label or ""
        return f"{label} ({escape(target)})"

    return written
