"""Heat maps: a number for every cell of a level, and the scale on which it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ENOUGH = 10
"""Samples of a cell that count for the scale, or the median over the cells where that is less."""


def enough_samples(count: NDArray[np.integer[Any]]) -> int:
    """Samples from which a cell counts for the scale.

    Args:
        count: Samples of each cell, shape (m,), m at least 1.
    """
    return min(ENOUGH, int(np.median(count)))


def extremes(values: NDArray[np.floating[Any]], count: NDArray[np.integer[Any]]) -> tuple[float, float]:
    """The least and the greatest value over cells with enough samples, by which a heat map is scaled.

    The mean of a few samples is often extreme; one such cell would pale all others. The article's page divided every
    class by the maximum of one of them; here each is measured by its own.

    Args:
        values: Of each cell, of either sign, NaN where nothing is known, shape (m,).
        count: Samples of each, shape (m,).

    Returns:
        Both; zeros where nothing is known.
    """
    known = values[(count >= enough_samples(count)) & np.isfinite(values)].astype(np.float64)
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
