"""Maps that compare: layers laid out against an anchor, and how far twins lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import NotFoundError
from atlas_core.layout.coupled import coupled, cross_neighbours
from atlas_core.layout.graph import graph
from atlas_core.layout.neighbours import Neighbours
from atlas_core.layout.optimise import optimise
from atlas_core.layout.plane import fill_gaps, jittered, start_from, start_points, turned, unit_square
from atlas_core.layout.reference import optimise_by_umap
from atlas_core.layout.twins import procrustes, twin_distance, twins
from atlas_core.stages.landmarks import laid_out_samples
from atlas_core.stages.step import Output, Step, gather

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core import tables

OTHER_SEED = 1
"""Added to the seed where the noise floor is measured."""


@dataclass(frozen=True)
class Anchor:
    """The anchor's layer as its new samples see it.

    Args:
        table: Its layout: points, layout, image and point of every fixed sample.
        twin: The fixed sample that is the same image and point, shape (n,); -1 for none.
        cross: Nearest fixed samples of each sample, where both come from one model.
    """

    table: tables.Table
    twin: NDArray[np.int64]
    cross: Neighbours | None


def anchor_of(step: Step, samples: tables.Table) -> Anchor | None:
    """The anchor of a layer's samples, None where the atlas has none.

    Args:
        step: A step of the layer.
        samples: Activations, image and point of the samples to lay out.

    Raises:
        NotFoundError: The anchor is gone from the store.
    """
    facts = step.plan.anchor
    if facts is None or step.parameters["anchor"] is None:
        return None
    table = step.runtime.table(_record(step, "layout", facts.layers[step.layer.name].layout)["blobs"]["layout"])
    same_images = facts.dataset == step.plan.dataset.digest
    twin = np.full(len(samples["image"]), -1, dtype=np.int64)
    if same_images and facts.seed == step.plan.spec.seed:
        twin = twins(samples["image"], samples["point"], table["image"], table["point"])
    cross = None
    if facts.model == step.plan.model.id:
        images = (samples["image"], table["image"]) if same_images else (None, None)
        neighbours = step.plan.spec.layout.neighbours
        cross = cross_neighbours(samples["activations"], _activations(step), neighbours, images=images[0],
                                 fixed_images=images[1])  # fmt: skip
    return Anchor(table, twin, cross)


def _record(step: Step, stage: str, key: str) -> dict[str, Any]:
    """A record of another atlas's plan."""
    found = step.runtime.store.get_record(stage, key)
    if found is None:
        raise NotFoundError("the anchor is gone from the store; submit it again, then this atlas")
    return found


def _activations(step: Step) -> NDArray[Any]:
    """Activations of the anchor's samples, in the order of its layout."""
    name = f"layer {step.layer.name}"
    facts = step.plan.anchor
    records = [_record(step, "collect", key) for key in (facts.collected if facts else [])]
    shards = [step.table(record, name) for record in records if name in record["blobs"]]
    return gather(shards, ("activations",))["activations"]


def lay_against(step: Step, anchor: Anchor, found: Neighbours, seed: int) -> NDArray[np.float32]:
    """Lay samples out against an anchor's fixed points.

    A sample starts at its twin's point, else at its nearest fixed sample's, else among its neighbours.

    Args:
        step: A step of the layer, with the options of its layout.
        anchor: Fixed points and what ties the samples to them.
        found: Neighbours of the samples among themselves.
        seed: Of the optimiser and of what parts equal starts.

    Returns:
        Points in the anchor's units, shape (n, 2).

    Raises:
        LayoutError: Nothing ties the samples to the anchor.
    """
    fixed = anchor.table["points"]
    start = np.full((len(found.index), 2), np.nan)
    if anchor.cross is not None:
        start = fixed[anchor.cross.index[:, 0]].astype(np.float64)
    start = np.where(anchor.twin[:, None] >= 0, fixed[anchor.twin], start)
    tied = coupled(graph(found), len(fixed), twin=anchor.twin, cross=anchor.cross)
    both = np.concatenate([fixed, jittered(fill_gaps(start, found.index), seed)])
    options = {"epochs": step.parameters["epochs"], "min_dist": step.parameters["minimum_distance"], "seed": seed}
    return optimise(tied, both, **options, on_epoch=step.on_progress)[len(fixed) :]


def laid_out(step: Step, found: Neighbours, start: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Points of samples that nothing but their neighbours ties, by the optimiser that was asked for, shape (n, 2)."""
    options = {"epochs": step.parameters["epochs"], "min_dist": step.parameters["minimum_distance"], "seed": seed}
    if step.parameters["optimiser"] == "umap":
        return optimise_by_umap(graph(found), start, **options)
    return optimise(graph(found), start, **options, on_epoch=step.on_progress)


def start_of(step: Step, samples: tables.Table, found: Neighbours, before: tables.Table | None) -> NDArray[np.float32]:
    """Where a layer's samples start: at their twins in the layer before, where there is one, shape (n, 2)."""
    seed = step.parameters["seed"]
    if before is None:
        return start_points(samples["activations"], seed=seed)
    twin = twins(samples["image"], samples["point"], before["image"], before["point"])
    points = np.where(twin[:, None] >= 0, before["points"][twin], np.float32(np.nan))
    return start_from(points, found.index, seed=seed)


def measure_twins(step: Step) -> Output:
    """How far twins lie apart: as published, in layouts made separately, and beside both the noise floor."""
    samples, found = laid_out_samples(step)
    own, *before = step.layouts()
    seed = step.parameters["seed"]
    anchor = anchor_of(step, samples)
    if anchor is None:
        other, name = before[0], {"layer": step.plan.spec.layers[step.plan.spec.layers.index(step.layer.name) - 1]}
        twin = twins(samples["image"], samples["point"], other["image"], other["point"])
        repeated, _ = unit_square(laid_out(step, found, start_of(step, samples, found, other), seed + OTHER_SEED))
        floor = twin_distance(repeated, own["layout"])
    else:
        other, name, twin = anchor.table, {"atlas": str(step.plan.spec.anchor)}, anchor.twin
        floor = _floor_of_anchor(step, other, seed + OTHER_SEED)
    pairs = np.flatnonzero(twin >= 0)
    info: dict[str, Any] = {"with": name, "samples": len(pairs), "noise_floor": _short(floor)}
    if len(pairs):
        separate, _ = unit_square(turned(laid_out(step, found, start_of(step, samples, found, None), seed)))
        theirs = other["layout"][twin[pairs]]
        info |= {
            "distance": _short(twin_distance(own["layout"][pairs], theirs)),
            "separate": _short(twin_distance(separate[pairs], theirs)),
            "separate_aligned": _short(twin_distance(procrustes(separate[pairs], theirs), theirs)),
        }
    return Output({}, info)


def _floor_of_anchor(step: Step, table: tables.Table, seed: int) -> float:
    """The anchor's own samples, laid out against themselves as those of another model would be."""
    facts = step.plan.anchor
    key = facts.layers[step.layer.name].neighbours if facts else ""
    blobs = _record(step, "layout", key)["blobs"]
    near = step.runtime.table(blobs["neighbours"])
    if "landmarks" in blobs:
        chosen = step.runtime.table(blobs["landmarks"])
        rows = twins(chosen["image"], chosen["point"], table["image"], table["point"])
        table = {name: values if name == "window" else values[rows] for name, values in table.items()}
    itself = Anchor(table, np.arange(len(table["points"])), None)
    points = lay_against(step, itself, Neighbours(index=near["index"], distance=near["distance"]), seed)
    placed, _ = unit_square(points, table["window"])
    return twin_distance(placed, table["layout"])


def _short(value: float) -> float:
    return round(value, 4)
