"""The root keys of this installation: made once, wrapped by the provider, read again every moment.

A new root is made only where nothing was ever sealed: a lost or wrong key is an error that
says what to put back. Who waits for a provider or a database that is down waits a bounded
moment and then gets that error; nothing is written in plain meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from django.apps import apps
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)

from privacy.crypto import envelope, roots
from privacy.crypto.envelope import SealedIntegrityError
from privacy.fields import sealed_fields
from privacy.models import Keyring, RootKey
from privacy.providers import KeyUnavailableError, ProviderDownError, provider

log = logging.getLogger(__name__)
T = TypeVar("T")

REFRESH_SECONDS = 5
PATIENCE_SECONDS = 5.0
FIRST_PAUSE_SECONDS = 0.05
DAMAGE = ("SQLITE_NOTADB", "SQLITE_CORRUPT")


@dataclass(frozen=True)
class Ring:
    """What stands in the keystore: the installation, and the root keys by (use, version)."""

    installation: bytes
    roots: dict[tuple[str, int], bytes]
    written: dict[str, int]
    rows: tuple[tuple[str, int, bool, bytes], ...]

    def versions(self, use: str) -> list[int]:
        """Return the versions in force, the one that is written first."""
        first = self.written[use]
        found = sorted(version for name, version in self.roots if name == use)
        return [first, *(version for version in found if version != first)]

    def derive(self, use: str, *path: str, version: int | None = None) -> bytes:
        version = version or self.written[use]
        try:
            root = self.roots[use, version]
        except KeyError:
            raise KeyUnavailableError(
                f"the keystore holds no root key {use!r} of version {version}; "
                "restore it from its backup"
            ) from None
        return roots.derive(root, use, *path, str(version))


class RootKeys:
    """The ring as this process knows it, at most `REFRESH_SECONDS` old."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.patience_seconds = patience_seconds
        self._lock = threading.RLock()
        self._ring: Ring | None = None
        self._read_at = -float(REFRESH_SECONDS)
        self._failure: KeyUnavailableError | None = None
        self._failed_at = 0.0

    def ring(self) -> Ring:
        ring = self._ring
        if ring is None or time.monotonic() - self._read_at > REFRESH_SECONDS:
            ring = self._renewed(asked_at=time.monotonic())
        return ring

    def _renewed(self, *, asked_at: float) -> Ring:
        """Read the ring again; who stood in line while that failed shares the failure.

        Else each of many threads would wait its own while, one after the other.
        """
        with self._lock:
            if self._failure is not None and self._failed_at > asked_at:
                raise KeyUnavailableError(str(self._failure)) from self._failure
            try:
                ring = self._ring = self._current()
            except KeyUnavailableError as error:
                self._failure, self._failed_at = error, time.monotonic()
                raise
            self._failure = None
            self._read_at = time.monotonic()
            return ring

    def expire(self) -> None:
        """Have the ring read again at its next use."""
        self._read_at = -REFRESH_SECONDS

    def _current(self) -> Ring:
        ring = patiently(self._read, seconds=self.patience_seconds)
        if ring is not None:
            return ring
        if anything_sealed():
            raise KeyUnavailableError(
                "data is sealed but the keystore database is empty; restore it from its backup"
            )
        patiently(_begin, seconds=self.patience_seconds)
        return self._current()

    def _read(self) -> Ring | None:
        keyring = Keyring.objects.filter(pk=1).first()
        if keyring is None:
            return None
        found = RootKey.objects.order_by("use", "version")
        rows = tuple(
            (use, version, is_written, bytes(wrapped))
            for use, version, is_written, wrapped in found.values_list(
                "use", "version", "is_written", "wrapped"
            )
        )
        known = self._ring
        if known is not None and known.rows == rows:
            return known
        return _opened(keyring.installation.bytes, rows)


def patiently(ask: Callable[[], T], *, seconds: float) -> T:
    """Ask again, ever more slowly, while provider or keystore do not answer.

    Raises KeyUnavailableError once `seconds` have gone by.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return ask()
        except ProviderDownError as error:
            reason = str(error)
        except (DatabaseError, InterfaceError) as error:
            connection = connections["keystore"]
            damaged = is_damaged(error)
            if not damaged and (connection.in_atomic_block or not is_away(error)):
                raise
            if not connection.in_atomic_block:
                connection.close()
            if damaged:
                raise KeyUnavailableError(
                    "the keystore's database file is damaged; put it back from its backup"
                ) from error
            reason = "the keystore's database does not answer (is it up, and migrated?)"
        if time.monotonic() + pause > deadline:
            raise KeyUnavailableError(f"{reason}; nothing was read or written meanwhile")
        log.warning("keys: %s; asking again", reason)
        time.sleep(pause)
        pause *= 2


def is_away(error: Exception) -> bool:
    return isinstance(error, OperationalError | InterfaceError)


def is_damaged(error: Exception) -> bool:
    """Whether SQLite says that the file is no database, or not a whole one."""
    return str(getattr(error.__cause__, "sqlite_errorname", "")).startswith(DAMAGE)


def context_of(installation: bytes, use: str, version: int) -> bytes:
    return envelope.associated_data(installation, use.encode(), str(version).encode())


def wrapped_root(installation: bytes, use: str, version: int) -> RootKey:
    """Return a new random root key of that use, wrapped and not saved."""
    context = context_of(installation, use, version)
    wrapped = provider().wrap(envelope.new_key(), context=context)
    return RootKey(use=use, version=version, wrapped=wrapped)


def anything_sealed() -> bool:
    return any(
        model._base_manager.filter(**{f"{field.name}__isnull": False}).exists()
        for model in apps.get_models()
        for field in sealed_fields(model)
    )


def _begin() -> None:
    """Make the installation's keys, unless another process is first."""
    provider().prepare()
    try:
        with transaction.atomic(using="keystore"):
            keyring = Keyring(pk=1)
            keyring.save(force_insert=True)
            RootKey.objects.bulk_create(
                wrapped_root(keyring.installation.bytes, use, 1) for use in RootKey.Use.values
            )
    except IntegrityError:
        log.info("another process made the keys first")


def _opened(installation: bytes, rows: tuple[tuple[str, int, bool, bytes], ...]) -> Ring:
    asked = provider()
    found: dict[tuple[str, int], bytes] = {}
    for use, version, _is_written, wrapped in rows:
        context = context_of(installation, use, version)
        try:
            found[use, version] = asked.unwrap(wrapped, context=context)
        except SealedIntegrityError:
            raise KeyUnavailableError(_why_closed(asked.where, n_open=len(found))) from None
    written = {use: version for use, version, is_written, _wrapped in rows if is_written}
    if missing := sorted(set(RootKey.Use.values) - set(written)):
        raise KeyUnavailableError(
            f"the keystore holds no root key for {', '.join(missing)}; restore it from its backup"
        )
    return Ring(installation, found, written, rows)


def _why_closed(where: str, *, n_open: int) -> str:
    if n_open:
        return "a root key in the keystore is damaged; restore the keystore from its backup"
    return f"{where} is not the root key the data was sealed with; put the right one back"
