"""A service as `atlas up` starts it, asked by 1, 8 and 32 clients, and the forward pass by itself, in one run.

Clients, API, Redis and worker share the machine's cores, and all of them count: the load generator sends real HTTP
requests from a process of its own. Every image is projected anew (`Cache-Control: no-cache`). The bare forward pass
is the same network up to its logits on ready pixels, one image at a time on one thread, before the clients and after
them; batched, 32 at a time. Processor milliseconds a request say where the time goes, also on a busy machine: "by CPU"
is what all cores would answer a second if none was ever idle or lent to others, over what the bare pass would on one.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import numpy as np

import service.embedded
from atlas_client.client import Client
from benchmarks.processes import children
from service.embedded import Embedded, embedded

CLIENTS = (1, 8, 32)
SAMPLES, SEED = 20_000, 7
BATCH = 32
IMAGES = 64
TICK = os.sysconf("SC_CLK_TCK")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="projection.py serving", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("layer")
    parser.add_argument("--data", type=Path, help="folder of the service, kept for the next run; else a temporary one")
    parser.add_argument("--seconds", type=float, default=15, help="of each number of clients")
    parser.add_argument("--gpu", action="store_true", help="project on a GPU, in a worker that has the card to itself")
    options = parser.parse_args(arguments)
    one = _projecting_on_the_card() if options.gpu else nullcontext()
    device = "cuda" if options.gpu else "cpu"
    with one, _folder(options.data) as folder, embedded(folder, processes=1) as up, Client(up.url) as client:
        atlas = _atlas(client, options.model, options.dataset, options.layer)
        images = _images(options.dataset)
        before = _forward(folder, atlas, images, device)
        _load(up, atlas, images, 8, 3.0)  # loads the model and the index
        rows = [_load(up, atlas, images, count, options.seconds) for count in CLIENTS]
        hot = _load(up, atlas, images, 1, 3.0, headers={})
        after = _forward(folder, atlas, images, device)
    print(_table(before, rows, hot, after))
    return 0


@contextmanager
def _projecting_on_the_card() -> Iterator[None]:
    """Have one worker take the queues of projections and of the GPU, which `atlas up` gives to two."""
    started = service.embedded._worker_command
    with (
        patch.object(service.embedded, "_batch_workers", lambda _, processes: [("batch", "cpu", processes)]),
        patch.object(service.embedded, "_worker_command", lambda name, queues, processes: started(
            name, "interactive,gpu" if queues == "interactive" else queues, processes)),
    ):  # fmt: skip
        yield


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _atlas(client: Client, model: Path, dataset: Path, layer: str) -> str:
    data = client.add_dataset(dataset)["id"]
    network = client.add_model(model)["id"]
    client.wait_ready("datasets", data)
    client.wait_ready("models", network)
    spec = {"model": network, "dataset": data, "layers": [layer], "samples": SAMPLES, "levels": [10, 20],
            "recipe": "none", "attribution": "none", "seed": SEED}  # fmt: skip
    return str(client.wait(client.submit(spec)["id"])["id"])


def _images(dataset: Path) -> list[bytes]:
    """Pictures of the dataset, the first of every few."""
    source = dataset.parent / json.loads(dataset.read_text())["source"]
    with zipfile.ZipFile(source) as archive:
        names = sorted(name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png")))
        return [archive.read(name) for name in names[:: max(1, len(names) // IMAGES)][:IMAGES]]


# The forward pass, in a process of its own


@dataclass(frozen=True)
class Forward:
    """Milliseconds of a pass of one image and of a processor for it, and images a second, alone and in batches."""

    milliseconds: float
    cpu: float
    alone: float
    batched: float


def _forward(folder: Path, atlas: str, images: Sequence[bytes], device: str) -> Forward:
    with tempfile.TemporaryDirectory() as place:
        for number, image in enumerate(images):
            (Path(place) / f"{number:03d}").write_bytes(image)
        command = [sys.executable, "-m", "benchmarks.projecting.serving", str(folder / "store"), atlas, place, device]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment,
                              cwd=Path(__file__).resolve().parents[2]).stdout  # fmt: skip
    return Forward(**json.loads(said))


def measure_forward(store: str, atlas: str, place: str, device: str) -> dict[str, float]:
    """What `Forward` holds, of the network alone: pictures are decoded before."""
    import torch

    from atlas_core.models.preprocessing import read_pixels, to_unit
    from atlas_core.registry import plan_of
    from atlas_core.runtime import Runtime
    from atlas_core.store import open_store

    torch.set_num_threads(1)
    opened = open_store(store)
    plan = plan_of(opened, atlas)
    model = Runtime(opened, device=device).model(plan.model.card)
    pixels = [
        to_unit(read_pixels(path.read_bytes(), plan.model.card.input)[None]) for path in sorted(Path(place).iterdir())
    ]

    def seconds(batches: list[Any]) -> list[float]:
        model.activations(batches[0], plan.spec.layers, logits=True)
        spent = []
        for batch in batches:
            began = time.perf_counter()
            model.activations(batch, plan.spec.layers, logits=True)
            spent.append(time.perf_counter() - began)
        return spent

    began = time.process_time()
    alone = seconds(pixels)
    cpu = 1e3 * (time.process_time() - began) / (len(pixels) + 1)
    batched = seconds([np.concatenate(pixels[:BATCH])] * 4)
    return {
        "milliseconds": 1e3 * statistics.median(alone), "cpu": cpu, "alone": len(alone) / sum(alone),
        "batched": BATCH * len(batched) / sum(batched),
    }  # fmt: skip


# The service under load


@dataclass(frozen=True)
class Row:
    """What so many clients saw: seconds of each request, statuses, and processor seconds by part."""

    clients: int
    seconds: list[float]
    statuses: dict[int, int]
    wall: float
    spent: dict[str, float]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.statuses.get(200, 0) / self.wall


FRESH = {"cache-control": "no-cache"}


def _load(
    service: Embedded, atlas: str, images: Sequence[bytes], clients: int, seconds: float,
    headers: dict[str, str] = FRESH,
) -> Row:  # fmt: skip
    place = urlsplit(service.url)
    path, headers = f"/v1/atlases/{atlas}/projections", {"content-type": "image/jpeg", **headers}
    lock, spent, statuses = threading.Lock(), list[float](), dict[int, int]()
    deadline = time.perf_counter() + seconds

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
        turn = number * 7
        while time.perf_counter() < deadline:
            began = time.perf_counter()
            connection.request("POST", path, images[turn % len(images)], headers)
            answer = connection.getresponse()
            answer.read()
            took, turn = time.perf_counter() - began, turn + 1
            with lock:
                spent.append(took)
                statuses[answer.status] = statuses.get(answer.status, 0) + 1
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    before, began = _processors(service), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall, after = time.perf_counter() - began, _processors(service)
    return Row(clients, sorted(spent), statuses, wall, {name: after[name] - before[name] for name in after})


def _processors(service: Embedded) -> dict[str, float]:
    """Processor seconds so far, of the parts and of the clients."""
    pids = {name: service.children.pid(name) for name in ("api", "redis", "worker-interactive")}
    parts = {name: sum(map(_seconds_of, [pid, *children(pid)])) for name, pid in pids.items()}
    return {**parts, "clients": time.process_time()}


def _seconds_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK  # user and system time


# The table


def _at(values: Sequence[float], share: float) -> float:
    return 1e3 * values[min(len(values) - 1, int(share * len(values)))]


def _table(before: Forward, rows: Sequence[Row], hot: Row, after: Forward) -> str:
    alone = (before.alone + after.alone) / 2
    forward, cpu = (before.milliseconds + after.milliseconds) / 2, (before.cpu + after.cpu) / 2
    cores = len(os.sched_getaffinity(0))
    parts = list(rows[0].spent)
    heads = ["clients", "p50 ms", "over the pass", "p95", "p99", "longest", "a second", "of the pass's", "by CPU",
             "requests, not 200", *(f"{part} CPU ms" for part in parts)]  # fmt: skip
    lines = [
        f"Bare forward pass, one thread: {before.milliseconds:.1f} ms before and {after.milliseconds:.1f} ms after, "
        f"{cpu:.1f} ms of a processor, {before.alone:.1f} and {after.alone:.1f} a second; in batches of {BATCH}, "
        f"{before.batched:.1f} and {after.batched:.1f} a second. {cores} cores.",
        "",
        f"| {' | '.join(heads)} |",
        "| ---: " * len(heads) + "|",
    ]
    for name, row in [*((str(row.clients), row) for row in rows), ("1, kept answers", hot)]:
        count = len(row.seconds)
        bad = count - row.statuses.get(200, 0)
        cells = [name, f"{_at(row.seconds, 0.5):.0f}", f"{_at(row.seconds, 0.5) - forward:+.0f}"]
        cells += [f"{_at(row.seconds, share):.0f}" for share in (0.95, 0.99, 1.0)]
        by_cpu = cores * cpu / (1e3 * sum(row.spent.values()) / count)
        cells += [f"{row.rate:.1f}", f"{row.rate / alone:.2f}", f"{by_cpu:.2f}", f"{count}, {bad}"]
        cells += [f"{1e3 * row.spent[part] / count:.1f}" for part in parts]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(json.dumps(measure_forward(*sys.argv[1:])))
