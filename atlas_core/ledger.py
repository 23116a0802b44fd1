"""The ledger: which chunks wait, are queued, leased, done or failed; in Redis, one Lua script a step.

State is kept by chunk key, so that jobs share it. Nothing here must survive: the store's records say what is done,
its registry which jobs there are. Redis's own clock decides what has expired, so machines' clocks do not matter; and
it may jump (`ledger_scripts`).

    waiting -> queued -> leased -> done
                  ^         |-> waiting (failed or lost, with attempts left)
                  |---------|-> failed  (parked, with its error)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args
from uuid import uuid4

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from atlas_core.deadlines import Deadlines
from atlas_core.errors import ConflictError, DependencyError
from atlas_core.events import Events
from atlas_core.ledger_scripts import (
    BEAT,
    LEASE,
    MARK_DONE,
    ONCE,
    OVERVIEW,
    PROMOTE,
    QUEUE,
    RENEW,
    REOPEN,
    SETTLE,
    STATES,
    UNQUEUE,
    WORKERS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["waiting", "queued", "leased", "done", "failed"]
Error = dict[str, str]
BY_LETTER: dict[str, State] = {state[0]: state for state in get_args(State)}

ACTIVE = "atlas:active"
SWEEPING = "atlas:sweeping"
SWEEPING_MS = 30_000
SWEEPING_LOOK_SECONDS = 0.05
LONGEST_PAUSE_MS = 60_000
HEARTBEATS = "atlas:workers"
BEATS = "atlas:beats"
LOST: Error = {
    "type": "worker-lost",
    "detail": "the process that ran it died, for lack of memory perhaps; see the worker's log, then submit again",
}


@dataclass(frozen=True)
class ChunkState:
    """What the ledger knows of a chunk; `progress` is (done, total) of a leased one that tells."""

    state: State
    attempts: int
    progress: tuple[int, int] | None
    error: Error | None


@dataclass(frozen=True)
class Worker:
    """A live worker: its id, the queues it takes from, its number of processes and what they compute on."""

    id: str
    queues: tuple[str, ...]
    processes: int
    device: str = "cpu"


def connect(url: str, *, decode: bool = True) -> redis.Redis:
    """A client of a Redis that never hangs: every wait is bounded. It gives text, or bytes where not to decode."""
    retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 2)
    return redis.Redis.from_url(url, decode_responses=decode, socket_connect_timeout=3, socket_timeout=10, retry=retry)


@contextmanager
def reaching_redis() -> Iterator[None]:
    """Turn a Redis that is down into our error.

    Raises:
        DependencyError: It cannot be reached.
    """
    try:
        yield
    except redis.RedisError as error:
        raise DependencyError(
            f"Redis cannot be reached ({type(error).__name__}); try again in a few seconds"
        ) from error


def _chunk(key: str) -> str:
    return f"atlas:chunk:{key}"


def _job(job_id: str) -> str:
    return f"atlas:job:{job_id}"


def _leases(worker: str) -> str:
    return f"atlas:leases:{worker}"


class Ledger:
    """The ledger in one Redis.

    Args:
        client: Decodes its responses.
        lease_seconds: Life of a lease that nobody renews.
        max_attempts: Attempts after which a chunk is parked.
        requeue_seconds: After which a queued message counts as lost.
        clock: The time in seconds, the same for all who share the ledger; Redis's own by default.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        lease_seconds: float = 15,
        max_attempts: int = 3,
        requeue_seconds: float = 60,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Register the scripts; Redis is not spoken to yet."""
        self._redis = client
        self._lease_ms = int(lease_seconds * 1000)
        self._requeue_ms = int(requeue_seconds * 1000)
        self._max_attempts = max_attempts
        self._clock = clock
        self._lost = json.dumps(LOST)
        names = {"queue": QUEUE, "lease": LEASE, "renew": RENEW, "settle": SETTLE, "states": STATES}
        names |= {"overview": OVERVIEW, "mark_done": MARK_DONE, "reopen": REOPEN, "unqueue": UNQUEUE}
        names |= {"beat": BEAT, "workers": WORKERS, "once": ONCE, "promote": PROMOTE}
        self.events = Events(client)
        self.deadlines = Deadlines(client)
        self._scripts = {name: client.register_script(script) for name, script in names.items()}

    def _run(self, script: str, keys: Iterable[str], *arguments: str | int | float) -> Any:
        now = "" if self._clock is None else int(self._clock() * 1000)
        with reaching_redis():
            return self._scripts[script](keys=list(keys), args=[*arguments, now])

    def ping(self) -> None:
        """Raise DependencyError unless Redis answers."""
        with reaching_redis():
            self._redis.ping()

    # Chunks

    def states(self, keys: Sequence[str]) -> list[ChunkState]:
        """What is known of these chunks, in their order; one never heard of waits."""
        rows = self._run("states", map(_chunk, keys)) if keys else []
        return [
            ChunkState(state, int(attempts), _pair(progress), json.loads(error) if error else None)
            for state, attempts, progress, error in rows
        ]

    def overview(self, keys: Sequence[str]) -> tuple[list[State], dict[str, tuple[int, int]]]:
        """The state of each of many chunks, in their order, and (done, total) of the leased ones that tell."""
        letters, shares = self._run("overview", map(_chunk, keys)) if keys else ("", [])
        told = {keys[int(place) - 1]: _pair(text) for place, text in zip(shares[::2], shares[1::2], strict=True)}
        return [BY_LETTER[letter] for letter in letters], {key: pair for key, pair in told.items() if pair}

    def queue(self, keys: Sequence[str]) -> list[str]:
        """Mark as queued those of the chunks that wait, or whose message or lease was lost; returns them.

        A chunk whose lease expired at its last attempt is parked instead.
        """
        if not keys:
            return []
        places = self._run("queue", [BEATS, *map(_chunk, keys)], self._requeue_ms, self._max_attempts, self._lost,
                           self._lease_ms, LONGEST_PAUSE_MS)  # fmt: skip
        return [keys[int(place) - 1] for place in places]

    def promote(self, job_id: str, key: str, most: int) -> bool:
        """Mark a chunk that waits or is queued as queued anew, ahead of its turn.

        Args:
            job_id: The job that it is promoted for.
            key: The chunk.
            most: Chunks of the job that may be promoted at a time and not be done yet.

        Returns:
            False where it runs, has ended, pauses after a failure or is promoted already, and where there are enough.
        """
        keys = [f"atlas:promoted:{job_id}", _chunk(key)]
        return bool(self._run("promote", keys, most, self._requeue_ms, LONGEST_PAUSE_MS))

    def lease(self, key: str, token: str, worker: str = "", pid: int = 0) -> bool:
        """Take a chunk to run it; False where it is done, parked or held by another's live lease.

        Args:
            key: The chunk.
            token: Names this lease; every later mark needs it. The same token again is given the same lease.
            worker: The worker that will renew it.
            pid: Process of that worker that runs the chunk.
        """
        note = json.dumps([key, pid])
        keys = [_chunk(key), _leases(worker), BEATS]
        return bool(self._run("lease", keys, token, self._lease_ms, self._max_attempts, self._lost, note))

    def renew(self, key: str, token: str) -> bool:
        """Prolong a lease; False where it is no longer ours."""
        return bool(self._run("renew", [_chunk(key)], token, self._lease_ms))

    def complete(self, key: str, token: str, worker: str = "") -> None:
        """Mark a chunk as done; its record exists, so it is done whoever held the lease."""
        self._run("mark_done", [_chunk(key)])
        self._drop(token, worker)

    def fail(
        self, key: str, token: str, error: Error, *, worker: str = "", retry_in: float = 0, counted: bool = True
    ) -> None:
        """Give a chunk back after a failure; at its last attempt it is parked.

        Args:
            key: The chunk.
            token: Of the lease; nothing happens where it is no longer ours.
            error: Type and detail.
            worker: That holds the lease.
            retry_in: Seconds before which it is not queued again the first time; they double each further time, up to
                a minute.
            counted: Whether the failure counts as an attempt; a dependency that is down does not.
        """
        self._settle(key, token, error, worker, retry_in=retry_in, counted=counted, park=False)

    def park(self, key: str, token: str, error: Error, *, worker: str = "") -> None:
        """Fail a chunk for good: another attempt would end the same."""
        self._settle(key, token, error, worker, retry_in=0, counted=True, park=True)

    def release(self, key: str, token: str, *, worker: str = "") -> None:
        """Give a chunk back unharmed, of a cancelled job or a worker that stops."""
        self._settle(key, token, LOST, worker, retry_in=0, counted=False, park=False)

    def lose(self, key: str, token: str, *, worker: str = "") -> None:
        """Give back a chunk whose process died."""
        self._settle(key, token, LOST, worker, retry_in=0, counted=True, park=False)

    def _settle(
        self, key: str, token: str, error: Error, worker: str, *, retry_in: float, counted: bool, park: bool
    ) -> None:
        self._run("settle", [_chunk(key)], token, int(retry_in * 1000), int(counted), int(park), self._max_attempts,
                  json.dumps(error), LONGEST_PAUSE_MS)  # fmt: skip
        self._drop(token, worker)

    def _drop(self, token: str, worker: str) -> None:
        with reaching_redis():
            self._redis.hdel(_leases(worker), token)

    def report(self, key: str, done: int, total: int) -> None:
        """Note how far a running chunk is."""
        with reaching_redis():
            self._redis.hset(_chunk(key), "progress", f"{done}/{total}")

    def mark_done(self, keys: Sequence[str]) -> None:
        """Mark chunks as done that the store has records of."""
        if keys:
            self._run("mark_done", map(_chunk, keys))

    def reopen(self, keys: Sequence[str]) -> None:
        """Let chunks that are parked, done or queued wait again, with all their attempts."""
        if keys:
            self._run("reopen", map(_chunk, keys))

    def unqueue(self, key: str) -> None:
        """Let a queued chunk wait again: its message was taken for a job that has ended."""
        self._run("unqueue", [_chunk(key)])

    def leases_of(self, worker: str) -> dict[str, tuple[str, int]]:
        """Leases that a worker holds: by token, the chunk and the process."""
        with reaching_redis():
            found = cast("dict[str, str]", self._redis.hgetall(_leases(worker)))
        return {token: (str(note[0]), int(note[1])) for token, text in found.items() for note in [json.loads(text)]}

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
            return cast("str | None", self._redis.hget(_job(job_id), "primed")) or ""

    def set_primed(self, job_id: str) -> str:
        """Note that the store was asked; returns a new token."""
        token = uuid4().hex
        with reaching_redis():
            self._redis.hset(_job(job_id), "primed", token)
        return token

    def cancel(self, job_id: str) -> None:
        """Have a job's running chunks stop."""
        with reaching_redis():
            self._redis.hset(_job(job_id), "cancelled", "1")
            self._redis.srem(ACTIVE, job_id)

    def cancelled(self, job_id: str) -> bool:
        """Whether a job's chunks should stop."""
        return self._flag(job_id, "cancelled")

    def restart(self, job_id: str) -> None:
        """Forget what was noted of a job, at the start of an attempt."""
        with reaching_redis():
            self._redis.delete(_job(job_id))

    def first_chunk(self, job_id: str) -> bool:
        """True once a job: when its first chunk starts."""
        with reaching_redis():
            return bool(self._redis.hsetnx(_job(job_id), "started", "1"))

    def _flag(self, job_id: str, name: str) -> bool:
        with reaching_redis():
            return self._redis.hget(_job(job_id), name) == "1"

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

    def workers(self) -> list[Worker]:
        """The live workers."""
        found = [json.loads(text) for text in self._run("workers", [HEARTBEATS])]
        return [Worker(name, tuple(queues), *rest) for name, queues, *rest in found]


def _worker_text(worker: Worker) -> str:
    return json.dumps([worker.id, worker.queues, worker.processes, worker.device])


def _pair(text: str) -> tuple[int, int] | None:
    done, slash, total = text.partition("/")
    return (int(done), int(total)) if slash else None
