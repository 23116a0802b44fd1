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
from atlas_core.layout.plane import fill_gaps, jittered, start_from, start_points, turned, unit_square, window
from atlas_core.layout.twins import procrustes, twin_distance, twins
from atlas_core.stages.landmarks import laid_out_samples
from atlas_core.stages.step import Output, Step, gather

if TYPE_CHECKING:
    from collections.abc import Callable

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
    if facts is None:
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
    keys = facts.layers[step.layer.name].collected if facts else []
    records = [_record(step, "collect", key) for key in keys]
    shards = [step.table(record, name) for record in records if name in record["blobs"]]
    return gather(shards, ("activations",))["activations"]


def lay_against(
    anchor: Anchor,
    found: Neighbours,
    *,
    epochs: int,
    min_dist: float,
    seed: int,
    on_epoch: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Lay samples out against an anchor's fixed points.

    A sample starts at its twin's point, else at its nearest fixed sample's, else among its neighbours.

    Args:
        anchor: Fixed points and what ties the samples to them.
        found: Neighbours of the samples among themselves.
        epochs: As in `optimise`.
        min_dist: As in `optimise`.
        seed: As in `optimise`.
        on_epoch: As in `optimise`.

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
    return optimise(tied, both, epochs=epochs, min_dist=min_dist, seed=seed, on_epoch=on_epoch)[len(fixed) :]


def measure_twins(step: Step) -> Output:
    """How far twins lie apart: as published, in layouts made separately, and beside both the noise floor."""
    samples, found = laid_out_samples(step)
    own, *before = step.layouts()
    parameters = step.parameters
    options = {"epochs": parameters["epochs"], "min_dist": parameters["minimum_distance"], "seed": parameters["seed"]}
    again = {**options, "seed": parameters["seed"] + OTHER_SEED}
    anchor = anchor_of(step, samples)
    if anchor is None:
        other, name = before[0], {"layer": step.plan.spec.layers[step.plan.spec.layers.index(step.layer.name) - 1]}
        twin = twins(samples["image"], samples["point"], other["image"], other["point"])
        start = start_from(points_of(twin, other["points"]), found.index, seed=options["seed"])
        repeated, _ = unit_square(optimise(graph(found), start, **again, on_epoch=step.on_progress))
        floor = twin_distance(repeated, own["layout"])
    else:
        other, name, twin = anchor.table, {"atlas": str(step.plan.spec.anchor)}, anchor.twin
        floor = _floor_of_anchor(step, other, again)
    pairs = np.flatnonzero(twin >= 0)
    info: dict[str, Any] = {"with": name, "samples": len(pairs), "noise_floor": _short(floor)}
    if len(pairs):
        alone = optimise(graph(found), start_points(samples["activations"], seed=options["seed"]), **options,
                         on_epoch=step.on_progress)  # fmt: skip
        separate, _ = unit_square(turned(alone))
        theirs = other["layout"][twin[pairs]]
        info |= {
            "distance": _short(twin_distance(own["layout"][pairs], theirs)),
            "separate": _short(twin_distance(separate[pairs], theirs)),
            "separate_aligned": _short(twin_distance(procrustes(separate[pairs], theirs), theirs)),
        }
    return Output({}, info)


def points_of(twin: NDArray[np.int64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points of the twins, shape (n, 2), NaN where there is none."""
    return np.where(twin[:, None] >= 0, points[twin], np.float32(np.nan))


def _floor_of_anchor(step: Step, table: tables.Table, options: dict[str, Any]) -> float:
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
    points = lay_against(
        itself, Neighbours(index=near["index"], distance=near["distance"]), **options, on_epoch=step.on_progress
    )
    placed, _ = unit_square(points, table_window(table))
    return twin_distance(placed, table["layout"])


def table_window(table: tables.Table) -> NDArray[np.float64]:
    """The window in which a layout is shown: its anchor's, where it has one, else its own."""
    return table["window"] if "window" in table else window(table["points"])


def _short(value: float) -> float:
    return round(value, 4)
