from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atlas_core.errors import AtlasError, CancelledError, DatasetError, DependencyError
from atlas_core.redis_client import connect
from atlas_core.settings import Settings
from service.embedded import redis_binary
from workers import runtime
from workers.runtime import OnProgress, Process


@pytest.fixture
def here(redis_server: str, tmp_path: Path) -> Process:
    with connect(redis_server) as client:
        client.flushall()
    return Process(Settings(store_url=str(tmp_path), redis_url=redis_server))


def raising(error: BaseException) -> Callable[[OnProgress], None]:
    def work(_: OnProgress) -> None:
        raise error

    return work


def ended(here: Process, error: BaseException) -> tuple[str, int, dict[str, str] | None]:
    assert here.under_lease("a", raising(error), stage="render")
    found = here.ledger.states(["a"])[0]
    return found.state, found.attempts, found.error


def test_work_that_ends_is_done_and_not_done_again(here: Process) -> None:
    done: list[int] = []
    assert here.under_lease("a", lambda _: done.append(1), stage="render")
    assert not here.under_lease("a", lambda _: done.append(2), stage="render")
    assert (here.ledger.states(["a"])[0].state, done) == ("done", [1])


def test_bad_input_is_parked_at_once(here: Process) -> None:
    error = {"type": "invalid-dataset", "detail": "it is empty"}
    assert ended(here, DatasetError("it is empty")) == ("failed", 1, error)


def test_a_dependency_that_is_down_costs_no_attempt(here: Process) -> None:
    assert ended(here, DependencyError("the store is down")) == ("waiting", 0, None)


def test_other_failures_are_tried_three_times_and_tell_no_secrets(here: Process) -> None:
    assert ended(here, RuntimeError("/home/me/secret"))[:2] == ("waiting", 1)
    assert ended(here, AtlasError("the record is gone"))[:2] == ("waiting", 2)
    state, attempts, error = ended(here, RuntimeError("/home/me/secret"))
    assert (state, attempts) == ("failed", 3)
    assert error == {"type": "internal", "detail": "it failed unexpectedly (RuntimeError); the worker's log says more"}


def test_a_cancelled_job_stops_its_chunk_and_costs_no_attempt(here: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "REPORT_SECONDS", 0)
    reached: list[int] = []

    def work(on_progress: OnProgress) -> None:
        for step in range(5):
            on_progress(step, 5)
            reached.append(step)
            here.ledger.cancel("job")

    assert here.under_lease("a", work, "job", stage="render")
    assert reached == [0]
    assert (here.ledger.states(["a"])[0].state, here.ledger.states(["a"])[0].attempts) == ("waiting", 0)


def test_a_worker_that_stops_gives_its_chunk_back(here: Process) -> None:
    with pytest.raises(SystemExit):
        here.under_lease("a", raising(SystemExit()), stage="render")
    assert (here.ledger.states(["a"])[0].state, here.ledger.states(["a"])[0].attempts) == ("waiting", 0)


def test_cancelled_work_is_released(here: Process) -> None:
    assert ended(here, CancelledError("it was cancelled")) == ("waiting", 0, None)


class Redis:
    """A Redis that keeps its data over a restart, on the same port."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"redis://127.0.0.1:{port}/0"
        self._command = [redis_binary(), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "",
                         "--appendonly", "yes", "--logfile", str(folder / "log")]  # fmt: skip
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def restarted(tmp_path: Path, free_port: int) -> Iterator[Redis]:
    server = Redis(tmp_path, free_port)
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("error", "expected"),
    [(None, "done"), (DatasetError("it is empty"), "failed"), (CancelledError("stop"), "waiting")],
)
def test_the_closing_mark_outlasts_an_outage_of_redis(
    restarted: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None, expected: str
) -> None:
    monkeypatch.setattr(runtime, "MARK_RETRY_SECONDS", 0.1)
    here = Process(Settings(store_url=str(tmp_path / "store"), redis_url=restarted.url))
    again = threading.Timer(1, restarted.start)

    def work(_: OnProgress) -> None:
        assert here.ledger.states(["a"])[0].state == "leased"
        restarted.stop()
        again.start()
        if error is not None:
            raise error

    assert here.under_lease("a", work, stage="render")
    again.join()
    assert here.ledger.states(["a"])[0].state == expected
    assert here.ledger.leases_of("") == {}
