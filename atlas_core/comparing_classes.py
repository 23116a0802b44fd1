"""Two classes on one picture: across, which of them a sample adds to; up, its place in a layout along a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.layout.graph import graph
from atlas_core.layout.optimise import optimise
from atlas_core.layout.plane import start_points, unit_square

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atlas_core.layout.neighbours import Neighbours

EXTREME = 99
"""Percentile of the absolute differences that lies at the edge; what is beyond it lies there too."""


def across(difference: NDArray[np.floating[Any]]) -> tuple[NDArray[np.float32], float]:
    """Where samples lie between two classes: 0 where they add to both alike.

    Args:
        difference: What each adds to the second class less what it adds to the first, shape (n,).

    Returns:
        The difference over the 99th percentile of its absolute values, -1 to 1, shape (n,); and that percentile.
    """
    wide = difference.astype(np.float64)
    scale = float(np.percentile(np.abs(wide), EXTREME)) if len(wide) else 0.0
    placed = np.clip(wide / scale, -1, 1) if scale > 0 else np.sign(wide)
    return placed.astype(np.float32), scale


def along_line(
    activations: NDArray[np.floating[Any]],
    found: Neighbours,
    *,
    epochs: int,
    min_dist: float,
    seed: int,
    on_epoch: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Lay samples out along a line, so that similar ones lie together.

    A layout in the plane that starts on a line stays on it: no force leads off.

    Args:
        activations: Shape (n, channels).
        found: Neighbours of each.
        epochs: As of `optimise`.
        min_dist: As of `optimise`.
        seed: Of the optimiser, and of what parts equal starts.
        on_epoch: As of `optimise`.

    Returns:
        Places from 0 to 1, shape (n,).
    """
    start = start_points(activations, seed=seed)
    start[:, 1] = start[:, 0]  # the first principal component
    start[:, 0] = 0
    points = optimise(graph(found), start, epochs=epochs, min_dist=min_dist, seed=seed, on_epoch=on_epoch)
    return unit_square(points)[0][:, 1]
