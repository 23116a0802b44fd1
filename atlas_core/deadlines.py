"""What is to be done at a later time: names in Redis, each with when it is due by Redis's own clock.

Nothing here must survive: the store says what is left to do, and who reads it there notes it again.
"""

from __future__ import annotations

import logging
from typing import Any

import redis

log = logging.getLogger(__name__)

DUE = "atlas:due"
AT_ONCE = 100
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# KEYS: the names. ARGV: name, milliseconds from now, 1 where a name that is noted already stays as it is
_LATER = (
    _NOW
    + """
if ARGV[3] == '1' and redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return 1
"""
)
# KEYS: the names. ARGV: how many at most, milliseconds until they are due again
_TAKE = (
    _NOW
    + """
local names = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
for _, name in ipairs(names) do redis.call('ZADD', KEYS[1], now + ARGV[2], name) end
return names
"""
)


class Deadlines:
    """Names and when each is due.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Register the scripts; Redis is not spoken to yet."""
        self._redis = client
        self._later = client.register_script(_LATER)
        self._take = client.register_script(_TAKE)

    def later(self, name: str, seconds: float, *, unless_noted: bool = False) -> None:
        """Note a name as due in so many seconds; where Redis is down it is left to the next who reads the store."""
        self._tried(lambda: self._later(keys=[DUE], args=[name, int(seconds * 1000), int(unless_noted)]))

    def take(self, again_seconds: float) -> list[str]:
        """Names that are due; each is due again after so many seconds unless it is noted anew or dropped."""
        return list(self._tried(lambda: self._take(keys=[DUE], args=[AT_ONCE, int(again_seconds * 1000)])) or [])

    def drop(self, name: str) -> None:
        """Forget a name: it is done."""
        self._tried(lambda: self._redis.zrem(DUE, name))

    def _tried(self, operation: Any) -> Any:
        try:
            return operation()
        except redis.RedisError as error:
            log.warning("a deadline is left to the next look at the store (%s)", type(error).__name__)
            return None
