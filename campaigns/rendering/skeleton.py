"""A message made once for all its readers: of each only their own words are put in and coded.

What a template makes of a reader is mostly a name in a line. All else, links, plain text and
transfer coding, is the same for everybody but for the token in the links, which has as many
letters for each. Marks stand where token and words will be.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from campaigns.rendering.message import coded, is_quotable, quoted

TOKEN_MARK = secrets.token_urlsafe(32)
OTHER_MARK = secrets.token_urlsafe(32)
MAX_WORDS = 200

_WORDS_MARK = secrets.token_hex(16)
_MARKS = re.compile(f"({re.escape(TOKEN_MARK)})|{_WORDS_MARK}([0-9]+)x")
_WHOLE_TOKEN = TOKEN_MARK.encode("ascii")
_CODED_TOKEN = re.compile("(?:=\r\n)?".join(map(re.escape, TOKEN_MARK)).encode())
_SOFT_BREAK = b"=\r\n"
# Words that stay what they are wherever they stand: no part of a tag, an address, a line's edge.
_WORDS = re.compile(
    r"(?:[^\W_]|[.,!’·-]|&#39;|&#x27;|&amp;)+(?: (?:[^\W_]|[.,!’·-]|&#39;|&#x27;|&amp;)+)*"
)

Part = str | int | None
"""Text, the number of a reader's words, or None for the token."""
Line = bytes | slice | Sequence[Part]
"""What is coded, a token's mark in it; which letters of the token; what is coded for each reader."""


def mark(number: int) -> str:
    """Return what stands for a reader's words of that number."""
    return f"{_WORDS_MARK}{number}x"


def is_marked(text: str) -> bool:
    return _WORDS_MARK in text


def are_words(html: str) -> bool:
    """Say whether what a template made of a reader can be put in without a look around it."""
    return len(html) <= MAX_WORDS and _WORDS.fullmatch(html) is not None


@dataclass(frozen=True, slots=True)
class Body:
    """The `html` or `plain` part of a message, coded as far as it is the same for everybody."""

    subtype: str
    parts: Sequence[Part]
    own: Sequence[int]
    lines: Sequence[Line]
    n_letters: int
    n_bytes: int

    @classmethod
    def of(cls, subtype: str, text: str) -> Body:
        """Take a part apart that has marks in it."""
        lines = [f"{line}\n" for line in text.splitlines()]
        if lines:
            lines[-1] = lines[-1][:-1]
        parts = [part for line in lines for part in _parts(line)]
        fixed = "".join(part for part in parts if isinstance(part, str))
        n_of_tokens = parts.count(None) * len(TOKEN_MARK)
        return cls(
            subtype,
            tuple(parts),
            tuple(part for part in parts if isinstance(part, int)),
            tuple(_merged(chain.from_iterable(map(_prepared, lines)))),
            len(fixed) + n_of_tokens,
            len(fixed.encode()) + n_of_tokens,
        )

    def fill(self, words: Sequence[str], token: str) -> bytes:
        """Return the part for one reader, as `message.part` makes it of the whole text."""
        own = "".join([words[number] for number in self.own])
        n_letters, n_bytes = self.n_letters + len(own), self.n_bytes + len(own.encode())
        if not is_quotable(n_letters, n_bytes):
            return coded(self.subtype, _joined(self.parts, words, token).encode(), quotes=False)
        letters, made = token.encode("ascii"), []
        for line in self.lines:
            if isinstance(line, bytes):
                made.append(line)
            elif isinstance(line, slice):
                made.append(letters[line])
            else:
                made.append(quoted(_joined(line, words, token).encode()))
        return coded(self.subtype, b"".join(made).replace(_WHOLE_TOKEN, letters), quotes=None)


def _parts(text: str) -> Iterator[Part]:
    at = 0
    for found in _MARKS.finditer(text):
        yield text[at : found.start()]
        yield None if found[1] else int(found[2])
        at = found.end()
    yield text[at:]


def _joined(parts: Sequence[Part], words: Sequence[str], token: str) -> str:
    return "".join(
        [
            part if isinstance(part, str) else token if part is None else words[part]
            for part in parts
        ]
    )


def _prepared(line: str) -> Iterator[Line]:
    """Code a line, but for a reader's words; where it may be broken does not hang on the others."""
    if is_marked(line):
        yield tuple(_parts(line))
        return
    ready, at = quoted(line.encode()), 0
    for found in _CODED_TOKEN.finditer(ready):
        if (break_at := found[0].find(_SOFT_BREAK)) >= 0:
            yield ready[at : found.start()]
            yield slice(0, break_at)
            yield _SOFT_BREAK
            yield slice(break_at, len(TOKEN_MARK))
            at = found.end()
    yield ready[at:]


def _merged(lines: Iterator[Line]) -> Iterator[Line]:
    for are_ready, some in groupby(lines, key=lambda line: isinstance(line, bytes)):
        if are_ready:
            yield b"".join(line for line in some if isinstance(line, bytes))
        else:
            yield from some
