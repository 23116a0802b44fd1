"""The ledger: what chunks, jobs and workers are up to; in Redis, one Lua script a step.

Nothing here must survive: the store's records say what is done, its registry which jobs there are.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from atlas_core.chunk_ledger import BEATS, ChunkLedger
from atlas_core.errors import ConflictError
from atlas_core.redis_client import reaching_redis
from atlas_core.series import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ACTIVE = "atlas:active"
SWEEPING = "atlas:sweeping"
SWEEPING_MS = 30_000
SWEEPING_LOOK_SECONDS = 0.05
HEARTBEATS = "atlas:workers"
VERSIONS = "atlas:versions"
VERSIONS_SECONDS = 86_400


@dataclass(frozen=True)
class Worker:
    """A live worker: its id, the queues it takes from, its number of processes and what they compute on."""

    id: str
    queues: tuple[str, ...]
    processes: int
    device: str = "cpu"


def processes_by_queue(workers: Iterable[Worker]) -> Counter[str]:
    """How many processes of some workers take from each queue."""
    found: Counter[str] = Counter()
    for worker in workers:
        found.update(dict.fromkeys(worker.queues, worker.processes))
    return found


class Ledger(ChunkLedger):
    """The ledger in one Redis: of chunks, and of the jobs, inspections and workers that go through them."""

    @cached_property
    def series(self) -> Series:
        """The newest comparison of every series."""
        return Series(self._redis)

    # Jobs and inspections under way

    def activate(self, name: str) -> None:
        """Enter a job or inspection among those that are swept."""
        with reaching_redis():
            self._redis.sadd(ACTIVE, name)

    def active(self) -> list[str]:
        """Everything under way, sorted."""
        with reaching_redis():
            return sorted(cast("set[str]", self._redis.smembers(ACTIVE)))

    def forget(self, name: str) -> None:
        """Take a job or inspection that ended off the list."""
        with reaching_redis():
            self._redis.srem(ACTIVE, name)

    def primed(self, job_id: str) -> str:
        """A token of when the store was asked what is done of a job, empty where it was not since Redis was flushed."""
        with reaching_redis():
            return cast("str | None", self._redis.hget(job_key(job_id), "primed")) or ""

    def set_primed(self, job_id: str, kind: str = "") -> str:
        """Note that the store was asked, and what kind of job it is; returns a new token."""
        token = uuid4().hex
        with reaching_redis():
            self._redis.hset(job_key(job_id), mapping={"primed": token, **({"kind": kind} if kind else {})})
        return token

    def cancel(self, job_id: str) -> None:
        """Have a job's running chunks stop."""
        with reaching_redis():
            self._redis.hset(job_key(job_id), "cancelled", "1")
            self._redis.srem(ACTIVE, job_id)

    def cancelled(self, job_id: str) -> bool:
        """Whether a job's chunks should stop."""
        return self._flag(job_id, "cancelled")

    def restart(self, job_id: str) -> None:
        """Forget what was noted of a job, at the start of an attempt."""
        with reaching_redis():
            self._redis.delete(job_key(job_id))

    def set_origin(self, job_id: str, carried: Mapping[str, str]) -> None:
        """Note which request asked for an attempt at a job, as its messages carry it."""
        with reaching_redis():
            self._redis.hset(job_key(job_id), "origin", json.dumps(carried))

    def origin(self, job_id: str) -> dict[str, str]:
        """Which request asked for a job; nothing where Redis was flushed since."""
        with reaching_redis():
            found = cast("str | None", self._redis.hget(job_key(job_id), "origin"))
        return {} if found is None else dict(json.loads(found))

    def first_chunk(self, job_id: str) -> bool:
        """True once a job: when its first chunk starts."""
        with reaching_redis():
            return bool(self._redis.hsetnx(job_key(job_id), "started", "1"))

    def _flag(self, job_id: str, name: str) -> bool:
        with reaching_redis():
            return self._redis.hget(job_key(job_id), name) == "1"

    @contextmanager
    def lock(self, name: str, seconds: float = 10) -> Iterator[None]:
        """Hold a lock while a document's state changes.

        Raises:
            ConflictError: It was not to be had in time.
        """
        with reaching_redis():
            held = self._redis.lock(f"atlas:lock:{name}", timeout=seconds, blocking_timeout=seconds)
            if not held.acquire():
                raise ConflictError(f"{name} is being changed by another request; try again")
        try:
            yield
        finally:
            with reaching_redis():
                if held.owned():
                    held.release()

    def once(self, name: str, seconds: float) -> bool:
        """True for one caller in so many seconds."""
        return bool(self._run("once", [f"atlas:once:{name}"], int(seconds * 1000)))

    def again(self, name: str) -> None:
        """Let `once` be true again before its time."""
        with reaching_redis():
            self._redis.delete(f"atlas:once:{name}")

    @contextmanager
    def deleting(self) -> Iterator[set[str]]:
        """While some records are deleted as garbage: the jobs under way, none of which may need them.

        A job that gets under way meanwhile waits in `undisturbed` before it asks the store what is done.
        """
        token = uuid4().hex  # several may delete at a time
        with reaching_redis(), self._redis.pipeline() as pipe:
            pipe.sadd(SWEEPING, token)
            pipe.pexpire(SWEEPING, SWEEPING_MS)
            pipe.execute()
        try:
            yield {name for name in self.active() if "/" not in name}
        finally:
            with reaching_redis():
                self._redis.srem(SWEEPING, token)

    def undisturbed(self) -> None:
        """Wait until no record is being deleted as garbage; for a job that is entered among those under way."""
        deadline = time.monotonic() + SWEEPING_MS / 1000
        with reaching_redis():
            while self._redis.exists(SWEEPING) and time.monotonic() < deadline:
                time.sleep(SWEEPING_LOOK_SECONDS)

    # Workers

    def beat(self, worker: Worker, seconds: float) -> None:
        """Note that a worker lives, for so many seconds."""
        self._run("beat", [HEARTBEATS, BEATS], _worker_text(worker), int(seconds * 1000), self._lease_ms)

    def gone(self, worker: Worker) -> None:
        """Note that a worker stops."""
        with reaching_redis():
            self._redis.zrem(HEARTBEATS, _worker_text(worker))
            self._redis.hdel(VERSIONS, worker.id)

    def tell_version(self, worker: Worker, version: str) -> None:
        """Note of which version of this software a worker is."""
        with reaching_redis(), self._redis.pipeline() as pipe:
            pipe.hset(VERSIONS, worker.id, version)
            pipe.expire(VERSIONS, VERSIONS_SECONDS)
            pipe.execute()

    def versions(self) -> dict[str, str]:
        """Versions by the ids of workers that told, dead ones among them."""
        with reaching_redis():
            return cast("dict[str, str]", self._redis.hgetall(VERSIONS))

    def workers(self) -> list[Worker]:
        """The live workers."""
        found = [json.loads(text) for text in self._run("workers", [HEARTBEATS])]
        return [Worker(name, tuple(queues), *rest) for name, queues, *rest in found]


def job_key(job_id: str) -> str:
    """Where what is noted of a job stands."""
    return f"atlas:job:{job_id}"


def _worker_text(worker: Worker) -> str:
    return json.dumps([worker.id, worker.queues, worker.processes, worker.device])
