"""A polygon on the map: which points lie in what somebody drew around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MOST_CORNERS = 500
EDGE = 1e-9
"""By so much a corner on the map's right or upper edge lies beyond it, so that what lies on that edge is inside."""


class Polygon:
    """A polygon, half-open as boxes are: those that tile the map share no point and leave none out.

    Where its outline crosses itself, a point is inside that is surrounded an odd number of times.

    Args:
        corners: x and y of each in turn, y up, the last joined to the first.

    Raises:
        InputError: Fewer than 3 corners, too many, or one outside of the unit square.
    """

    def __init__(self, corners: Sequence[Sequence[float]]) -> None:
        """Take the corners."""
        if not 3 <= len(corners) <= MOST_CORNERS:
            raise InputError(f"a polygon has 3 to {MOST_CORNERS} corners, this one has {len(corners)}",
                             pointer="/polygon")  # fmt: skip
        own = np.array(corners, np.float64)
        if not ((own >= 0) & (own <= 1)).all():
            raise InputError("a corner of the polygon is not finite or lies outside the map, whose x and y are 0 to 1",
                             pointer="/polygon")  # fmt: skip
        self._corners = np.where(own >= 1, 1 + EDGE, own)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The rectangle around it: x0, y0, x1, y1."""
        (x0, y0), (x1, y1) = self._corners.min(axis=0).tolist(), self._corners.max(axis=0).tolist()
        return x0, y0, x1, y1

    def holds(self, points: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which points (x, y) lie inside, shape (n,).

        Points are sorted by y, so that each edge looks only at those beside it.
        """
        x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
        order = np.argsort(y, kind="stable")
        sorted_y, inside = y[order], np.zeros(len(points), bool)
        for one, other in zip(self._corners, np.roll(self._corners, -1, axis=0), strict=True):
            (x0, y0), (x1, y1) = (one, other) if one[1] < other[1] else (other, one)
            first, last = np.searchsorted(sorted_y, (y0, y1))
            if first < last:
                beside = order[first:last]
                inside[beside] ^= x[beside] < x0 + (y[beside] - y0) * ((x1 - x0) / (y1 - y0))
        return inside
