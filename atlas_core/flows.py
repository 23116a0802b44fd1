"""Where the samples of a part of one map lie on another: twins followed from layer to layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from atlas_core.binning import assign_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True)
class Flow:
    """Where some samples lie on another map; the cells that hold most of them first.

    Args:
        points: Their twins' points, shape (followed, 2), in the samples' order.
        column: Of each cell that holds any, shape (cells,).
        row: Of the same cells, row 0 on top.
        count: How many of the twins each holds.
    """

    points: NDArray[np.float32]
    column: NDArray[np.int64]
    row: NDArray[np.int64]
    count: NDArray[np.int64]

    @property
    def share(self) -> NDArray[np.float64]:
        """Of the samples that could be followed, in each cell."""
        return self.count / max(1, len(self.points))


def flow(
    samples: NDArray[np.integer[Any]],
    own: Mapping[str, NDArray[Any]],
    other: Mapping[str, NDArray[Any]],
    side: int,
) -> Flow:
    """Follow samples of a layer to another layer.

    A sample has no twin where another point of its image fell onto the same position there; it is left out.

    Args:
        samples: Their numbers in the order of the listing, shape (n,).
        own: The layer's layout: `image` and `point` of every sample in that order, so that images ascend.
        other: The other layer's likewise, with `layout`, its points in the unit square.
        side: Cells a side of the other layer's level.
    """
    found = _twins(own["image"][samples], own["point"][samples], other["image"], other["point"])
    points = np.asarray(other["layout"][found[found >= 0]], dtype=np.float32).reshape(-1, 2)
    column, row = assign_cells(points, side).astype(np.int64).T
    cells, count = np.unique(row * side + column, return_counts=True)
    order = np.argsort(-count, kind="stable")
    return Flow(points, cells[order] % side, cells[order] // side, count[order])


def _twins(
    image: NDArray[np.integer[Any]],
    point: NDArray[np.integer[Any]],
    others: NDArray[np.integer[Any]],
    other_point: NDArray[np.integer[Any]],
) -> NDArray[np.int64]:
    """What `layout.twins.twins` finds, by looking at no more than the samples' own images: `others` ascend."""
    first, last = (np.searchsorted(others, image, side=side) for side in SIDES)
    found = np.full(len(image), -1, dtype=np.int64)
    for step in range(int((last - first).max(initial=0))):
        rows = np.flatnonzero(first + step < last)
        same = rows[other_point[first[rows] + step] == point[rows]]
        found[same] = first[same] + step
    return found
