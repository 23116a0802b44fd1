"""Layouts of very many samples: some are laid out, the landmarks, and the others placed among them, shard by shard."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.inverted import InvertedLists
from atlas_core.layout.landmarks import choose_landmarks, nearest_landmarks, place_among, settle_among
from atlas_core.layout.neighbours import Neighbours
from atlas_core.layout.plane import unit_square
from atlas_core.layout.quality import quality
from atlas_core.layout.twins import twins
from atlas_core.sampling import by_hash
from atlas_core.stages.step import Output, Step, gather_layer, gather_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = ("activations", "image", "point")
MEASURED = 100_000
"""Samples among which a layout's quality is measured, where there are more."""


def choose(step: Step) -> tables.Table:
    """The landmarks of a layer: activations, image and point."""
    everyone = step.samples("image", "point")
    images = step.runtime.dataset(step.plan).listing.images
    rank = np.empty(len(images), dtype=np.int64)
    rank[by_hash(images, step.plan.spec.seed)] = np.arange(len(images))
    rows = choose_landmarks(everyone["image"], everyone["point"], rank, step.parameters["landmarks"])
    return gather_rows(step, step.inputs("collect"), SAMPLE, rows)


def laid_out_samples(step: Step) -> tuple[tables.Table, Neighbours]:
    """Activations, image and point of the samples of a layer that are laid out themselves, and their neighbours."""
    (record,) = step.inputs("layout", step="neighbours")
    near = step.table(record, "neighbours")
    if "landmarks" in record["blobs"]:
        samples = {name: step.table(record, "landmarks")[name] for name in SAMPLE}
    else:
        collected = [step.runtime.record(step.plan, key) for key in record["inputs"]]
        samples = gather_layer(step, collected, SAMPLE)
    return samples, Neighbours(index=near["index"], distance=near["distance"])


def place(step: Step) -> Output:
    """Place the samples of some shards among the landmarks, which keep their own points."""
    samples = step.samples(*SAMPLE)
    landmarks = step.table(step.inputs("layout", step="neighbours")[0], "landmarks")
    (laid,) = step.layouts()
    index, distance = nearest_landmarks(
        samples["activations"], samples["image"], landmarks["activations"], landmarks["image"],
        InvertedLists.from_tables(landmarks), on_progress=step.on_progress,
    )  # fmt: skip
    placed = settle_among(
        laid["points"], place_among(laid["points"], index, distance), index, distance,
        epochs=step.parameters["epochs"], min_dist=step.plan.spec.layout.minimum_distance, seed=step.plan.spec.seed,
        on_epoch=step.on_progress,
    )  # fmt: skip
    own = twins(samples["image"], samples["point"], laid["image"], laid["point"])
    points = np.where(own[:, None] >= 0, laid["points"][own], placed)
    layout, clamped = unit_square(points, laid["window"])
    table = {"layout": layout, "points": points, "image": samples["image"], "point": samples["point"]}
    return Output({"placed": tables.pack(table)}, {"clamped": clamped})


def join(step: Step) -> Output:
    """One table of all samples' points; what is measured is that of the whole, on some of it."""
    placed = step.inputs("layout", step="place")
    table = tables.concatenate([step.table(record, "placed") for record in placed])
    (laid,) = step.layouts()
    seed = step.parameters["seed"]
    rng = np.random.Generator(np.random.Philox(seed))
    rows = np.sort(rng.permutation(len(table["layout"]))[:MEASURED])
    samples = gather_rows(step, step.inputs("collect"), ("activations", "image"), rows)
    info = {
        "clamped": sum(record["info"]["clamped"] for record in placed),
        "seed": seed,
        "landmarks": len(laid["points"]),
        "measured_among": len(rows),
        **measured(samples, table["layout"][rows], seed),
    }
    return Output({"layout": tables.pack({**table, "window": laid["window"]})}, info)


def measured(samples: tables.Table, layout: NDArray[np.float32], seed: int) -> dict[str, Any]:
    """The quality of a layout as a manifest states it."""
    found = asdict(quality(samples["activations"], layout, samples["image"], seed=seed))
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}
