"""Placing positions on a map, beside umap.transform, in one run: seconds, errors, and what company does to an answer.

Both place on the same map. umap-learn lays out all samples of a layer; then a twentieth of the images is held out, and
each method places their samples among the others' points, which it is given. A sample's error is its distance from the
point that the whole layout gave it, in sides of the map; its neighbours are recovered where the 15 samples nearest to
it in all channels are among the 15, or the hundredth of all, nearest to its place on the map.

Warm: medians of rounds of calls, one method's after the other's. Cold: a process of its own, until the first answer.
Seconds of processors stand in brackets. What is made is kept in the folder, so that the next run measures at once.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from atlas_core import tables
from atlas_core.along import along_axes
from atlas_core.projection import ProjectionIndex
from atlas_core.ranking import nearest_exactly

SEED, HELD = 7, 20
TOGETHER, NEIGHBOURS, ALONE, ROUNDS = 169, 15, 30, 3
JUNK = 8_000_000
MODEL, INDEX, ASKED = "umap.pickle", "index.safetensors", "asked.npy"

COLD_OURS = """
import time; began = time.perf_counter()
import numpy as np
from atlas_core import tables
from atlas_core.projection import ProjectionIndex
with open("index.safetensors", "rb") as file:
    index = ProjectionIndex.from_tables(tables.open_table(file))
index.place(np.load("asked.npy")[:1])
print(time.perf_counter() - began, time.process_time())
"""
COLD_UMAP = """
import time; began = time.perf_counter()
import pickle
import numpy as np
import umap
with open("umap.pickle", "rb") as file:
    fitted = pickle.load(file)
fitted.transform(np.load("asked.npy")[:1])
print(time.perf_counter() - began, time.process_time())
"""


@dataclass(frozen=True)
class Took:
    """Seconds until it was there, and seconds of processors, which others on the machine change little."""

    wall: float
    processor: float


@dataclass(frozen=True)
class Sampled:
    """Samples of a layer: activations (n, channels) float32 and their images (n,); those of some images are held."""

    activations: NDArray[np.float32]
    images: NDArray[np.int64]

    @property
    def held(self) -> NDArray[np.bool_]:
        """Which are held out, shape (n,)."""
        chosen = np.random.default_rng(SEED).permutation(np.unique(self.images))
        return np.isin(self.images, chosen[: max(1, len(chosen) // HELD)])


@dataclass(frozen=True)
class Methods:
    """Both, ready to place among the samples that are not held; `scale` takes umap's points to the unit square."""

    index: ProjectionIndex
    fitted: Any
    scale: Callable[[NDArray[Any]], NDArray[np.float64]]

    def ours(self, activations: NDArray[np.float32]) -> NDArray[np.float64]:
        """Points in the unit square, shape (p, 2)."""
        placed = self.index.place(activations)
        return np.stack([placed.x, placed.y], axis=1)

    def umap(self, activations: NDArray[np.float32]) -> NDArray[np.float64]:
        """The same by umap.transform."""
        return self.scale(self.fitted.transform(activations))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="projection.py placement", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("model", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("layer")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, help="keeps the atlas for the next run; else a temporary one")
    parser.add_argument(
        "--speed-only", action="store_true", help="no whole layout, which takes umap minutes: no errors"
    )
    parser.add_argument("--never-compiled", action="store_true", help="also without numba's cache: a minute")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder: Path = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sampled, positions = collected(options.model, options.dataset, options.layer, options.samples, folder)
        methods, points = prepared(sampled, folder, whole=not options.speed_only)
        np.save(folder / ASKED, positions[:TOGETHER])
        print(f"{len(methods.index.images):,} samples x {sampled.activations.shape[1]} channels\n")
        print(speed_table(methods, positions, folder, never_compiled=options.never_compiled), flush=True)
        if not options.speed_only:
            print("\n" + error_table(methods, sampled, points))
        print("\n" + company_table(methods, positions))
    return 0


def collected(
    model: Path, dataset: Path, layer: str, samples: int, folder: Path
) -> tuple[Sampled, NDArray[np.float32]]:
    """Samples of a layer by `atlas build`, and all positions of some of its images, shape (at least 169, channels)."""
    from atlas_core.models.preprocessing import read_pixels, to_unit
    from atlas_core.registry import plan_of
    from atlas_core.run import build_directory
    from atlas_core.runtime import Runtime
    from atlas_core.store import open_store

    request = {"layers": [layer], "samples": samples, "levels": [10], "recipe": "none", "attribution": "none",
               "seed": SEED, "allow_sparse": True}  # fmt: skip
    atlas = folder / f"atlas-{samples}"
    manifest = build_directory(model, dataset, request, atlas, lambda *_: None, 1)
    store = open_store(str(atlas / ".store"))
    plan, runtime = plan_of(store, manifest["id"]), Runtime(store)
    index = runtime.index(plan, plan.find("publish", layer=layer, step="index")[0].key)
    source = runtime.dataset(plan)
    read: list[NDArray[np.float32]] = []
    for image in source.listing.images[::7]:
        pixels = to_unit(read_pixels(source.read(image), plan.model.card.input)[None])
        grid = runtime.model(plan.model.card).activations(pixels, [layer], logits=False)[0][layer][0]
        read.append(grid.reshape(len(grid), -1).T)
        if sum(map(len, read)) >= 4 * TOGETHER:
            break
    sampled = Sampled(np.asarray(index.activations).astype(np.float32), np.asarray(index.images))
    return sampled, np.ascontiguousarray(np.concatenate(read))


def prepared(sampled: Sampled, folder: Path, *, whole: bool) -> tuple[Methods, NDArray[np.float64]]:
    """Fit umap-learn to the samples that are not held, on the map of all; gives that map in the unit square, too."""
    known = ~sampled.held
    kept, points = folder / f"{len(known)}-{int(whole)}-{MODEL}", folder / f"{len(known)}-{int(whole)}-points.npy"
    if not points.is_file():
        fitted, layout = fit(sampled, known, whole=whole)
        kept.write_bytes(pickle.dumps(fitted))
        np.save(points, layout)
    fitted, layout = pickle.loads(kept.read_bytes()), np.load(points)
    (folder / MODEL).unlink(missing_ok=True)
    (folder / MODEL).symlink_to(kept.name)
    low, side = layout.min(axis=0), float(np.ptp(layout, axis=0).max())

    def scale(placed: NDArray[Any]) -> NDArray[np.float64]:
        unit: NDArray[np.float64] = (np.asarray(placed, np.float64) - low) / side
        return unit

    unit = np.clip(scale(layout), 0, 1)
    index = ProjectionIndex.build(
        [sampled.activations[known]], sampled.images[known], unit[known].astype(np.float32),
        into=lambda fields: tables.allocate_file(folder / INDEX, fields),
    )  # fmt: skip
    return Methods(index, fitted, scale), unit


def fit(sampled: Sampled, known: NDArray[np.bool_], *, whole: bool) -> tuple[Any, NDArray[np.float32]]:
    """umap-learn's model of the known samples, and its layout of all, which is the model's, too."""
    import umap

    fitted = umap.UMAP(metric="cosine", n_epochs=1, init="random", random_state=SEED).fit(sampled.activations[known])
    fitted.n_epochs = None  # a transform takes umap's own number again
    if whole:
        layout = umap.UMAP(metric="cosine", random_state=SEED).fit_transform(sampled.activations)
    else:
        layout = np.zeros((len(known), 2), np.float32)
        layout[known] = fitted.embedding_
    fitted.embedding_ = np.ascontiguousarray(layout[known])
    return fitted, layout


def speed_table(methods: Methods, positions: NDArray[np.float32], folder: Path, *, never_compiled: bool) -> str:
    """Seconds of both, cold and warm."""
    cold = {"ours": cold_seconds(COLD_OURS, folder), "umap": cold_seconds(COLD_UMAP, folder)}
    timed = [("cold: a new process, until its first answer", cold)]
    if never_compiled:
        with tempfile.TemporaryDirectory() as fresh:
            codes = {"ours": COLD_OURS, "umap": COLD_UMAP}
            both = {name: cold_seconds(code, folder, NUMBA_CACHE_DIR=fresh) for name, code in codes.items()}
        timed.append(("the same, nothing compiled before", both))
    ones = [positions[place : place + 1] for place in range(ALONE)]
    ones_apart = warm_seconds(methods, ones, junk=np.zeros(JUNK))
    one = warm_seconds(methods, ones)
    starts = list(range(0, 3 * TOGETHER, TOGETHER)) * 3
    some = warm_seconds(methods, [positions[start : start + TOGETHER] for start in starts])
    rows = ["| | placement | umap.transform | times faster |", "| --- | --- | --- | --- |"]
    timed += [("warm, one vector, caches emptied before", ones_apart), ("warm, one vector", one),
              (f"warm, {TOGETHER} positions at once", some)]  # fmt: skip
    for name, both in timed:
        ours, other = both["ours"], both["umap"]
        times = f"{other.wall / ours.wall:,.1f} ({other.processor / ours.processor:,.1f})"
        rows.append(f"| {name} | {told(ours)} | {told(other)} | {times} |")
    return "\n".join(rows)


def cold_seconds(code: str, folder: Path, **variables: str) -> Took:
    """What a new process took."""
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore", **variables}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True,
                          check=True)  # fmt: skip
    return Took(*map(float, done.stdout.split()[-2:]))


def warm_seconds(
    methods: Methods, queries: list[NDArray[np.float32]], junk: NDArray[np.float64] | None = None
) -> dict[str, Took]:
    """Medians of each, in rounds that begin with a call that does not count.

    Args:
        methods: Both.
        queries: Asked in every round.
        junk: Gone through before each call, so that it finds nothing of its own in the processor's caches.
    """
    took: dict[str, list[tuple[float, float]]] = {"ours": [], "umap": []}
    for _ in range(ROUNDS):
        for name, place in (("ours", methods.ours), ("umap", methods.umap)):
            for number, query in enumerate([queries[0], *queries]):
                if junk is not None:
                    junk += 1
                began = time.perf_counter(), time.process_time()
                place(query)
                if number:
                    took[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return {name: Took(*np.median(values, axis=0)) for name, values in took.items()}


def told(took: Took) -> str:
    """Seconds for people, those of processors in brackets."""
    wall, processor = (f"{one:.2f} s" if one >= 1 else f"{1000 * one:.2f} ms" for one in (took.wall, took.processor))
    return f"{wall} ({processor})"


def error_table(methods: Methods, sampled: Sampled, points: NDArray[np.float64]) -> str:
    """How far from their own points held samples are placed, and how many of their neighbours are about them."""
    held = sampled.held
    asked, index = sampled.activations[held], methods.index
    unit, _ = along_axes(asked, index.mean, index.axes)
    everyone = np.tile(np.arange(len(index.images)), (len(asked), 1))
    nearest, _ = nearest_exactly(index.activations, index.length, unit, everyone, NEIGHBOURS)
    layout = points[~held]
    rows = [f"| {len(asked):,} held-out samples | median error | 90th percentile | among 15 | among a hundredth |",
            "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for name, placed in (
        ("placement", methods.ours(asked)),
        ("umap.transform", methods.umap(asked)),
        ("mean of the 15 nearest", layout[nearest].mean(axis=1)),
        ("point of the nearest", layout[nearest[:, 0]]),
        ("their own points", points[held]),
    ):
        far = np.hypot(*(placed - points[held]).T)
        near, wide = (recovered(placed, layout, nearest, most) for most in (NEIGHBOURS, len(layout) // 100))
        rows.append(f"| {name} | {np.median(far):.2%} | {np.quantile(far, 0.9):.2%} | {near:.1%} | {wide:.1%} |")
    return "\n".join(rows)


def recovered(placed: NDArray[np.float64], layout: NDArray[np.float64], nearest: NDArray[np.int64], most: int) -> float:
    """Share of each sample's nearest that are among so many nearest to its place on the map."""
    found = []
    for point, own in zip(placed, nearest, strict=True):
        about = np.argpartition(np.hypot(*(layout - point).T), most)[:most]
        found.append(np.isin(own, about).mean())
    return float(np.mean(found))


def company_table(methods: Methods, positions: NDArray[np.float32]) -> str:
    """What it does to a position who else is asked with it, and in which order."""
    asked = positions[:TOGETHER]
    rows = ["| | cells of a level of 50 changed by company | moved farthest by company | by another order |",
            "| --- | --- | --- | --- |"]  # fmt: skip
    for name, place in (("placement", methods.ours), ("umap.transform", methods.umap)):
        together, backwards = place(asked), place(asked[::-1].copy())[::-1]
        alone = np.concatenate([place(asked[one : one + 1]) for one in range(ALONE)])
        changed = int((np.floor(alone * 50) != np.floor(together[:ALONE] * 50)).any(axis=1).sum())
        company, order = (np.hypot(*(a - b).T).max() for a, b in ((alone, together[:ALONE]), (backwards, together)))
        rows.append(f"| {name} | {changed} of {ALONE} | {company:.1%} of the map | {order:.1%} of the map |")
    return "\n".join(rows)
