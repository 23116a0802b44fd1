"""A million samples: CPU seconds and peak memory of every stage but the icons, and how they grow with the samples.

Runs the chunks of real plans as `atlas build` does, one process at a time and a fresh one for every stage:

- the last layer with 9 points of each image: of a ninth of the images and of all of them;
- the first layer with 106 points of each image: of a tenth of the images and of all of them, a million samples;
- a made layer of a million samples: layout, cells and index alone. Its samples are the last layer's, each repeated with
  noise, of the image that the original came from; no network has given them.

With --full-fit the made layer is also laid out whole, without landmarks, and both layouts are measured on the same
samples. CPU seconds are those of the chunks, all threads, once libraries and model are loaded; peaks those of the whole
process, libraries included. What is measured is kept in the folder, so that a broken-off run goes on; a new
measurement needs a new folder.

    python benchmarks/scale.py MODEL_CARD DATASET_CARD FIRST_LAYER LAST_LAYER [--folder FOLDER] [--full-fit]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import registry, tables
from atlas_core.build import plan
from atlas_core.projection import ProjectionIndex
from atlas_core.registration import register_cards
from atlas_core.run import processes
from atlas_core.runtime import Runtime
from atlas_core.spec import parse_spec
from atlas_core.stages import run_chunk
from atlas_core.store import open_store

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan

POINTS_LAST, POINTS_FIRST = 9, 106
"""Points of an image: all that a layer of 8 x 8 takes, and what gives 100 different positions of 32 x 32."""
LEVELS = [20, 40, 80, 160]
NOISE = 0.2
"""Of the made samples, in standard deviations of the channel."""
QUERIES = 1000
POSITIONS = 200
SUBSET = 100_000
STAGES = ("collect", "attribute", "layout neighbours", "layout optimise", "layout place", "layout join", "cells",
          "cells classes", "publish index")  # fmt: skip
Measured = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One atlas to measure: a layer with so many points of so many images."""

    name: str
    layer: str
    images: int
    points: int
    attribution: str
    made: bool = False


class Notes:
    """What was measured, kept as JSON."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.values: dict[str, Measured] = json.loads(path.read_text()) if path.exists() else {}

    def get(self, name: str, measure: Callable[[], Measured]) -> Measured:
        if name not in self.values:
            print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
            self.values[name] = measure()
            self._path.write_text(json.dumps(self.values, indent=1))
        return self.values[name]


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell a process's peak memory")


@lru_cache(maxsize=1)
def runtime_of(store: str) -> Runtime:
    """The process's runtime; loads what stages need, which is no part of any of them."""
    from atlas_core.stages import comparable, landmarks, maps, pictures, vectors  # noqa: F401

    return Runtime(open_store(store))


def run_one(planned: Plan, chunk: Chunk, store: str) -> tuple[float, float]:
    """Run a chunk in a process of the pool: its CPU seconds, and the process's peak in MiB."""
    runtime = runtime_of(store)
    if chunk.stage in ("collect", "attribute"):
        runtime.model(planned.model.card)  # stays loaded
    began = time.process_time()
    run_chunk(planned, chunk, runtime)
    return time.process_time() - began, peak_mib()


def run_stage(planned: Plan, chunks: list[Chunk], store: Path) -> Measured:
    """Run chunks one after the other in a fresh process."""
    began = time.monotonic()
    with processes(store, 1) as pool:
        found = [pool.submit(run_one, planned, chunk, str(store)).result() for chunk in chunks]
    return {
        "cpu_seconds": sum(cpu for cpu, _ in found),
        "longest": max(cpu for cpu, _ in found),
        "seconds": time.monotonic() - began,
        "peak_mib": max(peak for _, peak in found),
        "chunks": len(found),
        "load": os.getloadavg()[0],
    }


def chunks_of(planned: Plan, stage: str) -> list[Chunk]:
    name, _, step = stage.partition(" ")
    return planned.find(name, step=step or None)


def planned_for(case: Case, store: Path, model: Path, dataset: Path) -> Plan:
    """The plan of a case; that of a made one believes that the layer has room for all the points."""
    opened = open_store(str(store))
    model_id, dataset_id = register_cards(opened, model, dataset)
    facts, listed = registry.model_facts(opened, model_id), registry.dataset_facts(opened, dataset_id)
    if case.made:
        side = 2 + 2 * math.ceil(math.sqrt(case.points))
        layer = facts.layer(case.layer)
        facts = facts.model_copy(update={"layers": [layer.model_copy(update={"shape": (layer.shape[0], side, side)})]})
    images = min(case.images, listed.images)
    spec = parse_spec({
        "model": model_id, "dataset": dataset_id, "layers": [case.layer], "samples": images * case.points, "seed": 0,
        "images": None if images == listed.images else images, "levels": LEVELS, "allow_sparse": True,
        "attribution": case.attribution,
    })  # fmt: skip
    return plan(spec, facts, listed)


def layer_shards(planned: Plan, store: Path) -> Iterator[tables.Table]:
    """Collected samples, shard by shard."""
    opened = open_store(str(store))
    for chunk in planned.find("collect"):
        record = opened.get_record("collect", chunk.key) or {}
        yield tables.unpack(opened.get_blob(record["blobs"][f"layer {planned.spec.layers[0]}"]))


def column(planned: Plan, store: Path, *names: str) -> tables.Table:
    return tables.concatenate([{name: shard[name] for name in names} for shard in layer_shards(planned, store)])


def make_samples(source: Plan, source_store: Path, wide: Plan, store: Path, copies: int) -> Measured:
    """Write the wide plan's collected shards: each sample of the source so often, with noise but for the first."""
    samples = tables.concatenate(list(layer_shards(source, source_store)))
    spread = samples["activations"].astype(np.float32).std(axis=0) * NOISE
    opened = open_store(str(store))
    layer = wide.spec.layers[0]
    points = int(samples["point"].max()) + 1
    total = 0
    for number, chunk in enumerate(wide.find("collect")):
        first, last = np.searchsorted(samples["image"], [chunk.parameters["start"], chunk.parameters["stop"]])
        rows = np.repeat(np.arange(first, last), copies)
        copy = np.tile(np.arange(copies), last - first)
        rng = np.random.Generator(np.random.Philox(number))
        noise = rng.normal(size=(len(rows), len(spread))).astype(np.float32) * spread * (copy > 0)[:, None]
        made = {name: values[rows] for name, values in samples.items()}
        made["activations"] = np.maximum(made["activations"] + noise, 0).astype(np.float16)
        made["point"] = (made["point"] + points * copy).astype(made["point"].dtype)
        record = {"stage": "collect", "parameters": chunk.parameters, "inputs": [], "cost": {},
                  "blobs": {f"layer {layer}": opened.put_blob(tables.pack(made))},
                  "info": {"images": chunk.parameters["stop"] - chunk.parameters["start"], "skipped": []}}  # fmt: skip
        opened.put_record("collect", chunk.key, record)
        total += len(rows)
    return {"samples": total}


def full_fit(planned: Plan, store: Path, folder: Path) -> Measured:
    """Lay all samples out, without landmarks."""
    from atlas_core.layout.graph import graph
    from atlas_core.layout.neighbours import neighbours
    from atlas_core.layout.optimise import optimise
    from atlas_core.layout.plane import start_points

    samples = column(planned, store, "activations", "image")
    began = time.process_time()
    found = neighbours(samples["activations"], samples["image"], planned.spec.layout.neighbours)
    searched = time.process_time() - began
    points = optimise(graph(found), start_points(samples["activations"]), epochs=planned.spec.layout.epochs,
                      min_dist=planned.spec.layout.minimum_distance)  # fmt: skip
    np.save(folder / "full-fit.npy", points)
    cpu = time.process_time() - began
    return {"cpu_seconds": cpu, "neighbours": searched, "peak_mib": peak_mib(), "samples": len(points)}


def trust(planned: Plan, store: Path, folder: Path) -> Measured:
    """Trustworthiness of the landmarks' layout and of the full fit, on the same samples and queries."""
    from atlas_core.layout.quality import quality

    opened = open_store(str(store))
    record = opened.get_record("layout", planned.layout_of(planned.spec.layers[0]).key) or {}
    layouts = {"landmarks": tables.unpack(opened.get_blob(record["blobs"]["layout"]))["layout"]}
    if (folder / "full-fit.npy").exists():
        layouts["full fit"] = np.load(folder / "full-fit.npy")
    samples = column(planned, store, "activations", "image")
    found: Measured = {}
    for name, layout in layouts.items():
        each = []
        for seed in range(2):
            rng = np.random.Generator(np.random.Philox(seed))
            rows = np.sort(rng.permutation(len(layout))[:SUBSET])
            measured = quality(samples["activations"][rows], layout[rows], samples["image"][rows], seed=seed,
                               queries=QUERIES)  # fmt: skip
            each.append(round(measured.trustworthiness, 4))
        found[name] = each
    return found


def placement(planned: Plan, store: Path) -> Measured:
    """Positions on the index: CPU milliseconds of one, and how many of its neighbours are those of a full search."""
    opened = open_store(str(store))
    (chunk,) = planned.find("publish", step="index")
    with opened.open_blob((opened.get_record("publish", chunk.key) or {})["blobs"]["index"]) as file:
        index = ProjectionIndex.from_tables(tables.open_table(file))
    rng = np.random.Generator(np.random.Philox(1))
    queries = index.activations[np.sort(rng.permutation(len(index.images))[:POSITIONS])].astype(np.float32)
    found: Measured = {"lists": 0 if index.lists is None else len(index.lists.centres)}
    neighbours = []
    for name, one in (("", index), (" compared with all", replace(index, lists=None))):
        one.place(queries[:2])
        began = time.process_time()
        neighbours.append(one.place(queries).neighbours)
        found[f"milliseconds a position{name}"] = round(1000 * (time.process_time() - began) / len(queries), 2)
    found["recall"] = float(np.mean([np.isin(a, b).mean() for a, b in zip(*neighbours, strict=True)]))
    return found


def measure_case(notes: Notes, case: Case, planned: Plan, store: Path) -> None:
    """Every stage of a case that its plan has and that is still to be done."""
    for stage in STAGES:
        chunks = chunks_of(planned, stage)
        if chunks and not (case.made and stage == "collect"):
            notes.get(f"{case.name}: {stage}", partial(run_stage, planned, chunks, store))
    notes.get(f"{case.name}: samples", partial(counts, planned, store))


def counts(planned: Plan, store: Path) -> Measured:
    """Samples, and cells of each level."""
    info = (open_store(str(store)).get_record("cells", planned.cells_of(planned.spec.layers[0]).key) or {})["info"]
    return {"samples": info["samples"], "cells": {side: level["cells"] for side, level in info["levels"].items()}}


def report(notes: Notes, groups: list[list[Case]]) -> None:
    """Print a table; exponents are between a case and the one before it in its group."""
    print("| | samples | stage | chunks | CPU s | longest chunk | peak, MiB | exponent |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for before, case in ((before, case) for group in groups for before, case in pairwise([None, *group])):
        if case is None:
            continue
        n = notes.values[f"{case.name}: samples"]["samples"]
        total = 0.0
        for stage in STAGES:
            found = notes.values.get(f"{case.name}: {stage}")
            if found is None:
                continue
            total += found["cpu_seconds"]
            earlier = notes.values.get(f"{before.name}: {stage}") if before else None
            exponent = ""
            if before and earlier:
                grown = n / notes.values[f"{before.name}: samples"]["samples"]
                exponent = f"{math.log(found['cpu_seconds'] / earlier['cpu_seconds']) / math.log(grown):.2f}"
            print(f"| {case.name} | {n:,} | {stage} | {found['chunks']} | {found['cpu_seconds']:.1f} | "
                  f"{found['longest']:.1f} | {found['peak_mib']:.0f} | {exponent} |")  # fmt: skip
        print(f"| {case.name} | {n:,} | all | | **{total:.1f}** | | | |")
    for name in ("made: placement", "made: full fit", "made: trustworthiness"):
        if name in notes.values:
            print(f"\n{name}: {json.dumps(notes.values[name])}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("first")
    parser.add_argument("last")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--full-fit", action="store_true")
    parser.add_argument("--attribution", default="none", help="of the million of the first layer: none, or auto")
    if len(sys.argv) == 1:
        print(f"Needs a model, a dataset and two layers; nothing measured.\n\n{__doc__}")
        return 0
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        measure(arguments, arguments.folder or Path(scratch))
    return 0


def measure(arguments: argparse.Namespace, folder: Path) -> None:
    """Measure every case and print what was found."""
    folder.mkdir(parents=True, exist_ok=True)
    notes = Notes(folder / "measured.json")
    images = arguments.images
    last = [Case("last, a ninth", arguments.last, images // 9 + 1, POINTS_LAST, "auto"),
            Case("last", arguments.last, images, POINTS_LAST, "auto")]  # fmt: skip
    first = [Case("first, a tenth", arguments.first, images // 10, POINTS_FIRST, "auto"),
             Case("first", arguments.first, images, POINTS_FIRST, arguments.attribution)]  # fmt: skip

    def plans(case: Case) -> tuple[Plan, Path]:
        store = folder / case.name.replace(", ", "-").replace(" ", "-")
        return planned_for(case, store, arguments.model, arguments.dataset), store

    for case in last:
        measure_case(notes, case, *plans(case))
    copies = -(-100 * images // notes.values["last: samples"]["samples"])
    made = Case("made", arguments.last, images, POINTS_LAST * copies, "none", made=True)
    planned, store = plans(made)
    notes.get("made: written", lambda: make_samples(*plans(last[1]), planned, store, copies))
    measure_case(notes, made, planned, store)
    notes.get("made: placement", lambda: alone(placement, planned, store))
    for case in first:
        measure_case(notes, case, *plans(case))
    if arguments.full_fit:
        notes.get("made: full fit", lambda: alone(full_fit, planned, store, folder))
    notes.get("made: trustworthiness", lambda: alone(trust, planned, store, folder))
    report(notes, [last, [made], first])


def alone(work: Callable[..., Measured], *arguments: Any) -> Measured:
    """Do something in a process of its own, with one thread."""
    with processes(arguments[1], 1) as pool:
        return pool.submit(work, *arguments).result()


if __name__ == "__main__":
    sys.exit(main())
