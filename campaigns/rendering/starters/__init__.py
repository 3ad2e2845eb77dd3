"""Messages to start from, each in English and Chinese: blocks, or Liquid where blocks do not do.

`NAME.json` holds blocks by language. `NAME.LOCALE.liquid` is a subject line, a blank line, HTML.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

# They speak of what a plain campaign knows nothing of: a cart, a purchase, an order.
OF_AN_OCCASION = frozenset({"accessory", "cart_last_call", "cart_left", "order_confirmation"})


@dataclass(frozen=True, slots=True)
class Starter:
    """A ready message in one language: `blocks`, or Liquid source."""

    name: str
    locale: str
    subject: str
    body_html: str = ""
    blocks: tuple[dict[str, Any], ...] = ()


def names() -> list[str]:
    """Return the names of the starters that any campaign can begin with."""
    return sorted({file.name.split(".")[0] for file in _files()} - OF_AN_OCCASION)


def load(name: str) -> list[Starter]:
    """Return the starter `name` in each of its languages; raises KeyError if there is none."""
    found = [
        starter
        for file in _files()
        if file.name.split(".", maxsplit=1)[0] == name
        for starter in _read(file)
    ]
    if not found:
        raise KeyError(name)
    return sorted(found, key=lambda starter: starter.locale)


def _files() -> list[Traversable]:
    return [file for file in files(__name__).iterdir() if file.name.endswith((".liquid", ".json"))]


def _read(file: Traversable) -> list[Starter]:
    source = file.read_text("utf-8")
    if file.name.endswith(".json"):
        return [
            Starter(
                file.name.removesuffix(".json"), locale, told["subject"], "", (*told["blocks"],)
            )
            for locale, told in json.loads(source).items()
        ]
    name, locale, _ = file.name.split(".")
    head, _, body = source.partition("\n\n")
    return [Starter(name, locale, head.removeprefix("Subject: "), body)]
