"""Two models on one map: both neighbour graphs as blocks of one, and an edge between twins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core import tables
from atlas_core.errors import LayoutError
from atlas_core.layout.coupled import joined
from atlas_core.layout.graph import graph
from atlas_core.layout.optimise import optimise
from atlas_core.layout.plane import fill_gaps, jittered, start_points, turned, unit_square, window
from atlas_core.layout.twins import twins
from atlas_core.stages.models import Seen, models_at_layer
from atlas_core.stages.step import Output, Step

if TYPE_CHECKING:
    from numpy.typing import NDArray


def lay_together(step: Step) -> Output:
    """Lay out the samples of two models, or of one and itself, so that alike ones and twins lie together.

    Twins start at one point, that of the old model's principal components: neither half begins where the other is not.
    """
    old, new = models_at_layer(step)
    parameters, seed = step.parameters, step.parameters["seed"]
    twin = twins_of(old, new)
    tied = joined(graph(old.found), graph(new.found), twin, parameters["weight"])
    start = start_points(old.samples["activations"], seed=seed)
    back = twins_of(new, old)
    there = np.where(back[:, None] >= 0, start[back], np.float32(np.nan))
    both = np.concatenate([start, jittered(fill_gaps(there, new.found.index), seed)])
    points = turned(optimise(tied, both, epochs=parameters["epochs"], min_dist=parameters["minimum_distance"],
                             seed=seed, on_epoch=step.on_progress))  # fmt: skip
    layout, clamped = unit_square(points, window(points))
    return Output({"layout": tables.pack({"old": layout[: len(start)], "new": layout[len(start) :]})},
                  {"clamped": clamped, "seed": seed})  # fmt: skip


def twins_of(one: Seen, other: Seen) -> NDArray[np.int64]:
    """Each sample's twin in the other model, -1 for none, shape (n,).

    Raises:
        LayoutError: There is not one.
    """
    found = twins(one.samples["image"], one.samples["point"], other.samples["image"], other.samples["point"])
    if not (found >= 0).any():
        raise LayoutError(f"no sample of {one.layer.name!r} has a twin in {other.layer.name!r}: take more samples")
    return found
