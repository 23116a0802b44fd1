"""How much work there is now: what waits in the queues, what runs, and the jobs under way; from Redis alone.

It costs as much as there are queues, workers and jobs under way, however many jobs there ever were.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from atlas_core.advance import INTERACTIVE, QUEUES
from atlas_core.chunk_ledger import Lease, leases_key
from atlas_core.ledger import ACTIVE, job_key
from atlas_core.mailbox import WAITING
from atlas_core.redis_client import reaching_redis

if TYPE_CHECKING:
    import redis

    from atlas_core.ledger import Worker

SENT = "sent"
"""Header of a message: when it was sent, in seconds since 1970."""
MEMORY = "atlas:memory"
"""By worker: bytes of its GPU's memory that are taken, and that there are."""


@dataclass(frozen=True)
class Running:
    """Work that a worker's process is at: its queue, its stage, and for how many seconds."""

    queue: str
    stage: str
    seconds: float


@dataclass(frozen=True)
class Queue:
    """Messages that wait in a queue, and seconds since the oldest was sent; 0 where none waits."""

    depth: int
    age: float


class Workload:
    """What there is to do.

    Args:
        client: The broker's Redis; decodes its responses.
        cache: The Redis of waiting projections; the same where there is no other.
    """

    def __init__(self, client: redis.Redis, cache: redis.Redis | None = None) -> None:
        """Redis is not spoken to yet."""
        self._redis, self._cache = client, cache or client

    def queues(self) -> dict[str, Queue]:
        """By name; images that wait for a worker count in `interactive`: one message wakes it for all of them."""
        with reaching_redis(), self._redis.pipeline(transaction=False) as pipe:
            for name in QUEUES:
                pipe.llen(name)
            depths = dict(zip(QUEUES, pipe.execute(), strict=True))
            depths[INTERACTIVE] += self._cache.llen(WAITING)
            return {name: Queue(depths[name], self._age(name)) for name in QUEUES}

    def _age(self, name: str) -> float:
        try:
            return waited(cast("str | None", self._redis.lindex(name, -1)))
        except ValueError:  # no message of ours: workers drop it
            return 0.0

    def running(self, workers: Iterable[Worker]) -> list[Running]:
        """What live workers are at."""
        with reaching_redis(), self._redis.pipeline(transaction=False) as pipe:
            for worker in workers:
                pipe.hvals(leases_key(worker.id))
            held = [Lease.read(note) for notes in pipe.execute() for note in notes]
        return [Running(one.queue, one.stage, max(0.0, time.time() - one.since)) for one in held if one.since]

    def jobs(self) -> Counter[tuple[str, str]]:
        """Jobs and inspections under way, by kind and state."""
        with reaching_redis():
            names = sorted(cast("set[str]", self._redis.smembers(ACTIVE)))
            with self._redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.hmget(job_key(name), "kind", "started")
                found = pipe.execute()
        counts: Counter[tuple[str, str]] = Counter()
        for name, (kind, started) in zip(names, found, strict=True):
            if "/" in name:
                counts["inspection", "running"] += 1
            elif kind:
                counts[kind, "running" if started else "queued"] += 1
        return counts

    def note_memory(self, worker: str, used: int, total: int) -> None:
        """Say how many bytes of a worker's GPU are taken."""
        with reaching_redis():
            self._redis.hset(MEMORY, worker, json.dumps([used, total]))

    def memory(self, workers: Iterable[Worker]) -> dict[str, tuple[int, int]]:
        """Of live workers that have a GPU: bytes taken, and bytes that there are; forgets those of others."""
        with reaching_redis():
            found = cast("dict[str, str]", self._redis.hgetall(MEMORY))
            gone = found.keys() - {worker.id for worker in workers}
            if gone:
                self._redis.hdel(MEMORY, *gone)
        return {name: (used, total) for name, text in found.items() if name not in gone
                for used, total in [json.loads(text)]}  # fmt: skip


def stamped(carried: Mapping[str, str]) -> dict[str, Any]:
    """Headers of a message that is sent now, with what it carries of the request that asked for it."""
    return {SENT: time.time(), **carried}


def waited(message: str | None) -> float:
    """Seconds since a message was sent, 0 of none and of one that does not say; ValueError of what is no JSON."""
    told: Any = json.loads(message) if message else None
    headers = told.get("headers") if isinstance(told, dict) else None
    sent = headers.get(SENT) if isinstance(headers, dict) else None
    return max(0.0, time.time() - sent) if isinstance(sent, int | float) else 0.0
