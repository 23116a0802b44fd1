"""How much a key may ask: requests a minute, jobs and uploaded bytes a day. Redis counts; flushed, it begins anew."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from atlas_core.redis_client import connect_async, reaching_redis
from service.access.principal import Principal
from service.errors import TooManyError

if TYPE_CHECKING:
    from service.settings import ServiceSettings

log = logging.getLogger(__name__)
BURST_SECONDS = 10
"""That what was not asked for is saved up: a map's tiles are asked for at once."""
DAY = 86_400
DOWN_SECONDS = 1.0
"""That a Redis that did not answer is not asked again: nobody waits for it at every request."""

# KEYS: when all that was taken is paid for. ARGV: milliseconds a request, of burst, and now (empty: Redis's).
_PACE = """
local time = redis.call('TIME')
local now = ARGV[3] ~= '' and tonumber(ARGV[3]) or time[1] * 1000 + time[2] / 1000
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + tonumber(ARGV[1])
local wait = paid - tonumber(ARGV[2]) - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', paid), 'PX', math.ceil(paid - now) + 1000)
return 0
"""

# KEYS: what was used. ARGV: how much more, the most, seconds that it is kept.
_USE = """
local used = tonumber(redis.call('GET', KEYS[1]) or 0)
if used + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""


class Limits:
    """The limits of every key.

    Args:
        settings: Of those that have none of their own.
        now: Seconds since 1970; Redis's own clock paces requests by default.
    """

    def __init__(self, settings: ServiceSettings, now: Callable[[], float] | None = None) -> None:
        """Redis is not spoken to yet."""
        self._settings, self._now = settings, now
        retry = Retry(NoBackoff(), 1)  # a connection that was closed meanwhile
        self._redis = connect_async(settings.redis_url, socket_connect_timeout=1, socket_timeout=1, retry=retry)
        self._pace = self._redis.register_script(_PACE)
        self._down_until = -math.inf

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    def most(self, who: Principal, name: str) -> int:
        """How much somebody may: of its own, else the settings'; 0 for any."""
        return int(who.limits.get(name, getattr(self._settings, name)))

    async def pace(self, who: Principal) -> None:
        """Count a request. While Redis is down nothing is held up.

        Raises:
            TooManyError: There were too many in the last minute.
        """
        most = self.most(who, "requests_per_minute")
        if not most or time.monotonic() < self._down_until:
            return
        each = 60_000 / most
        burst = max(each, 1000 * BURST_SECONDS)
        now: Any = "" if self._now is None else self._now() * 1000
        try:
            wait = await self._pace(keys=[f"atlas:pace:{who.id}"], args=[each, burst, now])
        except redis.RedisError as error:
            self._down_until = time.monotonic() + DOWN_SECONDS
            log.warning("requests are not counted: Redis cannot be reached (%s)", type(error).__name__)
            return
        if wait:
            raise TooManyError(f"{who.name!r} may ask {most:,} times a minute; ask less often",
                               retry_seconds=math.ceil(int(wait) / 1000))  # fmt: skip

    def use(self, client: redis.Redis, who: Principal, name: str, amount: int = 1) -> None:
        """Count what is limited a day.

        Args:
            client: The same Redis.
            who: Uses it.
            name: Of the limit.
            amount: How much.

        Raises:
            TooManyError: It is more than there is left until midnight, UTC.
            DependencyError: Redis is down.
        """
        most = self.most(who, name)
        if not most or not amount:
            return
        now = time.time() if self._now is None else self._now()
        day, left = int(now // DAY), math.ceil(DAY - now % DAY)
        with reaching_redis():
            taken = client.eval(_USE, 1, f"atlas:used:{name}:{who.id}:{day}", amount, most, 2 * DAY)
        if not taken:
            what = name.removesuffix("_per_day").replace("_", " ")
            raise TooManyError(f"{who.name!r} may use {most:,} {what} a day, and has used them up; go on after "
                               "midnight (UTC)", retry_seconds=left)  # fmt: skip
