"""Everything an installation keeps: database, files, cache, queue, log, mail."""

from __future__ import annotations

import email
import email.policy
import io
import logging
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache.backends.locmem import LocMemCache
from django.db import connections
from kombu.transport import memory

from config.leaks.findings import Sweep

ROWS = 1_000


@contextmanager
def log_kept() -> Iterator[io.StringIO]:
    """Keep the log instead of writing it, by the same filters and the same formatter."""
    root, kept = logging.getLogger(), io.StringIO()
    before = root.handlers[:]
    handler = logging.StreamHandler(kept)
    for one in before[:1]:
        handler.setFormatter(one.formatter)
        handler.filters = one.filters[:]
    root.handlers[:] = [handler]
    try:
        yield kept
    finally:
        root.handlers[:] = before


def look_at_all(sweep: Sweep, log: io.StringIO) -> None:
    for number, line in enumerate(log.getvalue().splitlines(), start=1):
        sweep.look("log", f"line {number}", line)
    _databases(sweep)
    _files(sweep)
    _mail(sweep)
    _cache(sweep)
    _queue(sweep)


def _databases(sweep: Sweep) -> None:
    """Every cell of every table, and of SQLite the file itself with its freed pages."""
    for alias in connections:
        connection = connections[alias]
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 -- a name of a table  # nosec B608
                while rows := cursor.fetchmany(ROWS):
                    for row in rows:
                        sweep.look(f"database: {alias}", table, _cells(row))
        if connection.vendor == "sqlite":
            name = Path(str(connection.settings_dict["NAME"]))
            for file in name.parent.glob(f"{name.name}*"):
                sweep.look(f"database: {alias}", file.name, file.read_bytes())


def _cells(row: tuple[Any, ...]) -> bytes:
    return b"\x1f".join(
        bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode() for cell in row
    )


def _files(sweep: Sweep) -> None:
    for file in settings.VAR_DIR.rglob("*"):
        if file.is_file() and file.suffix != ".eml" and ".sqlite3" not in file.name:
            sweep.look("files", file.relative_to(settings.VAR_DIR).as_posix(), file.read_bytes())


def _mail(sweep: Sweep) -> None:
    """Each message, opened; it may name its reader and nobody else."""
    owner = {person.email: person for person in sweep.flock.people}
    for file in settings.VAR_DIR.rglob("*.eml"):
        message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        readers = [address.addr_spec.lower() for address in message["To"].addresses]
        texts = [str(message[name]) for name in message]
        texts += [str(part.get_content()) for part in message.walk() if not part.is_multipart()]
        people = [owner[reader] for reader in readers if reader in owner]
        sweep.look("mail", file.name, "\n".join(texts), of=people)


class Listed(LocMemCache):
    """The local memory cache of a name, whose entries can be gone through."""

    _cache: OrderedDict[str, bytes]
    _lock: Lock

    def entries(self) -> list[tuple[str, bytes]]:
        with self._lock:
            return list(self._cache.items())


def _cache(sweep: Sweep) -> None:
    """Local memory entry by entry; Redis as a whole, where queues lie too."""
    if not settings.REDIS_URL:
        for key, pickled in Listed(settings.CACHES["default"].get("LOCATION", ""), {}).entries():
            sweep.look("cache", key, pickled)
    else:
        import redis  # noqa: PLC0415 -- only where there is one

        server = redis.Redis.from_url(settings.REDIS_URL)
        for key in server.scan_iter():
            sweep.look("redis", key.decode(errors="replace"), key + (server.dump(key) or b""))
            if server.type(key) == b"list":
                for item in server.lrange(key, 0, -1):
                    sweep.look("redis", key.decode(errors="replace"), item)


def _queue(sweep: Sweep) -> None:
    for name, queue in memory.Channel.queues.items():
        for message in list(queue.queue):
            sweep.look("queue", name, str(message))


def tables() -> set[str]:
    """The tables that a sweep must have looked at."""
    return {model._meta.db_table for model in apps.get_models()}
