"""A cache of unwrapped keys: bounded in number and in time, the longest unused go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class BoundedCache(Generic[V]):
    """Values by the bytes of a subject; none is given out `seconds` after it was put in."""

    def __init__(
        self, *, entries: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.entries = entries
        self.seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[bytes, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: bytes) -> V | None:
        return self.get_many((key,)).get(key)

    def get_many(self, keys: Iterable[bytes]) -> dict[bytes, V]:
        """Return what is kept of those, and forget what is too old."""
        kept, found, now = self._kept, {}, self._clock()
        with self._lock:
            for key in keys:
                entry = kept.get(key)
                if entry is None:
                    continue
                if entry[0] <= now:
                    del kept[key]
                    continue
                kept.move_to_end(key)
                found[key] = entry[1]
        return found

    def put(self, fresh: Mapping[bytes, V]) -> None:
        until = self._clock() + self.seconds
        with self._lock:
            kept = self._kept
            for key, value in fresh.items():
                if key in kept:
                    kept.move_to_end(key)
                kept[key] = (until, value)
            while len(kept) > self.entries:
                kept.popitem(last=False)

    def drop(self, keys: Iterable[bytes]) -> None:
        with self._lock:
            for key in keys:
                self._kept.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
