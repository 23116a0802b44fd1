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
from tests.proof.conftest import SEED, Report
from tests.service.stack import BATCH, OwnRedis, Stack, running_stack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.proof
KILLS = 20
SECONDS = 900
# A chunk may lose its process more often here than it may by default: the kills come faster than chunks end.
SETTINGS = {"ATLAS_MAX_ATTEMPTS": str(KILLS + 1), "ATLAS_LEASE_SECONDS": "3"}


def test_twenty_kills_leave_the_same_manifest(shared: Path, cifar_layer: str, tmp_path: Path, report: Report) -> None:
    cards, moments = shared / "cifar10", random.Random()
    with (
        OwnRedis(tmp_path) as server,
        running_stack(tmp_path, server.url, **SETTINGS) as stack,
        Client(stack.url) as client,
    ):
        dataset = client.add_dataset(cards / "dataset-test.json")["id"]
        client.wait_ready("datasets", dataset)
        model = client.wait_ready("models", client.add_model(cards / "model.json")["id"])["id"]
        spec = {"model": model, "dataset": dataset, "layers": [cifar_layer], "samples": 5_000, "levels": [10, 20],
                "seed": SEED, "recipe": "fast"}  # fmt: skip
        undisturbed, seconds = _made(stack, client, spec)

        client.ask("DELETE", f"/v1/atlases/{undisturbed['id']}")
        _wait_until_nothing_is_left(stack)
        began = time.monotonic()
        atlas = client.submit(spec)["id"]
        killed: Counter[str] = Counter()
        for number in range(KILLS):
            time.sleep(moments.uniform(0.5, 1.5) * seconds / KILLS)
            status = client.status(atlas)
            assert status["state"] in ("queued", "running"), f"the job ended after {number} kills"
            killed.update({stage: 1 for stage, counts in status["progress"].items() if counts["running"]})
            _kill(stack, moments, parent=number % 4 == 3)
        done = stack.wait(client, atlas, SECONDS)
        report(f"{KILLS} kills", seconds=round(time.monotonic() - began), undisturbed=round(seconds),
               at_work=dict(killed), digest=done["digest"][:16])  # fmt: skip
        assert (done["state"], done["digest"]) == ("succeeded", undisturbed["digest"])
        assert done["manifest"]["artifacts"] == undisturbed["manifest"]["artifacts"]


def _made(stack: Stack, client: Client, spec: dict[str, Any]) -> tuple[dict[str, Any], float]:
    began = time.monotonic()
    done = stack.wait(client, client.submit(spec)["id"], SECONDS)
    assert done["state"] == "succeeded", done["error"]
    return done, time.monotonic() - began


def _wait_until_nothing_is_left(stack: Stack) -> None:
    deadline = time.monotonic() + SECONDS
    while any(True for _ in stack.store.list_records()):
        assert time.monotonic() < deadline, "the dropped atlas was not cleared up"
        time.sleep(0.5)


def _kill(stack: Stack, moments: random.Random, *, parent: bool) -> None:
    """Kill the batch worker with its processes, and start another; or one of its processes."""
    if parent:
        stack.kill("batch")
        stack.worker(*BATCH)
        return
    while not (children := stack.children("batch")):
        time.sleep(0.05)
    os.kill(moments.choice(children), signal.SIGKILL)
