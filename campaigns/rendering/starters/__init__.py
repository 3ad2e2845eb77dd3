"""Messages to start from: `NAME.LOCALE.liquid`, a subject line, a blank line, the HTML."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Starter:
    """A ready message in one language, as Liquid source."""

    name: str
    locale: str
    subject: str
    body_html: str


def names() -> list[str]:
    """Return the names of all starters."""
    return sorted({file.name.split(".")[0] for file in _files()})


def load(name: str) -> list[Starter]:
    """Return the starter `name` in each of its languages; raises KeyError if there is none."""
    found = [
        _parse(file.name, file.read_text("utf-8")) for file in _files() if _is(file.name, name)
    ]
    if not found:
        raise KeyError(name)
    return sorted(found, key=lambda starter: starter.locale)


def _files() -> list[Traversable]:
    return [file for file in files(__name__).iterdir() if file.name.endswith(".liquid")]


def _is(file_name: str, name: str) -> bool:
    return file_name.split(".", maxsplit=1)[0] == name


def _parse(file_name: str, source: str) -> Starter:
    name, locale, _ = file_name.split(".")
    head, _, body = source.partition("\n\n")
    return Starter(name, locale, head.removeprefix("Subject: "), body)
