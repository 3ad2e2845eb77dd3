"""Feeds to be brought in by tests."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.console import run_here
from jobs.models import Job
from recommendations import asking
from recommendations.feeds import arriving
from recommendations.feeds.report import path_of
from recommendations.models import FeedImport
from tests.make import NOW

HEADER = ("id", "title", "price", "availability", "brand")
RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<title>Shop</title><link>https://shop.example</link>
{}
</channel></rss>
"""


class Silent:
    def write(self, _text: str) -> None: ...

    def isatty(self) -> bool:
        return False


def tsv(*rows: Sequence[str], header: Sequence[str] = HEADER) -> bytes:
    return "".join("\t".join(row) + "\n" for row in (header, *rows)).encode()


def row(id_: str, title: str = "", price: str = "10.00 EUR", **more: str) -> tuple[str, ...]:
    return (id_, title or f"Item {id_}", price, more.get("availability", "in_stock"), "Sony")


def bring(folder: Path, content: bytes, *, feed: str = "main", **columns: Any) -> FeedImport:
    """Bring a file in, as the command does."""
    path = folder / f"feed-{FeedImport.objects.count()}"
    path.write_bytes(content)
    brought = arriving.filed(arriving.feed_named(feed, now=NOW, **columns), path, now=NOW)
    try:
        asking.ask_for_feed(brought, NOW, way=at_once)
    finally:
        brought.refresh_from_db()
    return brought


def at_once(kind: str, payload: dict[str, Any], *, now: Any, unique_key: str) -> Job:
    silent = Silent()
    return run_here(
        kind,
        payload,
        now=now,
        unique_key=unique_key,
        stdout=silent,
        stderr=silent,
        clock=lambda: now,
        verbosity=0,
    )


def report(brought: FeedImport) -> list[dict[str, str]]:
    with path_of(brought).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def codes(brought: FeedImport) -> dict[str, int]:
    found: dict[str, int] = brought.summary["codes"]
    return found


def counts(brought: FeedImport) -> dict[str, int]:
    found: dict[str, int] = brought.summary["counts"]
    return {name: n for name, n in found.items() if n}
