"""What the engine costs beside the work: milliseconds to move a job on after a chunk, on a plan of 5,000 chunks.

Starts a Redis of its own. Nothing is computed: chunks are marked as done one after another, at the start of the job,
in the middle of its attributions, and among its tiles.
"""

from __future__ import annotations

import argparse
import inspect
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis

from atlas_core import registry
from atlas_core.advance import CPU, GPU, advance, plan_of_attempt, submit
from atlas_core.build import plan
from atlas_core.cards import InputCard, LayerInfo, ModelCard
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect
from atlas_core.spec import parse_spec
from atlas_core.store import Store, open_store
from service.embedded import free_port, redis_binary

if TYPE_CHECKING:
    from atlas_core.plan import Plan

PROCESSES = 8
LAYERS = ["block3", "block4"]
POINTS = {"collecting": ("collect", 40), "attributing": ("attribute", 700), "rendering": ("render", 300)}


def big_plan() -> Plan:
    """A million samples of two layers of 113,000 photographs, levels of 20 to 160 cells a side."""
    shape = InputCard(channels=3, height=224, width=224, mean=[0, 0, 0], std=[1, 1, 1])
    card = ModelCard(name="m", format="torchvision", architecture="a", weights="sha256:" + "0" * 64, input=shape)
    layers = [LayerInfo(name=name, shape=(512, 14, 14)) for name in LAYERS]
    model = ModelFacts(id="m", card=card, layers=layers, classes=1000)
    dataset = DatasetFacts(id="d", digest="0", name="d", listing="0" * 64, images=113_000, classes=None)
    asked = {"model": "m", "dataset": "d", "layers": LAYERS, "samples": 1_000_000, "levels": [20, 40, 80, 160]}
    return plan(parse_spec(asked), model, dataset)


@contextmanager
def own_redis() -> Iterator[str]:
    """The URL of a Redis that ends with the block."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while True:
                try:
                    redis.Redis(port=port).ping()
                    break
                except redis.ConnectionError:
                    time.sleep(0.05)
            try:
                yield f"redis://127.0.0.1:{port}/0"
            finally:
                process.terminate()


def milliseconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Median time of a call."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return round(1000 * statistics.median(taken), 2)


def moved_on(job: Plan, stage: str, before: int, store: Store, ledger: Ledger, steps: int) -> float:
    """Median time to move the job on, with the chunks before some place of a stage done."""
    chunks = [chunk.key for chunk in job.chunks]
    first = job.find(stage)[before].key
    rest = [chunk.key for chunk in job.find(stage)[before:]]
    ledger.restart(job.id)
    earlier = set(chunks[: chunks.index(first)]) - set(rest)
    ledger.mark_done(sorted(earlier))
    ledger.set_primed(job.id)
    queued: list[str] = []

    def enqueue(task: str, arguments: list[str], queue: str) -> None:
        del task, queue
        queued.append(arguments[1])

    advance(job.id, store, ledger, enqueue)
    takes_finished = "finished" in inspect.signature(advance).parameters
    taken = []
    for _ in range(steps):
        key = queued.pop(0)
        ledger.lease(key, "t")
        ledger.complete(key, "t")
        extra: dict[str, Any] = {"finished": key} if takes_finished else {}
        began = time.perf_counter()
        advance(job.id, store, ledger, enqueue, **extra)
        taken.append(time.perf_counter() - began)
    return round(1000 * statistics.median(taken), 2)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=50)
    steps = parser.parse_args().steps
    with own_redis() as url, tempfile.TemporaryDirectory() as folder, connect(url) as client:
        store, ledger, job = open_store(str(Path(folder) / "store")), Ledger(client), big_plan()
        ledger.beat(Worker("w", (CPU, GPU), PROCESSES), 3600)
        rows: dict[str, float] = {"chunks": len(job.chunks)}
        rows["submit, ms"] = milliseconds(lambda: submit(job, None, store, ledger, lambda *_: None))
        for name, (stage, before) in POINTS.items():
            rows[f"advance while {name}, ms"] = moved_on(job, stage, before, store, ledger, steps)
        rows["the job's document, ms"] = milliseconds(lambda: registry.document(store, "jobs", job.id), 20)
        rows["parse the plan, once a process, ms"] = milliseconds(lambda: registry.plan_of(store, job.id), 3)
        plan_of_attempt(store, job.id, 1)
        rows["the plan again, ms"] = milliseconds(lambda: plan_of_attempt(store, job.id, 1), 20)
        for name, value in rows.items():
            sys.stdout.write(f"| {name} | {value:,g} |\n")


if __name__ == "__main__":
    main()
