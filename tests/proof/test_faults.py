"""Issue 3, done when 2: twenty kills at random moments of a job."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from atlas_client.client import Client
from atlas_core.store import open_store
from service.embedded import Embedded, embedded
from tests.proof.conftest import SEED, Report
from tests.service.stack import alive, descendants

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.proof
KILLS = 20
PROCESSES = 2
PAUSE = 4.0
"""Seconds at most from the moment at which a kill is due."""
LAST = 4
"""Chunks of a job after which none is killed, or it might be over."""
SECONDS = 900
# A chunk may lose its process more often here than it may by default: the kills come faster than chunks end.
SETTINGS = {"ATLAS_MAX_ATTEMPTS": str(KILLS + 1), "ATLAS_LEASE_SECONDS": "3", "ATLAS_BEAT_SECONDS": "0.5"}


def test_twenty_kills_leave_the_same_manifest(
    shared: Path, cifar_layer: str, tmp_path: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    cards, moments = shared / "cifar10", random.Random()
    with embedded(tmp_path, processes=PROCESSES) as service, Client(service.url) as client:
        dataset = client.add_dataset(cards / "dataset-test.json")["id"]
        client.wait_ready("datasets", dataset)
        model = client.wait_ready("models", client.add_model(cards / "model.json")["id"])["id"]
        spec = {"model": model, "dataset": dataset, "layers": [cifar_layer], "samples": 5_000, "levels": [4, 8, 12],
                "seed": SEED, "recipe": "fast"}  # fmt: skip
        began = time.monotonic()
        undisturbed = client.wait(client.submit(spec)["id"])
        seconds = time.monotonic() - began

        client.ask("DELETE", f"/v1/atlases/{undisturbed['id']}")
        _wait_until_no_record_is_left(tmp_path)
        began = time.monotonic()
        atlas = client.submit(spec)["id"]
        at_work, killed = _killed(service, client, atlas, moments)
        done = client.wait(atlas)
        report(f"{KILLS} kills", seconds=round(time.monotonic() - began), undisturbed=round(seconds),
               at_work=dict(at_work), killed=dict(killed), digest=done["digest"][:16])  # fmt: skip
        assert done["digest"] == undisturbed["digest"]
        assert done["manifest"]["artifacts"] == undisturbed["manifest"]["artifacts"]


def _wait_until_no_record_is_left(folder: Path) -> None:
    store = open_store(str(folder / "store"))
    deadline = time.monotonic() + SECONDS
    while any(True for _ in store.list_records()):
        assert time.monotonic() < deadline, "the dropped atlas was not cleared up"
        time.sleep(0.5)


def _killed(service: Embedded, client: Client, atlas: str, moments: random.Random) -> tuple[Counter[str], Counter[str]]:
    """Kill a process of the batch worker, or the whole worker, at moments spread over all stages of a job.

    Returns:
        The stages that were at work, and what was killed.
    """
    at_work: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        progress = _reached(client, atlas, number / KILLS)
        time.sleep(moments.uniform(0, PAUSE))
        at_work.update(stage for stage, counts in progress.items() if counts["running"])
        what = "worker" if number % 4 == 3 else "process"
        killed[what] += 1
        while not (victims := _living(service, what)):
            time.sleep(0.05)
        os.kill(moments.choice(victims), signal.SIGKILL)
    return at_work, killed


def _reached(client: Client, atlas: str, share: float) -> dict[str, Any]:
    """Wait until a share of the job's chunks, but for the last few, is done; returns how far its stages are."""
    deadline = time.monotonic() + SECONDS
    while True:
        status = client.status(atlas)
        assert status["state"] in ("queued", "running"), f"the job ended before its last kill: {status['state']}"
        progress: dict[str, Any] = status["progress"]
        done, total = (sum(counts[name] for counts in progress.values()) for name in ("done", "total"))
        if done >= int(share * (total - LAST)):
            return progress
        assert time.monotonic() < deadline, f"the job does not get on: {progress}"
        time.sleep(0.2)


def _living(service: Embedded, what: str) -> list[int]:
    """The batch worker, or its processes; none while it is started again."""
    worker = service.children.pid("worker-batch")
    if not alive(worker):
        return []
    return [worker] if what == "worker" else [pid for pid in descendants(worker) if alive(pid)]
