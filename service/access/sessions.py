"""Sessions of browsers: a cookie that scripts cannot read stands for a key, and is forgotten after some hours.

Pictures are asked for by tags that can send no header, which is why a cookie is needed. Redis keeps the hash of each.
"""

from __future__ import annotations

import hashlib
import secrets

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from atlas_core.redis_client import connect_async, reaching_redis

COOKIE = "atlas_session"


class Sessions:
    """The sessions there are.

    Args:
        url: Of the Redis that keeps them.
        seconds: Of their life.
    """

    def __init__(self, url: str, seconds: int) -> None:
        """Redis is not spoken to yet."""
        self._redis = connect_async(url, decode_responses=True, retry=Retry(NoBackoff(), 1))
        self.seconds = seconds

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.aclose()

    async def begin(self, key: str) -> str:
        """Begin a session of a key, by its id; returns the cookie's value.

        Raises:
            DependencyError: Redis is down.
        """
        cookie = secrets.token_urlsafe(32)
        with reaching_redis():
            await self._redis.set(_name(cookie), key, ex=self.seconds)
        return cookie

    async def key(self, cookie: str) -> str | None:
        """Id of the key that a cookie stands for; None of one that ended. Raises DependencyError as `begin`."""
        with reaching_redis():
            found = await self._redis.get(_name(cookie))
        return None if found is None else str(found)

    async def end(self, cookie: str) -> None:
        """End a session. Raises DependencyError as `begin`."""
        with reaching_redis():
            await self._redis.delete(_name(cookie))


def _name(cookie: str) -> str:
    return f"atlas:session:{hashlib.sha256(cookie.encode()).hexdigest()}"
