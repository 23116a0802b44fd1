from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from atlas_core.chunk_ledger import LOST
from atlas_core.errors import DependencyError
from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect

ERROR = {"type": "invalid-dataset", "detail": "half of the images are broken"}


@pytest.fixture
def ledger(redis_server: str) -> Iterator[Ledger]:
    with connect(redis_server) as client:
        client.flushall()
        yield Ledger(client, lease_seconds=0.2, max_attempts=3, requeue_seconds=0.2)


class Clock:
    """A clock that is set at will; it begins with a day that nobody's is at."""

    def __init__(self) -> None:
        self.seconds = 1e9

    def __call__(self) -> float:
        return self.seconds

    def jump(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clocked(ledger: Ledger, clock: Clock) -> Ledger:
    return Ledger(ledger._redis, lease_seconds=15, max_attempts=3, requeue_seconds=60, clock=clock)


HOUR = 3600.0
HERE = Worker("here", ("cpu",), 1)


def state(ledger: Ledger, key: str = "a") -> str:
    return ledger.states([key])[0].state


def test_a_chunk_never_heard_of_waits(ledger: Ledger) -> None:
    found = ledger.states(["a"])[0]
    assert (found.state, found.attempts, found.progress, found.error) == ("waiting", 0, None, None)


def test_a_waiting_chunk_is_queued_once(ledger: Ledger) -> None:
    assert ledger.queue(["a", "b"]) == ["a", "b"]
    assert ledger.queue(["a", "c"]) == ["c"]
    assert state(ledger) == "queued"


def test_a_queued_chunk_whose_message_was_lost_is_queued_again(ledger: Ledger) -> None:
    ledger.queue(["a"])
    time.sleep(0.25)
    assert ledger.queue(["a"]) == ["a"]


def test_a_live_lease_turns_a_second_taker_away(ledger: Ledger) -> None:
    assert ledger.lease("a", "first")
    assert not ledger.lease("a", "second")
    assert ledger.queue(["a"]) == []


def test_a_lease_whose_answer_was_lost_is_given_again_at_no_cost(ledger: Ledger) -> None:
    assert ledger.lease("a", "first")
    assert ledger.lease("a", "first")
    assert ledger.states(["a"])[0].attempts == 1


def test_an_expired_lease_is_queued_and_leased_again(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    time.sleep(0.25)
    assert ledger.queue(["a"]) == ["a"]
    assert ledger.lease("a", "second")
    assert not ledger.renew("a", "first")
    assert ledger.states(["a"])[0].attempts == 2


def test_a_renewed_lease_lives_on(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    for _ in range(4):
        time.sleep(0.1)
        assert ledger.renew("a", "first")
    assert ledger.queue(["a"]) == []


def test_done_stays_done(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    ledger.complete("a", "first")
    assert not ledger.lease("a", "second")
    assert ledger.queue(["a"]) == []
    assert state(ledger) == "done"


def test_the_third_failure_parks_with_its_error(ledger: Ledger) -> None:
    states = []
    for attempt in range(3):
        ledger.lease("a", str(attempt))
        ledger.fail("a", str(attempt), ERROR)
        states.append(state(ledger))
    assert states == ["waiting", "waiting", "failed"]
    assert ledger.states(["a"])[0].error == ERROR
    assert not ledger.lease("a", "fourth")


def test_a_chunk_may_lose_twice_as_many_leases_as_attempts_may_fail(ledger: Ledger) -> None:
    for attempt in range(6):
        assert ledger.queue(["a"]) == ["a"]
        ledger.lease("a", str(attempt))
        time.sleep(0.25)
    assert ledger.queue(["a"]) == []
    assert ledger.states(["a"])[0].error == LOST


def test_and_as_many_processes(ledger: Ledger) -> None:
    states = []
    for attempt in range(6):
        assert ledger.lease("a", str(attempt))
        ledger.lose("a", str(attempt))
        states.append(state(ledger))
    assert states == ["waiting"] * 5 + ["failed"]
    assert pause(ledger) <= 16


def test_what_was_lost_and_then_fails_is_not_tried_again(ledger: Ledger) -> None:
    for attempt in range(2):
        ledger.lease("a", str(attempt))
        ledger.lose("a", str(attempt))
    ledger.lease("a", "third")
    ledger.fail("a", "third", ERROR)
    assert (state(ledger), ledger.states(["a"])[0].error) == ("failed", ERROR)


def test_a_failure_that_does_not_count_leaves_all_attempts(ledger: Ledger) -> None:
    for attempt in range(5):
        assert ledger.lease("a", str(attempt))
        ledger.fail("a", str(attempt), ERROR, counted=False)
    assert (state(ledger), ledger.states(["a"])[0].attempts) == ("waiting", 0)


def test_a_retry_waits_its_time(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    ledger.fail("a", "first", ERROR, retry_in=0.2)
    assert ledger.queue(["a"]) == []
    time.sleep(0.25)
    assert ledger.queue(["a"]) == ["a"]


def test_the_pause_before_a_retry_doubles(ledger: Ledger) -> None:
    pauses = []
    for attempt in range(2):
        ledger.lease("a", str(attempt))
        ledger.fail("a", str(attempt), ERROR, retry_in=10)
        pauses.append(pause(ledger))
    assert pauses == pytest.approx([10, 20], abs=1)


def test_so_does_the_pause_of_an_outage_up_to_a_minute(ledger: Ledger) -> None:
    pauses = []
    for attempt in range(5):
        ledger.lease("a", str(attempt))
        ledger.fail("a", str(attempt), ERROR, retry_in=10, counted=False)
        pauses.append(pause(ledger))
    assert pauses == pytest.approx([10, 20, 40, 60, 60], abs=1)


def pause(ledger: Ledger) -> float:
    """Seconds, of Redis's clock, until a chunk may be queued again."""
    client: Any = ledger._redis
    seconds, microseconds = client.time()
    until = float(client.hget("atlas:chunk:a", "until")) / 1000
    return until - float(seconds) - float(microseconds) / 1e6


def test_twenty_workers_lease_each_chunk_once(redis_server: str, ledger: Ledger) -> None:
    keys = [f"chunk-{number}" for number in range(200)]
    ledger.queue(keys)

    def take(worker: int) -> list[str]:
        with connect(redis_server) as client:
            mine = Ledger(client, lease_seconds=60)
            return [key for key in keys if mine.lease(key, f"{worker}-{key}", f"worker-{worker}")]

    with ThreadPoolExecutor(20) as pool:
        taken = [key for part in pool.map(take, range(20)) for key in part]
    assert sorted(taken) == sorted(keys)


def test_a_stale_holder_cannot_fail_the_next_one(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    time.sleep(0.25)
    ledger.lease("a", "second")
    ledger.park("a", "first", ERROR)
    assert state(ledger) == "leased"


def test_reopen_gives_a_parked_chunk_its_attempts_back(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    ledger.park("a", "first", ERROR)
    ledger.reopen(["a", "never-heard-of"])
    assert (state(ledger), ledger.states(["a"])[0].attempts) == ("waiting", 0)


def test_reopen_lets_a_queued_chunk_be_queued_at_once(ledger: Ledger) -> None:
    ledger.queue(["a"])
    ledger.reopen(["a"])
    assert ledger.queue(["a"]) == ["a"]


def test_unqueue_touches_only_what_is_queued(ledger: Ledger) -> None:
    ledger.queue(["a"])
    ledger.lease("b", "token")
    for key in ("a", "b", "never-heard-of"):
        ledger.unqueue(key)
    assert [state(ledger, key) for key in ("a", "b")] == ["waiting", "leased"]
    assert ledger.queue(["a", "b"]) == ["a"]


def test_a_worker_finds_the_leases_that_it_renews(ledger: Ledger) -> None:
    ledger.lease("a", "first", "host:1", 42)
    ledger.lease("b", "second", "host:1", 43)
    held = {token: (one.key, one.pid, one.stage) for token, one in ledger.leases_of("host:1").items()}
    assert held == {"first": ("a", 42, ""), "second": ("b", 43, "")}
    ledger.complete("a", "first", "host:1")
    ledger.lose("b", "second", worker="host:1")
    assert ledger.leases_of("host:1") == {}
    assert (state(ledger, "a"), state(ledger, "b")) == ("done", "waiting")


def test_progress_is_told_while_leased(ledger: Ledger) -> None:
    ledger.lease("a", "first")
    ledger.report("a", 3, 8)
    assert ledger.states(["a"])[0].progress == (3, 8)
    ledger.complete("a", "first")
    assert ledger.states(["a"])[0].progress is None


def test_a_worker_lives_as_long_as_its_last_beat(ledger: Ledger) -> None:
    worker = Worker("host:1", ("cpu", "gpu"), 2)
    ledger.beat(worker, 0.2)
    assert ledger.workers() == [worker]
    time.sleep(0.25)
    assert ledger.workers() == []


def test_cancelled_is_forgotten_at_the_next_attempt(ledger: Ledger) -> None:
    ledger.activate("job")
    ledger.cancel("job")
    assert ledger.cancelled("job")
    assert ledger.active() == []
    ledger.restart("job")
    assert not ledger.cancelled("job")


def test_once_is_true_once(ledger: Ledger) -> None:
    assert [ledger.once("sweep", 5), ledger.once("sweep", 5)] == [True, False]
    ledger.again("sweep")
    assert ledger.once("sweep", 5)


def test_a_clock_put_forward_takes_no_lease_from_a_worker_that_lives(clocked: Ledger, clock: Clock) -> None:
    clocked.beat(HERE, 15)
    clocked.lease("a", "first", "here")
    for _ in range(4):  # a machine that sleeps four times during one chunk
        clock.jump(HOUR)
        assert clocked.queue(["a"]) == []
        assert not clocked.lease("a", "second")
        clocked.beat(HERE, 15)
        assert clocked.queue(["a"]) == []
        assert clocked.renew("a", "first")
    found = clocked.states(["a"])[0]
    assert (found.state, found.attempts) == ("leased", 1)


def test_after_a_jump_the_lease_of_a_worker_that_is_gone_lasts_one_term(clocked: Ledger, clock: Clock) -> None:
    clocked.beat(HERE, 15)
    clocked.lease("a", "first", "gone")
    clock.jump(HOUR)
    for seconds, expected in ((0, []), (14, []), (1, ["a"])):
        clock.jump(seconds)
        clocked.beat(HERE, 15)
        assert clocked.queue(["a"]) == expected


def test_a_clock_put_back_keeps_nothing_waiting_for_longer_than_usual(clocked: Ledger, clock: Clock) -> None:
    clocked.beat(HERE, 15)
    clocked.queue(["message lost"])
    clocked.lease("gone", "token", "gone")
    clocked.lease("failed", "token")
    clocked.fail("failed", "token", ERROR, retry_in=1)
    clock.jump(-HOUR)
    clocked.beat(HERE, 15)
    chunks = ["message lost", "gone", "failed"]
    assert clocked.queue(chunks) == []
    clock.jump(15)
    clocked.beat(HERE, 15)
    assert clocked.queue(chunks) == ["gone"]
    clock.jump(45)
    clocked.beat(HERE, 15)
    assert set(clocked.queue(chunks)) >= {"message lost", "failed"}


def test_a_clock_put_back_revives_no_worker(clocked: Ledger, clock: Clock) -> None:
    gone = Worker("gone", ("gpu",), 1)
    for worker in (HERE, gone):
        clocked.beat(worker, 15)
    clock.jump(-HOUR)
    clocked.beat(HERE, 15)
    assert clocked.workers() == [HERE]


@pytest.mark.parametrize("hours", [1, -1])
def test_what_is_done_once_in_a_while_is_done_again_after_a_jump(clocked: Ledger, clock: Clock, hours: int) -> None:
    assert [clocked.once("rescan", 30), clocked.once("rescan", 30)] == [True, False]
    clock.jump(hours * HOUR)
    assert [clocked.once("rescan", 30), clocked.once("rescan", 30)] == [True, False]


def test_a_redis_that_is_down_is_named_and_never_hangs(free_port: int) -> None:
    began = time.monotonic()
    with connect(f"redis://127.0.0.1:{free_port}/0") as client, pytest.raises(DependencyError, match="Redis cannot"):
        Ledger(client).states(["a"])
    assert time.monotonic() - began < 2
