"""Which chunks wait, are queued, leased, done or failed.

State is kept by chunk key, so that jobs share it. Redis's own clock decides what has expired, so machines' clocks do
not matter; and it may jump (`ledger_scripts`).

    waiting -> queued -> leased -> done
                  ^         |-> waiting (failed or lost, with attempts left)
                  |---------|-> failed  (parked, with its error)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, get_args

from atlas_core.deadlines import Deadlines
from atlas_core.events import Events
from atlas_core.ledger_scripts import SCRIPTS
from atlas_core.meters import Meters
from atlas_core.redis_client import reaching_redis

if TYPE_CHECKING:
    import redis

State = Literal["waiting", "queued", "leased", "done", "failed"]
Error = dict[str, str]
BY_LETTER: dict[str, State] = {state[0]: state for state in get_args(State)}

LONGEST_PAUSE_MS = 60_000
LOST_RETRY_SECONDS = 1.0
LOSSES = 2
"""Times the attempts that a chunk may lose its process: the machine's fault more often than its own."""
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


class Lease(NamedTuple):
    """Who holds what: the chunk, the process that runs it, its queue and stage, and since when (seconds since 1970).

    A worker of the version before tells of the chunk and the process alone.
    """

    key: str
    pid: int
    queue: str = ""
    stage: str = ""
    since: float = 0.0

    @classmethod
    def read(cls, note: str) -> Lease:
        """As it is noted; what a later version adds is left out."""
        return cls(*json.loads(note)[: len(cls._fields)])


def _chunk(key: str) -> str:
    return f"atlas:chunk:{key}"


def leases_key(worker: str) -> str:
    """Where what a worker is at stands, by token."""
    return f"atlas:leases:{worker}"


class ChunkLedger:
    """What is known of chunks, in one Redis.

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
        self._max_attempts, self._max_lost = max_attempts, LOSSES * max_attempts
        self._clock = clock
        self._lost = json.dumps(LOST)
        self.events = Events(client)
        self.deadlines = Deadlines(client)
        self.meters = Meters(client)
        self._scripts = {name: client.register_script(script) for name, script in SCRIPTS.items()}

    def _run(self, script: str, keys: Iterable[str], *arguments: str | int | float) -> Any:
        now = "" if self._clock is None else int(self._clock() * 1000)
        with reaching_redis():
            return self._scripts[script](keys=list(keys), args=[*arguments, now])

    def ping(self) -> None:
        """Raise DependencyError unless Redis answers."""
        with reaching_redis():
            self._redis.ping()

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

        A chunk that lost its lease too often is parked instead.
        """
        if not keys:
            return []
        places = self._run("queue", [BEATS, *map(_chunk, keys)], self._requeue_ms, self._max_lost, self._lost,
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

    def lease(self, key: str, token: str, worker: str = "", pid: int = 0, *, queue: str = "", stage: str = "") -> bool:
        """Take a chunk to run it; False where it is done, parked or held by another's live lease.

        Args:
            key: The chunk.
            token: Names this lease; every later mark needs it. The same token again is given the same lease.
            worker: The worker that will renew it.
            pid: Process of that worker that runs the chunk.
            queue: That its message came from, for those who watch.
            stage: Of the chunk, for them too.
        """
        note = _note(key, pid, queue, stage)
        keys = [_chunk(key), leases_key(worker), BEATS]
        return bool(self._run("lease", keys, token, self._lease_ms, self._max_lost, self._lost, note))

    def begin(self, token: str, worker: str, pid: int, *, queue: str, stage: str) -> None:
        """Note that a process is at work that is no chunk, until `end`; arguments as of `lease`."""
        with reaching_redis():
            self._redis.hset(leases_key(worker), token, _note(stage, pid, queue, stage))

    def end(self, token: str, worker: str) -> None:
        """Note that such work is over."""
        self._drop(token, worker)

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
        """Give back a chunk whose process died; it may lose more processes than attempts may fail."""
        self._settle(key, token, LOST, worker, retry_in=LOST_RETRY_SECONDS, counted=True, park=False,
                     most=self._max_lost)  # fmt: skip

    def _settle(
        self, key: str, token: str, error: Error, worker: str, *, retry_in: float, counted: bool, park: bool,
        most: int | None = None,
    ) -> None:  # fmt: skip
        self._run("settle", [_chunk(key)], token, int(retry_in * 1000), int(counted), int(park),
                  most or self._max_attempts, json.dumps(error), LONGEST_PAUSE_MS)  # fmt: skip
        self._drop(token, worker)

    def _drop(self, token: str, worker: str) -> None:
        with reaching_redis():
            self._redis.hdel(leases_key(worker), token)

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

    def leases_of(self, worker: str) -> dict[str, Lease]:
        """What a worker holds, by token."""
        with reaching_redis():
            found = cast("dict[str, str]", self._redis.hgetall(leases_key(worker)))
        return {token: Lease.read(note) for token, note in found.items()}


def _note(key: str, pid: int, queue: str, stage: str) -> str:
    return json.dumps(Lease(key, pid, queue, stage, round(time.time(), 3)))


def _pair(text: str) -> tuple[int, int] | None:
    done, slash, total = text.partition("/")
    return (int(done), int(total)) if slash else None
