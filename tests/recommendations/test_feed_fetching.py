"""Feeds from an address: over real sockets on this host, which the guard is told to let through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from jobs import queue, running
from jobs.models import Job
from jobs.running import JobFailedError
from jobs.work import Work
from privacy.outbound import Guard
from recommendations.feeds import arriving
from recommendations.models import Feed, FeedImport, Product
from tests import make
from tests.make import NOW
from tests.privacy.receiver import guard
from tests.recommendations.feeds import row, tsv

pytestmark = pytest.mark.django_db


@dataclass
class Shelf:
    """A web server with one file."""

    content: bytes = b""
    status: int = 200
    etag: str = '"1"'
    length: int | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tsv(row("1"), row("2")))
    make.shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(dict(self.headers))
            is_known = made.etag and self.headers.get("If-None-Match") == made.etag
            with suppress(OSError):
                self.send_response(304 if is_known else made.status)
                self.send_header("Location", "http://127.0.0.1/elsewhere")
                self.send_header("Content-Length", str(made.length or len(made.content)))
                if made.etag:
                    self.send_header("ETag", made.etag)
                self.end_headers()
                if not is_known:
                    self.wfile.write(made.content)

        def log_message(self, *_facts: Any) -> None:
            """Tests read `asked`."""

    networks = override_settings(VAR_DIR=tmp_path, WEBHOOK_ALLOWED_NETWORKS=["127.0.0.0/8"])
    with networks, ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def feed(shelf: Shelf, **columns: Any) -> Feed:
    url = f"http://127.0.0.1:{shelf.port}/deep/feed.tsv?x=1"
    return arriving.feed_named("main", now=NOW, url=url, **columns)


def fetch(of: Feed, *, by: Guard | None = None, max_bytes: int = 1 << 20) -> dict[str, Any]:
    of.refresh_from_db()
    job = queue.enqueue("recommendations.fetch_feed", {"feed": of.pk}, now=NOW)
    claimed = running.claim(job.pk, now=NOW)
    assert claimed is not None
    work = Work(claimed, clock=lambda: NOW)
    return arriving.fetch(of, work, guard=by or guard(seconds=5.0), max_bytes=max_bytes)


def test_a_feed_is_fetched_and_its_rows_come_in(shelf: Shelf) -> None:
    made = feed(shelf, every_hours=6)

    assert fetch(made) == {"outcome": "brought in"}

    brought = FeedImport.objects.get()
    assert brought.filename == "feed.tsv"
    job = Job.objects.get(kind="recommendations.import_feed")
    assert job.uuid == brought.job_uuid
    running.run(job.pk, clock=lambda: NOW)
    assert Product.objects.count() == 2
    made.refresh_from_db()
    assert (made.fetched_at, made.next_fetch_at) == (NOW, NOW + timedelta(hours=6))
    brought.refresh_from_db()
    assert brought.held is None


@pytest.mark.parametrize("etag", ['"1"', ""])
def test_a_feed_that_is_as_it_was_is_not_brought_in_again(shelf: Shelf, etag: str) -> None:
    shelf.etag = etag
    made = feed(shelf)
    fetch(made)

    assert fetch(made) == {"outcome": "unchanged"}

    assert FeedImport.objects.count() == 1
    assert shelf.asked[1].get("If-None-Match", "") == etag


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"status": 404}, "status_404"),
        ({"status": 302}, "status_302"),
        ({"length": 1 << 30}, "too_large"),
        ({"content": b"x" * 2_000_000}, "too_large"),
        ({"length": 9_999}, "connection_lost"),
    ],
)
def test_what_hinders_a_fetch_stands_on_the_feed(
    shelf: Shelf, columns: dict[str, Any], code: str
) -> None:
    for name, value in columns.items():
        setattr(shelf, name, value)
    made = feed(shelf)

    with pytest.raises(JobFailedError):
        fetch(made)

    made.refresh_from_db()
    assert (made.fetch_error, made.next_fetch_at) == (code, NOW + timedelta(hours=24))
    assert not FeedImport.objects.exists()
    assert len(shelf.asked) == 1


def test_a_feed_of_our_own_network_is_not_asked_for(shelf: Shelf) -> None:
    made = feed(shelf)

    with pytest.raises(JobFailedError):
        fetch(made, by=Guard(seconds=5.0))

    made.refresh_from_db()
    assert (made.fetch_error, shelf.asked) == ("refused_address", [])


def test_feeds_are_fetched_when_they_are_due(shelf: Shelf) -> None:
    made = feed(shelf)
    make_due = Feed.objects.filter(pk=made.pk)
    assert arriving.ask_due(NOW) == 0
    make_due.update(next_fetch_at=NOW)

    assert (arriving.ask_due(NOW), arriving.ask_due(NOW)) == (1, 1)

    assert Job.objects.filter(kind="recommendations.fetch_feed").count() == 1


def test_reports_and_imports_go_after_90_days(shelf: Shelf) -> None:
    fetch(feed(shelf))
    FeedImport.objects.update(finished_at=NOW)

    assert arriving.forget_old(NOW + timedelta(days=89)) == 0
    assert arriving.forget_old(NOW + timedelta(days=91)) == 1
