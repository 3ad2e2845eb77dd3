"""Requests counted in Redis: in one trip, by a connection that outlives what befalls the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError

from privacy.counting import CountingCache, Window
from tests import servers

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A Redis of its own: its clients are thrown out."""
    with servers.redis() as url:
        yield url


@pytest.fixture
def counted(server: str) -> CountingCache:
    return CountingCache(server, {})


def window(name: str, n: int = 10) -> Window:
    return Window(name=f"{name}:1", before=f"{name}:0", n=n, passed=0.5, seconds=60)


def test_each_request_counts_once_in_every_window(counted: CountingCache) -> None:
    both = [window("caller"), window("key")]
    assert [counted.spend(both) for _ in range(3)] == [
        [(1, 0), (1, 0)],
        [(2, 0), (2, 0)],
        [(3, 0), (3, 0)],
    ]


def test_who_floods_does_not_use_up_what_others_share(counted: CountingCache) -> None:
    both = [window("flood", n=1), window("shared")]
    assert [counted.spend(both) for _ in range(2)] == [[(1, 0), (1, 0)], [(2, 0)]]


def test_a_server_that_forgot_its_scripts_or_its_callers_goes_on_counting(
    counted: CountingCache, server: str
) -> None:
    assert counted.spend([window("kept")]) == [(1, 0)]
    with Redis.from_url(server) as beside:
        beside.script_flush()
        assert counted.spend([window("kept")]) == [(2, 0)]
        beside.client_kill_filter(_type="normal", skipme=True)
    assert counted.spend([window("kept")]) == [(3, 0)]
    assert counted.spend([window("kept")]) == [(4, 0)]


def test_a_server_that_is_away_is_an_error() -> None:
    with servers.redis() as url:
        counted = CountingCache(url, {})
        assert counted.spend([window("away")]) == [(1, 0)]
    with pytest.raises((RedisError, OSError)):
        counted.spend([window("away")])
