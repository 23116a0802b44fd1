"""Jobs and chunks under bad conditions: the same manifest as without them."""

from __future__ import annotations

import queue
import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from atlas_core import build, registry, stages
from atlas_core.advance import RUN_CHUNK, TERMINAL, advance, end_job, submit
from atlas_core.ledger import Ledger, Worker
from atlas_core.manifest import manifest_of
from atlas_core.plan import Chunk, Plan
from atlas_core.redis_client import connect
from atlas_core.runtime import Runtime
from atlas_core.settings import Settings
from atlas_core.stages import run_chunk
from atlas_core.store import Store, open_store
from tests.atlas_core.conftest import TinyAtlas, planned, run_all
from tests.faulty_store import FaultyObjects
from workers import runtime as process_runtime, tasks
from workers.app import app
from workers.runtime import Process

HOUR = 3600.0
Run = Callable[[Plan, Chunk, Runtime, Any], None]


def test_two_workers_that_race_on_every_chunk(
    tiny_atlas: TinyAtlas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(tmp_path / "store")
    made = planned(open_store(url), tiny_atlas.model, tiny_atlas.dataset)
    runtimes = [Runtime(open_store(url)) for _ in range(2)]
    for runtime in runtimes:
        runtime.model(made.model.card)  # workers are processes: torch cannot trace in two threads at a time
    both = threading.Barrier(2, timeout=120)
    wrote: list[str] = []
    has_record, put_record = Store.has_record, Store.put_record

    def asked_by_both(self: Store, stage: str, key: str) -> bool:
        found = has_record(self, stage, key)
        both.wait()
        return found

    def counted(self: Store, stage: str, key: str, value: dict[str, Any]) -> None:
        wrote.append(key)
        put_record(self, stage, key, value)

    monkeypatch.setattr(Store, "has_record", asked_by_both)
    monkeypatch.setattr(Store, "put_record", counted)
    with ThreadPoolExecutor(2) as pool:
        for chunk in made.chunks:
            list(pool.map(lambda runtime, chunk=chunk: run_chunk(made, chunk, runtime), runtimes))
    assert sorted(wrote) == sorted([chunk.key for chunk in made.chunks] * 2)
    assert manifest_of(made, runtimes[0].store)["digest"] == tiny_atlas.manifest["digest"]


def test_a_store_that_fails_one_request_in_five(tiny_atlas: TinyAtlas, tmp_path: Path) -> None:
    objects = FaultyObjects(str(tmp_path / "store"), share=0.2, seed=1)
    store = Store(objects)
    made = planned(store, tiny_atlas.model, tiny_atlas.dataset)
    run_all(made, Runtime(store))
    assert objects.failed > 20
    assert manifest_of(made, store)["digest"] == tiny_atlas.manifest["digest"]


class Crew:
    """The workers' own tasks in threads of this process, fed by a queue of this process.

    Args:
        settings: Where the store and Redis are.
        clock: Of the ledger.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] | None = None) -> None:
        self.store = open_store(settings.store_url)
        self.messages: queue.Queue[list[str]] = queue.Queue()
        self._settings = settings
        self._clock = clock
        self._local = threading.local()

    @property
    def process(self) -> Process:
        """This thread's own."""
        if not hasattr(self._local, "process"):
            here = self._local.process = Process(self._settings)
            client = connect(self._settings.redis_url)
            here.ledger = Ledger(client, lease_seconds=self._settings.lease_seconds, clock=self._clock)
        found: Process = self._local.process
        return found

    def enqueue(self, task: str, arguments: list[str], queue: str) -> None:
        if task == RUN_CHUNK:
            self.messages.put(arguments)

    def state(self, plan: Plan) -> str:
        return str(registry.document(self.store, "jobs", plan.id)["state"])

    def work(self, plan: Plan, idle: Callable[[], None] = lambda: None) -> None:
        """Run what is enqueued until the job has ended."""
        for _ in range(3_000):
            if self.state(plan) in TERMINAL:
                return
            try:
                tasks.run_chunk(*self.messages.get(timeout=0.02))
            except queue.Empty:
                idle()
        raise AssertionError(f"the job is still {self.state(plan)}")


@pytest.fixture
def crew(redis_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Crew]:
    with connect(redis_server) as client:
        client.flushall()

    def made(clock: Callable[[], float] | None = None) -> Crew:
        app.finalize()  # Celery makes tasks at their first use, and not for two threads at a time
        found = Crew(Settings(store_url=str(tmp_path / "store"), redis_url=redis_server), clock)
        monkeypatch.setattr(tasks, "process", lambda: found.process)
        monkeypatch.setattr(tasks, "enqueue", found.enqueue)
        return found

    return made


@pytest.fixture
def in_parts(tiny_atlas: TinyAtlas, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of the tiny atlas in many small chunks."""
    monkeypatch.setattr(build, "SHARD_SAMPLES", 30)
    tiny = tiny_atlas.plan
    return build.plan(tiny.spec.model_copy(update={"levels": [3, 40], "allow_sparse": True}), tiny.model, tiny.dataset)


@pytest.mark.parametrize("workers", [2, 20])
def test_workers_share_a_job_and_each_chunk_runs_once(
    in_parts: Plan, crew: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    here, plan = crew(), in_parts
    assert len(plan.chunks) > 20
    ran: Counter[str] = Counter()

    def noted(plan: Plan, chunk: Chunk, runtime: Runtime, on_progress: Any) -> None:
        ran[chunk.key] += 1
        assert all(here.store.has_record(plan.by_key[key].stage, key) for key in chunk.inputs)
        here.store.put_record(chunk.stage, chunk.key, {"info": {"digest": "same"}, "blobs": {}})

    monkeypatch.setattr(stages, "run_chunk", noted)
    submit(plan, None, here.store, here.process.ledger, here.enqueue)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda _: here.work(plan), range(workers)))
    assert here.state(plan) == "succeeded"
    assert ran == Counter(list(plan.by_key))


def test_a_chunk_of_a_job_that_was_cleared_up_is_left_to_others(
    in_parts: Plan, crew: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, plan = crew(), in_parts
    ledger = here.process.ledger

    def cleared_up(plan: Plan, chunk: Chunk, runtime: Runtime, on_progress: Any) -> None:
        here.store.delete_document("jobs", plan.id)

    monkeypatch.setattr(stages, "run_chunk", cleared_up)
    submit(plan, None, here.store, ledger, here.enqueue)
    first, second, *_ = (here.messages.get() for _ in range(here.messages.qsize()))
    tasks.run_chunk(*first)
    assert ledger.states([second[1]])[0].state == "queued"
    tasks.run_chunk(*second)
    assert ledger.states([second[1]])[0].state == "waiting"


def test_a_cancelled_layout_ends_with_its_epoch_and_goes_on_when_asked_again(
    tiny_atlas: TinyAtlas, crew: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_runtime, "REPORT_SECONDS", 0)
    here = crew()
    plan = planned(here.store, tiny_atlas.model, tiny_atlas.dataset)
    ledger = here.process.ledger
    (layout,) = plan.find("layout", step="optimise")
    epochs: list[int] = []

    def cancelled(plan: Plan, chunk: Chunk, runtime: Runtime, on_progress: Callable[[int, int], None]) -> None:
        def told(done: int, total: int) -> None:
            if chunk == layout:
                epochs.append(done)
                if done == 3:
                    end_job(plan.id, here.store, ledger, state="cancelled")
            on_progress(done, total)

        run_chunk(plan, chunk, runtime, told)

    monkeypatch.setattr(stages, "run_chunk", cancelled)
    submit(plan, None, here.store, ledger, here.enqueue)
    here.work(plan)
    assert (here.state(plan), epochs) == ("cancelled", [1, 2, 3])
    assert not here.store.has_record("layout", layout.key)
    assert (ledger.states([layout.key])[0].state, ledger.states([layout.key])[0].attempts) == ("waiting", 0)

    monkeypatch.setattr(stages, "run_chunk", run_chunk)
    submit(plan, None, here.store, ledger, here.enqueue)
    here.work(plan)
    assert here.state(plan) == "succeeded"
    assert manifest_of(plan, here.store)["digest"] == tiny_atlas.manifest["digest"]


def test_a_clock_that_jumps_an_hour_forward_and_back(
    tiny_atlas: TinyAtlas, crew: Callable[..., Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    time, jumps = [1e9], random.Random(4)
    here = crew(lambda: time[0])
    plan = planned(here.store, tiny_atlas.model, tiny_atlas.dataset)
    ledger, worker = here.process.ledger, Worker("here", ("cpu", "gpu"), 1)
    ran: Counter[str] = Counter()
    failed: list[str] = []
    idle: list[int] = []

    def goes(seconds: float) -> None:
        """The clock goes on, or jumps; the worker beats, and sweeps."""
        time[0] += seconds
        ledger.beat(worker, 15)
        advance(plan.id, here.store, ledger, here.enqueue, full=True)

    def jumping(plan: Plan, chunk: Chunk, runtime: Runtime, on_progress: Any) -> None:
        goes(jumps.choice([-HOUR, HOUR]))
        assert ledger.states([chunk.key])[0].state == "leased"
        ran[chunk.key] += 1
        if chunk.stage not in failed:  # so that there are pauses, too, that a clock can prolong
            failed.append(chunk.stage)
            raise RuntimeError(f"the first {chunk.stage} fails")
        run_chunk(plan, chunk, runtime, on_progress)

    def nothing_to_do() -> None:
        idle.append(len(failed))
        goes(-HOUR if idle.count(len(failed)) == 1 else 2)

    monkeypatch.setattr(stages, "run_chunk", jumping)
    ledger.beat(worker, 15)
    submit(plan, None, here.store, ledger, here.enqueue)
    here.work(plan, nothing_to_do)
    assert here.state(plan) == "succeeded"
    assert manifest_of(plan, here.store)["digest"] == tiny_atlas.manifest["digest"]
    assert ran.total() == len(plan.chunks) + len(failed)
    assert max(ran.values()) == 2
    assert max(Counter(idle).values()) <= 40  # of two seconds each: a pause is a minute at most, whatever the clock did
