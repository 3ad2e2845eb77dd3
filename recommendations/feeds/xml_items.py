"""Items of an RSS 2.0 or Atom feed, each cut out of the file and parsed by itself.

So one item that is no well-formed XML costs no other, memory is that of one item, and no entity
can be declared: an item has no DTD, and a file that brings one is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.parsers import expat

from django.utils.translation import gettext as _

from profiles.files.reading import BadRow, Text, UnreadableFileError
from recommendations.feeds.names import attribute

MAX_ITEM_BYTES: Final = 1 << 20
MAX_HEAD_BYTES: Final = 1 << 16
MAX_DEPTH: Final = 8
OURS: Final = ("http://base.google.com/ns/1.0", "https://base.google.com/ns/1.0")

MARK: Final = re.compile(rb"<!\[CDATA\[|<!--|<(/?)(item|entry)(?=[\s/>])")
ENDS: Final = {b"<![CDATA[": b"]]>", b"<!--": b"-->"}
LONGEST_MARK: Final = 16
DECLARED: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
PREFIX: Final = re.compile(rb"""xmlns:([\w.-]+)\s*=\s*["']([^"']*)["']""")

# Of elements within elements the values, in the order in which a table writes them.
PARTS: Final = {"product_detail": ("section_name", "attribute_name", "attribute_value")}


class XmlItems:
    """The items of a feed; their numbers count from 1."""

    def __init__(self, text: Text, beginning: bytes) -> None:
        head = beginning[:MAX_HEAD_BYTES]
        if re.search(rb"<!(DOCTYPE|ENTITY)", head, re.IGNORECASE):
            detail = _("The feed declares a document type or entities; write it without.")
            raise UnreadableFileError("xml_doctype", detail)
        self.n_bytes = text.n_bytes
        self._text = text
        self._encoding = _encoding(head, text.encoding)
        told = {name.decode(): uri.decode("latin-1") for name, uri in PREFIX.findall(head)}
        self._prefixes = {name for name, uri in told.items() if uri in OURS} or {"g"}
        if not MARK.search(head) and not re.search(rb"<([\w.-]+:)?(rss|feed|channel|RDF)\b", head):
            detail = _("The file is XML but neither RSS nor Atom: it has no items or entries.")
            raise UnreadableFileError("not_a_feed", detail)

    @property
    def n_bytes_read(self) -> int:
        return self._text.n_bytes_read

    def release(self) -> None:
        self._text.release()

    def rows(self, *, after: int = 0) -> Iterator[tuple[int, dict[str, list[str]] | BadRow]]:
        """Yield (number of the item, its values by attribute) behind item `after`."""
        for number, item in enumerate(self._items(), start=1):
            if number > after:
                yield number, item if isinstance(item, BadRow) else self._read(item)

    def _items(self) -> Iterator[bytes | BadRow]:
        """Cut the file at its items, of which each is held whole and no more."""
        left = b""
        cutter = _Cutter()
        for piece in self._text.pieces():
            left += piece
            yield from cutter.cut(left, is_end=False)
            left = cutter.left
        yield from cutter.cut(left, is_end=True)
        if cutter.is_open:
            yield BadRow("item_unfinished")

    def _read(self, item: bytes) -> dict[str, list[str]] | BadRow:
        try:
            text = item.decode(self._encoding)
        except UnicodeDecodeError:
            return BadRow("undecodable")
        reader = _Reader(self._prefixes)
        try:
            return reader.read(text)
        except expat.ExpatError:
            return BadRow("xml_invalid")


class _Cutter:
    """Finds where items begin and end, passing over CDATA sections and comments."""

    def __init__(self) -> None:
        self.left = b""
        self.is_inside = False
        self._within = b""  # how the section or comment ends that is being passed over
        self._is_too_long = False
        self._scanned = 0
        self._begin = 0

    @property
    def is_open(self) -> bool:
        """Whether an item, section or comment has begun that is not ended."""
        return self.is_inside or bool(self._within)

    def cut(self, data: bytes, *, is_end: bool) -> Iterator[bytes | BadRow]:
        """Yield the items that end in `data`; what is not used yet is kept in `left`."""
        self._begin, at = 0, self._scanned
        # A mark may be cut off at the end: it is looked at again with what follows.
        until = len(data) if is_end else max(at, len(data) - LONGEST_MARK)
        while at < until:
            if self._within:
                at = self._pass_over(data, at, until)
                continue
            found = MARK.search(data, at)
            if found is None or found.start() >= until:
                at = until
            elif found[0] in ENDS:
                at, self._within = found.end(), ENDS[found[0]]
            elif not found[1]:
                if self.is_inside:  # the item before was never ended
                    yield BadRow("item_unfinished")
                self.is_inside, self._is_too_long = True, False
                at, self._begin = found.end(), found.start()
            else:
                at = data.find(b">", found.end()) + 1 or len(data)
                if self.is_inside:
                    yield self._item(data, at)
        self._keep(data, at)

    def _pass_over(self, data: bytes, at: int, until: int) -> int:
        end, limit = data.find(self._within, at), self._begin + MAX_ITEM_BYTES
        if self.is_inside and limit < (until if end < 0 else end):
            # Whatever ends it is too far; what follows the limit is looked at again.
            self._is_too_long, self._within = True, b""
            return max(at, limit)
        if end < 0:
            return until
        at, self._within = end + len(self._within), b""
        return at

    def _item(self, data: bytes, at: int) -> bytes | BadRow:
        self.is_inside = False
        if self._is_too_long or at - self._begin > MAX_ITEM_BYTES:
            return BadRow("item_too_long")
        return data[self._begin : at]

    def _keep(self, data: bytes, at: int) -> None:
        begin = self._begin if self.is_inside else at
        if at - begin > MAX_ITEM_BYTES:
            self._is_too_long, begin = True, at
        self.left, self._scanned = data[begin:], at - begin


class _Reader:
    """The values of one item: elements without prefix, and those of Merchant's namespace."""

    def __init__(self, prefixes: set[str]) -> None:
        self._prefixes = prefixes
        self._plain: dict[str, list[str]] = {}
        self._ours: dict[str, list[str]] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._parts: dict[str, str] = {}

    def read(self, text: str) -> dict[str, list[str]]:
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.Parse(text.encode("utf-8", "surrogatepass"), True)  # noqa: FBT003 -- expat's own
        return self._plain | self._ours

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise expat.ExpatError
        self._text.clear()
        if len(self._path) == 2:  # noqa: PLR2004 -- an element of the item
            self._parts = {}
            if name == "link" and attributes.get("rel", "alternate") == "alternate":
                self._add("link", attributes.get("href", ""))

    def _end(self, name: str) -> None:
        value = "".join(self._text).strip()
        self._text.clear()
        depth = len(self._path)
        self._path.pop()
        if depth == 3:  # noqa: PLR2004 -- a part of an element
            self._parts[name.rpartition(":")[2]] = value
        elif depth == 2:  # noqa: PLR2004
            known = attribute(name.rpartition(":")[2])
            if self._parts:
                order = PARTS.get(known, tuple(self._parts))
                value = ":".join(self._parts.get(part, "") for part in order)
            self._add(name, value)

    def _add(self, name: str, value: str) -> None:
        prefix, _colon, local = name.rpartition(":")
        if not value or (prefix and prefix not in self._prefixes):
            return
        known = attribute(local.replace("spec.", "spec:", 1))
        # RSS and Atom have an id, link, title and text of their own; Merchant's go first.
        (self._ours if prefix else self._plain).setdefault(known, []).append(value)


def _encoding(head: bytes, asked: str) -> str:
    found = DECLARED.match(head)
    name = found[1].decode() if found else asked
    try:
        "".encode(name)
    except LookupError:
        raise UnreadableFileError(
            "encoding_unknown",
            _("The encoding %(name)s is not known; try utf-8, gb18030, big5 or cp1252.")
            % {"name": name},
        ) from None
    return name
