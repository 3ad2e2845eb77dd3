"""A cache in Redis that counts a request in one trip; every call of a key costs a few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient

if TYPE_CHECKING:
    from redis import Redis


class Client(RedisCacheClient):
    """Keeps its connections' client, which is safe among threads; Django makes one for each call."""

    _kept: Redis | None = None

    def get_client(self, key: object = None, *, write: bool = False) -> Redis:
        if self._kept is None:
            self._kept = super().get_client(write=True)
        return self._kept


class CountingCache(RedisCache):
    """Django's cache in one Redis."""

    _cache: Client

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client

    def count(self, name: str, before: str, seconds: int) -> tuple[int, int]:
        """Add one to what `name` counts, for so long; return it, and what `before` counted."""
        key = self.make_and_validate_key(name)
        with self._cache.get_client(key, write=True).pipeline(transaction=False) as trip:
            trip.incr(key)
            trip.expire(key, seconds)
            trip.get(self.make_and_validate_key(before))
            counted, _kept, earlier = trip.execute()
        return int(counted), int(earlier or 0)
