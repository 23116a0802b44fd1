"""Whether a cell speaks for a class clearly, or only because some class must come first.

A cell's strongest class is the largest of as many means as there are classes, so there always is one, however little
the cell adds to it. What is negligible is judged beside the same level: attributions of models and layers differ by
orders of magnitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.heatmap import enough_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

QUANTILE = 0.95
"""Of what cells add to their strongest classes: the level's scale, which a single outlier does not stretch."""
NEGLIGIBLE = 0.1
"""Of the scale: under it a cell has no clear class."""


def clarity_scale(strongest: NDArray[np.floating[Any]], count: NDArray[np.integer[Any]]) -> float:
    """What only one cell in twenty adds to its strongest class.

    Args:
        strongest: What each cell adds to its strongest class, in logits, shape (m,), m at least 1.
        count: Samples of each, shape (m,).

    Returns:
        Logits, over cells with enough samples.
    """
    return float(np.quantile(strongest[count >= enough_samples(count)].astype(np.float64), QUANTILE))


def are_clear(strongest: NDArray[np.floating[Any]], count: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Whether each cell has a clear class, shape (m,): it adds to one, and a tenth of the level's scale or more."""
    scale = max(clarity_scale(strongest, count), 0.0)
    return (strongest > 0) & (strongest.astype(np.float64) >= NEGLIGIBLE * scale)


def in_clear_cells(
    layout: NDArray[np.float32], side: int, level: Mapping[str, NDArray[Any]], attribution: NDArray[np.floating[Any]]
) -> NDArray[np.bool_]:
    """Of every sample, whether its cell has a clear class; not in cells of too few samples.

    Args:
        layout: Points in the unit square, y up, shape (n, 2).
        side: Cells a side of the level.
        level: `column`, `row` and `count` of its m cells.
        attribution: What each adds to each class, shape (classes, m).

    Returns:
        Shape (n,).
    """
    clear = np.zeros((side, side), np.bool_)
    clear[level["column"], level["row"]] = are_clear(attribution.max(axis=0), level["count"])
    column, row = assign_cells(layout, side).T
    inside: NDArray[np.bool_] = clear[column, row]
    return inside
