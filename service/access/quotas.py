"""How many bytes an owner's things may take in the store: counted from it now and then, and uploads as they come.

A count reads every record, so none is made for a request: the first one that it is asked for begins it beside it, and
it is believed for a minute. Blobs have no owner; who uploaded one holds it until it is registered, or is garbage.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import redis

from atlas_core.accounting import bytes_by_owner
from atlas_core.errors import AtlasError
from atlas_core.redis_client import connect, reaching_redis
from service.access.principal import Principal, QuotaError

if TYPE_CHECKING:
    from atlas_core.store import Store
    from service.access.limits import Limits
    from service.settings import ServiceSettings

log = logging.getLogger(__name__)
LIMIT = "stored_bytes"
BELIEVED_SECONDS = 60
COUNTING_SECONDS = 3600
"""After which another process counts, should the one that did be gone."""
CLOSE_SECONDS = 5
COUNTED, SINCE, UPLOADS, FRESH = (f"atlas:stored:{name}" for name in ("counted", "since", "uploads", "fresh"))

# KEYS: bytes by owner when they were counted, and since. ARGV: the owner, how many more, the most.
_HOLD = """
local held = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0) + tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or 0)
if held + math.max(tonumber(ARGV[2]), 1) > tonumber(ARGV[3]) then return held end
if tonumber(ARGV[2]) > 0 then redis.call('HINCRBY', KEYS[2], ARGV[1], ARGV[2]) end
return -1
"""


class Quotas:
    """The quotas of all owners.

    Args:
        settings: Where Redis is, and after how many hours what nothing refers to is garbage.
        limits: How much a key may.
        store: All of it.
        now: Seconds since 1970.
    """

    def __init__(
        self, settings: ServiceSettings, limits: Limits, store: Store, now: Callable[[], float] = time.time
    ) -> None:
        """Nothing is counted yet."""
        self._limits, self._store, self._now = limits, store, now
        self._unregistered_seconds = settings.garbage_hours * 3600
        self._redis = connect(settings.redis_url)
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Let go of the connection, and of a count that goes on."""
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
        self._redis.close()

    def hold(self, who: Principal, size: int = 0) -> None:
        """Count bytes that somebody is about to have stored, or ask whether they may have anything more.

        Args:
            who: Has them stored; all keys of an owner have them together.
            size: How many.

        Raises:
            QuotaError: Their owner would have more than this key may.
            DependencyError: Redis is down.
        """
        most = self._limits.most(who, LIMIT)
        if not most:
            return
        with reaching_redis():
            if self._redis.set(FRESH, 1, nx=True, ex=COUNTING_SECONDS):
                self._thread = threading.Thread(target=self.count, daemon=True)
                self._thread.start()
            held = int(self._redis.eval(_HOLD, 2, COUNTED, SINCE, who.owner, size, most))
        if held >= 0:
            raise QuotaError(f"what {who.owner or 'everybody'!r} owns takes {held:,} bytes of the {most:,} that it may"
                             f"{f', and {size:,} more are too many' if held < most else ''}; delete atlases, models or "
                             "datasets, or ask the operator for more")  # fmt: skip

    def uploaded(self, who: Principal, sha256: str) -> None:
        """Note whose a blob is until it is registered."""
        if self._limits.most(who, LIMIT):
            with reaching_redis():
                self._redis.zadd(UPLOADS, {f"{sha256} {who.owner}": self._now()})

    def count(self) -> None:
        """Count what all owners have; a failure is told in the log, and the next minute tries again."""
        try:
            since = self._redis.hgetall(SINCE)
            counted = bytes_by_owner(self._store, self._unregistered())
            with self._redis.pipeline() as together:
                together.delete(COUNTED)
                if counted:
                    together.hset(COUNTED, mapping=dict[Any, Any](counted))
                for owner, size in since.items():
                    together.hincrby(SINCE, owner, -int(size))
                together.execute()
        except (AtlasError, redis.RedisError) as error:
            log.warning("what owners have in the store could not be counted (%s)", type(error).__name__)
        finally:
            self._believe()

    def _unregistered(self) -> dict[str, set[str]]:
        """Digests of what each owner uploaded and may not have registered yet."""
        self._redis.zremrangebyscore(UPLOADS, 0, self._now() - self._unregistered_seconds)
        found: dict[str, set[str]] = {}
        for member in self._redis.zrange(UPLOADS, 0, -1):
            sha256, _, owner = str(member).partition(" ")
            found.setdefault(owner, set()).add(sha256)
        return found

    def _believe(self) -> None:
        try:
            self._redis.set(FRESH, 1, ex=BELIEVED_SECONDS)
        except redis.RedisError:
            log.warning("what owners have in the store is counted again later: Redis cannot be reached")
