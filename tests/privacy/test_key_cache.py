"""The cache of unwrapped keys keeps its bounds."""

from __future__ import annotations

from privacy.crypto.cache import BoundedCache


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_more_are_kept_than_allowed_and_the_longest_unused_go_first() -> None:
    cache: BoundedCache[int] = BoundedCache(entries=3, seconds=10)
    cache.put({b"a": 1, b"b": 2, b"c": 3})
    assert cache.get(b"a") == 1

    cache.put({b"d": 4})

    assert cache.get_many([b"a", b"b", b"c", b"d"]) == {b"a": 1, b"c": 3, b"d": 4}


def test_nothing_is_given_out_after_its_time_however_often_it_was_used() -> None:
    clock = Clock()
    cache: BoundedCache[int] = BoundedCache(entries=3, seconds=10, clock=clock)
    cache.put({b"a": 1})

    clock.now = 9.9
    assert cache.get(b"a") == 1
    clock.now = 10
    assert cache.get(b"a") is None
    assert len(cache) == 0


def test_what_is_dropped_or_cleared_is_gone() -> None:
    cache: BoundedCache[int] = BoundedCache(entries=3, seconds=10)
    cache.put({b"a": 1, b"b": 2})

    cache.drop([b"a", b"never there"])
    assert cache.get_many([b"a", b"b"]) == {b"b": 2}
    cache.clear()
    assert len(cache) == 0
