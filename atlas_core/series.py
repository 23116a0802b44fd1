"""The newest comparison of every series: an index in Redis, made from the registry whenever it is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from atlas_core import registry
from atlas_core.redis_client import reaching_redis

if TYPE_CHECKING:
    import redis

    from atlas_core.registry import Document
    from atlas_core.store import Store

NEWEST = "atlas:series"
KNOWN = "known"
"""Field of the index that says that it is whole."""

# KEYS: the index. ARGV: field, when the comparison was asked for and its id. What was asked for last counts, whatever
# ends last.
NOTE = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if not known or known < ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
"""


class Series:
    """Which job is the newest of each series.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Redis is not spoken to yet."""
        self._redis = client
        self._note = client.register_script(NOTE)

    def note(self, job: Document) -> None:
        """A comparison has succeeded."""
        with reaching_redis():
            self._note(keys=[NEWEST], args=[_field(job), _asked(job)])

    def newest(self, store: Store) -> dict[tuple[str, str], str]:
        """Ids of the newest comparisons by atlas and series; the registry is read only where the index is gone."""
        with reaching_redis():
            found = cast("dict[str, str]", self._redis.hgetall(NEWEST))
        if KNOWN not in found:
            found = self._made(store)
        return {(atlas, series): found[field].split()[1] for field in sorted(found.keys() - {KNOWN})
                for atlas, series in [json.loads(field)]}  # fmt: skip

    def forget(self) -> None:
        """Have the index made anew: a comparison that it names was dropped."""
        with reaching_redis():
            self._redis.delete(NEWEST)

    def _made(self, store: Store) -> dict[str, str]:
        self.forget()
        made = [
            job
            for job in registry.documents(store, "jobs")
            if job["kind"] == "drift" and job["state"] == "succeeded" and job["request"]["series"]
            and not job.get("deleted")
        ]  # fmt: skip
        with reaching_redis(), self._redis.pipeline() as pipe:
            for job in made:
                self._note(keys=[NEWEST], args=[_field(job), _asked(job)], client=pipe)
            pipe.hset(NEWEST, KNOWN, "")
            pipe.hgetall(NEWEST)
            return cast("dict[str, str]", pipe.execute()[-1])


def _field(job: Document) -> str:
    return json.dumps([job["atlas"], job["request"]["series"]])


def _asked(job: Document) -> str:
    return f"{job['created']} {job['id']}"
