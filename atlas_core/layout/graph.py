"""The fuzzy neighbour graph of UMAP: how strongly each pair of samples is held together.

McInnes, Healy, Melville, "UMAP", 2018, section 3.1, and equal to umap-learn's `fuzzy_simplicial_set` on the same
neighbours (tested), without its import, which takes longer than the graph of 20,000 samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from atlas_core.errors import LayoutError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.layout.neighbours import Neighbours

BISECTIONS = 64
TOLERANCE = 1e-5
LEAST_SCALE = 1e-3
"""Smallest scale of a sample as a share of its (or everyone's) mean distance; umap-learn's MIN_K_DIST_SCALE."""


@dataclass(frozen=True)
class Graph:
    """A symmetric weighted graph in compressed rows: the edges of vertex i are `start[i]:start[i + 1]`.

    Args:
        start: Shape (n + 1,) int64.
        target: Vertex at the other end, ascending within a row, shape (edges,) int32; each edge stands in both rows.
        weight: In (0, 1], shape (edges,) float32.
    """

    start: NDArray[np.int64]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]

    @property
    def vertices(self) -> int:
        """Number of samples."""
        return len(self.start) - 1


def graph(found: Neighbours) -> Graph:
    """Join the neighbours of all samples into one graph.

    k neighbours here are umap-learn's `n_neighbors` k + 1, which counts the sample itself.

    Args:
        found: Neighbours of n samples, sorted by distance.

    Returns:
        The union a + b - a b of both directions of every pair.

    Raises:
        LayoutError: There are no neighbours.
    """
    n, k = found.index.shape
    if n == 0 or k == 0:
        raise LayoutError("a graph needs samples with neighbours")
    rows = np.repeat(np.arange(n), k)
    directed = sparse.csr_array((strengths(found.distance).ravel(), (rows, found.index.ravel())), shape=(n, n))
    reverse = sparse.csr_array(directed.T)
    joined = sparse.csr_array(directed + reverse - directed.multiply(reverse))
    joined.eliminate_zeros()
    joined.sort_indices()
    return Graph(
        start=joined.indptr.astype(np.int64),
        target=joined.indices.astype(np.int32),
        weight=joined.data.astype(np.float32),
    )


def strengths(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """How strongly each sample holds each of its neighbours, from its own side.

    Args:
        distance: Sorted distances, shape (n, k).

    Returns:
        Shape (n, k), in (0, 1], 1 for the nearest.
    """
    nearest, scale = calibrate(distance)
    excess = np.maximum(distance - nearest[:, None], 0).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        strength = np.where((excess > 0) & (scale[:, None] > 0), np.exp(-excess / scale[:, None]), 1.0)
    return strength.astype(np.float32)


def calibrate(distance: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Find each sample's distance to its nearest neighbour and the scale at which it has log2(k + 1) neighbours.

    Args:
        distance: Sorted distances, shape (n, k).

    Returns:
        The smallest distance above zero (0 where there is none) and the scale, each of shape (n,).
    """
    distance = distance.astype(np.float64)
    n, k = distance.shape
    positive = np.where(distance > 0, distance, np.inf).min(axis=1)
    nearest = np.where(np.isfinite(positive), positive, 0.0)
    excess = np.maximum(distance - nearest[:, None], 0)
    wanted = np.log2(k + 1)
    low, high, scale = np.zeros(n), np.full(n, np.inf), np.ones(n)
    open_ = np.ones(n, dtype=bool)
    for _ in range(BISECTIONS):
        total = np.exp(-excess[open_] / scale[open_, None]).sum(axis=1)
        found = np.abs(total - wanted) < TOLERANCE
        rows = np.flatnonzero(open_)
        above, below = rows[~found & (total > wanted)], rows[~found & (total <= wanted)]
        high[above] = scale[above]
        low[below] = scale[below]
        open_[rows[found]] = False
        moved = np.flatnonzero(open_)
        if len(moved) == 0:
            break
        bounded = np.isfinite(high[moved])
        scale[moved] = np.where(bounded, (low[moved] + np.where(bounded, high[moved], 0)) / 2, 2 * scale[moved])
    # The sample itself, at distance 0, belongs to umap-learn's means.
    own_mean = distance.sum(axis=1) / (k + 1)
    least = LEAST_SCALE * np.where(nearest > 0, own_mean, distance.sum() / (n * (k + 1)))
    return nearest, np.maximum(scale, least)
