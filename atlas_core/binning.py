"""Which cell of a level a point lies in; light enough for the service."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from atlas_core.errors import LayoutError


def assign_cells(layout: NDArray[np.float32], side: int) -> NDArray[np.int32]:
    """Assign every point of a layout to one cell of a square level.

    Args:
        layout: Points (x, y) in the unit square, y up, shape (n, 2).
        side: Cells a side, at least 1.

    Returns:
        Cell (column, row) of each point, shape (n, 2), each in [0, side). Row 0 is the top row. Bins are half-open in x
        and y; the last edge belongs to the last cell.

    Raises:
        LayoutError: A coordinate is not finite or lies outside [0, 1], or the side is below 1.
    """
    if layout.ndim != 2 or layout.shape[1] != 2 or side < 1:
        raise LayoutError(f"cells need points of the shape (n, 2) and a side of at least 1, got {layout.shape}, {side}")
    if not ((layout >= 0) & (layout <= 1)).all():
        raise LayoutError("a point of the layout is not finite or lies outside the unit square")
    place = np.minimum(np.floor(layout.astype(np.float64) * side).astype(np.int32), side - 1)
    place[:, 1] = side - 1 - place[:, 1]
    return place
