"""A cache in Redis that counts a request in one trip; every call of a key costs a few of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.cache.backends.redis import RedisCache, RedisCacheClient

if TYPE_CHECKING:
    from redis import Redis
    from redis.commands.core import Script
    from redis.connection import Connection


# A window's count is kept until the window after it has ended.
SPEND: Final = """
local told = {}
for at = 1, #KEYS / 2 do
    local n, passed, seconds = tonumber(ARGV[3 * at - 2]), tonumber(ARGV[3 * at - 1]), ARGV[3 * at]
    local counted = redis.call('INCR', KEYS[2 * at - 1])
    if counted == 1 then redis.call('EXPIRE', KEYS[2 * at - 1], seconds) end
    local earlier = tonumber(redis.call('GET', KEYS[2 * at]) or '0')
    told[#told + 1], told[#told + 2] = counted, earlier
    if earlier * (1 - passed) + counted > n then break end
end
return told
"""


class Window(NamedTuple):
    """Where a limit of `n` counts now, and before; `passed` is the part of the window that is over."""

    name: str
    before: str
    n: int
    passed: float
    seconds: int


class Client(RedisCacheClient):
    """Keeps its connections' client, which is safe among threads; Django makes one for each call."""

    _kept: Redis | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._mine = threading.local()

    def get_client(self, key: object = None, *, write: bool = False) -> Redis:
        if self._kept is None:
            self._kept = super().get_client(write=True)
        return self._kept

    @cached_property
    def spending(self) -> Script:
        return self.get_client().register_script(SPEND)

    def spend(self, keys: Sequence[str], facts: Sequence[float]) -> list[int]:
        """Run `SPEND` by a connection of this thread's own: to lend one costs more than the trip.

        What goes wrong there, a script that the server forgot among it, is asked again the usual
        way, which connects anew and raises RedisError.
        """
        from redis.exceptions import RedisError  # noqa: PLC0415 -- a tenth of a start

        line = self._line()
        try:
            line.send_command("EVALSHA", self.spending.sha, len(keys), *keys, *facts)  # type: ignore[no-untyped-call]
            told: list[int] = line.read_response()
        except (RedisError, OSError):
            line.disconnect()  # type: ignore[no-untyped-call]
            told = self.spending(keys, facts)
        return told

    def _line(self) -> Connection:
        if getattr(self._mine, "process", None) != os.getpid():
            pool = self.get_client().connection_pool
            self._mine.line = pool.connection_class(**pool.connection_kwargs)
            self._mine.process = os.getpid()
        line: Connection = self._mine.line
        return line


class CountingCache(RedisCache):
    """Django's cache in one Redis."""

    _cache: Client

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client

    def spend(self, windows: Sequence[Window]) -> list[tuple[int, int]]:
        """Count one in each window up to the first that overflows, in one trip.

        Return for each of those what it counts now, and what the window before it counted.
        """
        keys = [self.make_key(key) for one in windows for key in (one.name, one.before)]
        facts = [fact for one in windows for fact in (one.n, one.passed, one.seconds)]
        told = self._cache.spend(keys, facts)
        return list(zip(told[::2], told[1::2], strict=True))
