"""What is different between two versions of a message, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

Block = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Version:
    """A message as it was saved: blocks, or else its source."""

    subject: str
    blocks: Sequence[Block] = ()
    source: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `code` is subject, text, form, source, added, removed, moved or changed.

    `place` (1 = first, in the newer version) and `kind` are a block's; `before` and `after` the
    words, or of a source the numbers of lines that went and came.
    """

    code: str
    place: int = 0
    kind: str = ""
    field: str = ""
    before: str = ""
    after: str = ""


def differences(old: Version, new: Version) -> list[Change]:
    """Return what somebody changed between two versions, in the message's order."""
    found = []
    if old.subject != new.subject:
        found.append(Change("subject", before=old.subject, after=new.subject))
    if bool(old.blocks) != bool(new.blocks):
        found.append(Change("form"))
    elif new.blocks:
        found += _of_blocks(old.blocks, new.blocks)
    elif old.source != new.source:
        found.append(_of_lines("source", old.source, new.source))
    if old.text != new.text:
        found.append(_of_lines("text", old.text, new.text))
    return found


def _of_lines(code: str, old: str, new: str) -> Change:
    before, after = old.splitlines(), new.splitlines()
    parts = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    gone = sum(b - a for tag, a, b, _, _ in parts if tag != "equal")
    came = sum(d - c for tag, _, _, c, d in parts if tag != "equal")
    return Change(code, before=str(gone), after=str(came))


def _of_blocks(old: Sequence[Block], new: Sequence[Block]) -> list[Change]:
    before, after = [_key(one) for one in old], [_key(one) for one in new]
    gone: list[int] = []
    came: list[int] = []
    found: list[tuple[int, Change]] = []
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        left, right = list(range(a, b)), list(range(c, d))
        while left and right and _kind(old[left[0]]) == _kind(new[right[0]]):
            at = right.pop(0)
            found += [(at, one) for one in _of_fields(old[left.pop(0)], new[at], at + 1)]
        gone += left
        came += right
    for at in came:
        same = next((one for one in gone if before[one] == after[at]), None)
        if same is not None:
            gone.remove(same)
        what = "added" if same is None else "moved"
        found.append((at, Change(what, at + 1, _kind(new[at]))))
    found += [(at, Change("removed", at + 1, _kind(old[at]))) for at in gone]
    return [change for _at, change in sorted(found, key=lambda one: one[0])]


def _of_fields(old: Block, new: Block, place: int) -> Iterator[Change]:
    names = [*dict.fromkeys([*old, *new])]
    for name in names:
        before, after = old.get(name, ""), new.get(name, "")
        if name != "type" and before != after:
            yield Change("changed", place, _kind(new), name, before, after)


def _kind(block: Block) -> str:
    return str(block.get("type", ""))


def _key(block: Block) -> str:
    return json.dumps(dict(block), sort_keys=True, ensure_ascii=False)
