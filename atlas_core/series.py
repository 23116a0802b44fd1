"""The newest comparison of every series: an index in Redis, made from the registry whenever it is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from atlas_core import registry
from atlas_core.redis_client import reaching_redis

if TYPE_CHECKING:
    import redis

    from atlas_core.store import Store

NEWEST = "atlas:series"
KNOWN = "known"
"""Field of the index that says that it is whole."""


class Series:
    """Which job is the newest of each series.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Redis is not spoken to yet."""
        self._redis = client

    def note(self, atlas: str, series: str, job_id: str) -> None:
        """A comparison has succeeded."""
        with reaching_redis():
            self._redis.hset(NEWEST, json.dumps([atlas, series]), job_id)

    def newest(self, store: Store) -> dict[tuple[str, str], str]:
        """Ids of the newest comparisons by atlas and series; the registry is read only where the index is gone."""
        with reaching_redis():
            found = cast("dict[str, str]", self._redis.hgetall(NEWEST))
        if KNOWN not in found:
            found = self._made(store)
        return {(atlas, series): found[field] for field in sorted(found.keys() - {KNOWN})
                for atlas, series in [json.loads(field)]}  # fmt: skip

    def forget(self) -> None:
        """Have the index made anew: a comparison that it names was dropped."""
        with reaching_redis():
            self._redis.delete(NEWEST)

    def _made(self, store: Store) -> dict[str, str]:
        self.forget()
        made = {
            json.dumps([job["atlas"], job["request"]["series"]]): job["id"]
            for job in registry.documents(store, "jobs")
            if job["kind"] == "drift" and job["state"] == "succeeded" and job["request"]["series"]
            and not job.get("deleted")
        }  # fmt: skip
        with reaching_redis(), self._redis.pipeline() as pipe:
            for field, job_id in made.items():
                pipe.hsetnx(NEWEST, field, job_id)  # what has ended meanwhile is newer
            pipe.hset(NEWEST, KNOWN, "")
            pipe.hgetall(NEWEST)
            return cast("dict[str, str]", pipe.execute()[-1])
