"""Where positions lie along an index's axes, each worked out for itself in one order of sums."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError
from atlas_core.lanes import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def along_axes(
    activations: NDArray[np.floating[Any]], mean: NDArray[np.float32], axes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit activations of positions, and where these lie along some axes.

    Args:
        activations: Shape (p, channels); zeros stay zeros.
        mean: Subtracted from a unit activation, shape (channels,).
        axes: Shape (axes, channels).

    Returns:
        Unit rows, shape (p, channels), and shape (p, axes).

    Raises:
        LayoutError: A number is not finite.
    """
    rows = np.ascontiguousarray(activations, dtype=np.float32)
    unit, along = np.empty_like(rows), np.empty((len(rows), len(axes)), dtype=np.float32)
    wrong = _prepare(rows, mean, axes, unit, along)
    if wrong != NONE:
        raise LayoutError(f"position {wrong} holds a number that is not finite; check the model's normalisation")
    return unit, along


def _prepare_rows(rows: Any, mean: Any, axes: Any, unit: Any, along: Any) -> int:
    centred = np.empty(rows.shape[1], np.float32)
    for row in range(rows.shape[0]):
        total = 0.0
        for channel in range(rows.shape[1]):
            total += np.float64(rows[row, channel]) * np.float64(rows[row, channel])
        if not total < np.inf:
            return row
        length = np.float32(math.sqrt(total)) if total > 0 else np.float32(1)
        for channel in range(rows.shape[1]):
            unit[row, channel] = rows[row, channel] / length
            centred[channel] = unit[row, channel] - mean[channel]
        for axis in range(axes.shape[0]):
            place = np.float32(0)
            for channel in range(rows.shape[1]):
                place += axes[axis, channel] * centred[channel]
            along[row, axis] = place
    return NONE


_prepare = compiled(_prepare_rows, fast=True)
