"""Taking a batch apart that no JSON reader takes whole, so that one bad event costs no other.

Pure. Brackets and strings are followed, nothing else is understood; so neither depth nor what
stands in an event matters, only that the brackets around it are closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Final

# Half a character: what browsers make of a text that is cut within one. Pairs and escaped
# backslashes before a `u` are matched first, so that they stay.
HALF: Final = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[{]|[\]}]|,', re.DOTALL)
MEMBERS_AT: Final = 1  # inside the envelope
# A request of half a megabyte may have so many; more are an attack, and are read no further.
MOST_SIGNS: Final = 100_000


def without_halves(body: bytes) -> bytes:
    """The same with U+FFFD where half a character is escaped, as a decoder would have it."""
    return HALF.sub(lambda found: found[1] or rb"\ufffd", body)


def apart(body: bytes, member: bytes) -> tuple[bytes, list[bytes]] | None:
    """The envelope with that list empty, and the list's items; None where there is none to find.

    Of members of one name the last one counts, as in JSON readers.
    """
    depth, name = 0, b""
    cuts: list[int] = []  # the brackets around the list and the commas between its items
    is_inside = False
    for depth, sign, at in _signs(body):
        if depth == MEMBERS_AT:
            if sign == b"[" and name == member:
                is_inside, cuts = True, [at]
            elif sign in b"]}" and is_inside:
                is_inside = False
                cuts.append(at)
            name = sign[1:-1]
        elif is_inside and depth == MEMBERS_AT + 1 and sign == b",":
            cuts.append(at)
    if depth or not cuts:
        return None
    items = [body[start + 1 : end].strip() for start, end in pairwise(cuts)]
    return body[: cuts[0] + 1] + body[cuts[-1] :], [] if items == [b""] else items


def _signs(body: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Every string, bracket and comma with the depth at which it stands and its place."""
    depth = 0
    for token in islice(TOKEN.finditer(body), MOST_SIGNS):
        sign = token[0]
        depth -= sign in b"]}"
        yield depth, sign, token.start()
        depth += sign in b"[{"
