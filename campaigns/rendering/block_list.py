"""The blocks of a message as a list that is edited: read, put in order, copied, cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from campaigns.rendering.blocks import FIELDS

Told = dict[str, str]


def tidy(blocks: Iterable[Mapping[str, object]]) -> list[Told]:
    """Return the blocks with the fields that their kind has and that are not empty.

    What is no known kind stays as it is: the compiler names it.
    """
    found = []
    for block in blocks:
        kind = str(block.get("type", ""))
        names = [field.name for field in FIELDS.get(kind, ())]
        kept = {name: str(block[name]) for name in names if str(block.get(name, "")).strip()}
        found.append({"type": kind, **kept})
    return found


def changed(blocks: Sequence[Told], verb: str, at: int) -> list[Told]:
    """Return the blocks after `up`, `down`, `copy` or `remove` of the one at index `at`.

    What cannot be done (the first one up, an index out of range) changes nothing.
    """
    found = list(blocks)
    if not 0 <= at < len(found):
        return found
    if verb == "remove":
        del found[at]
    elif verb == "copy":
        found.insert(at + 1, dict(found[at]))
    elif verb in {"up", "down"}:
        to = at + (1 if verb == "down" else -1)
        if 0 <= to < len(found):
            found.insert(to, found.pop(at))
    return found
