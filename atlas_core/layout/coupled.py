"""One graph over two sets of samples, so that the second is laid out against the first, or both with each other.

Fixed samples have no edges of their own in it: the optimiser moves a vertex along its own row only, so that they pull
and repel and stay, to the bit, where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from atlas_core.errors import LayoutError
from atlas_core.layout.graph import Graph, strengths
from atlas_core.layout.neighbours import Neighbours
from atlas_core.nearest import NO_IMAGE, propose_all, ranked, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TWIN_WEIGHT = 1.0


def cross_neighbours(
    activations: NDArray[np.floating[Any]],
    fixed: NDArray[np.floating[Any]],
    k: int,
    *,
    images: NDArray[np.integer[Any]] | None = None,
    fixed_images: NDArray[np.integer[Any]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    """The k nearest fixed samples of each sample by cosine, every pair compared.

    Args:
        activations: Shape (n, channels).
        fixed: Shape (m, channels), in the same space.
        k: Neighbours of a sample.
        images: Image of each sample, shape (n,), where both come from one dataset: own images are left out then.
        fixed_images: Image of each fixed sample, shape (m,).
        on_progress: Called with (samples done, samples); raising in it cancels.

    Returns:
        Indices among the fixed samples and distances, the nearest first.

    Raises:
        LayoutError: A sample has fewer than k fixed samples of other images.
    """
    unit, others = unit_rows(activations), unit_rows(fixed)
    n = len(unit)
    own = np.full(n, NO_IMAGE, np.int64) if images is None else images.astype(np.int64)
    theirs = np.zeros(len(others), np.int64) if fixed_images is None else fixed_images.astype(np.int64)
    candidates = np.full((n, 2 * k), -1, dtype=np.int64)
    propose_all(unit, own, others, theirs, candidates, on_progress=on_progress)
    index, distance = ranked(unit, others, candidates, k)
    if not np.isfinite(distance).all():
        raise LayoutError(
            f"a sample has fewer than {k} samples of other images in the anchor; ask for fewer neighbours"
        )
    return Neighbours(index=index.astype(np.int32), distance=distance.astype(np.float32))


def coupled(
    moving: Graph, fixed: int, *, twin: NDArray[np.int64] | None = None, cross: Neighbours | None = None
) -> Graph:
    """Tie a graph to samples that do not move.

    Args:
        moving: Of the n samples to lay out.
        fixed: Number of fixed samples, m; they are the first vertices of the result.
        twin: The fixed sample that is the same image and point, shape (n,); -1 for none: an edge of weight 1 each.
        cross: The nearest fixed samples of each sample, strengths as in UMAP's graph.

    Returns:
        A graph of m + n vertices whose first m rows are empty.

    Raises:
        LayoutError: Nothing ties the samples to the fixed ones.
    """
    n = moving.vertices
    ties = sparse.csr_array((n, fixed), dtype=np.float32)
    if twin is not None and (twin >= 0).any():
        rows = np.flatnonzero(twin >= 0)
        weights = np.full(len(rows), TWIN_WEIGHT, np.float32)
        ties = ties + sparse.csr_array((weights, (rows, twin[rows])), shape=(n, fixed))
    if cross is not None:
        ties = sparse.csr_array(ties.maximum(_directed(cross, fixed)))
    if ties.nnz == 0:
        raise LayoutError("nothing ties these samples to the anchor: no twins, and no neighbours in its activations")
    rows = sparse.csr_array(sparse.hstack([ties, _matrix(moving)]))
    rows.sort_indices()
    return Graph(
        start=np.concatenate([np.zeros(fixed, np.int64), rows.indptr.astype(np.int64)]),
        target=rows.indices.astype(np.int32),
        weight=rows.data.astype(np.float32),
    )


def joined(first: Graph, second: Graph, twin: NDArray[np.int64], weight: float = TWIN_WEIGHT) -> Graph:
    """Two graphs as blocks of one, with an edge between twins: both move, and neither is the other's measure.

    Args:
        first: Of n samples, the first vertices of the result.
        second: Of m samples.
        twin: Of each of the first's samples the second's that is the same image and point, shape (n,); -1 for none.
        weight: Of the edges between twins, above 0; 1 is that of the nearest neighbours.

    Returns:
        A symmetric graph of n + m vertices.

    Raises:
        LayoutError: There are no twins, or the weight is not positive.
    """
    rows = np.flatnonzero(twin >= 0)
    if len(rows) == 0 or not weight > 0:
        raise LayoutError(f"two sets are laid out together by their twins: there are {len(rows)}, of weight {weight:g}")
    n, m = first.vertices, second.vertices
    ties = sparse.csr_array((np.full(len(rows), weight, np.float32), (rows, twin[rows])), shape=(n, m))
    blocks = sparse.block_array([[_matrix(first), ties], [ties.T, _matrix(second)]], format="csr")
    blocks.sort_indices()
    return Graph(blocks.indptr.astype(np.int64), blocks.indices.astype(np.int32), blocks.data.astype(np.float32))


def _matrix(of: Graph) -> Any:
    return sparse.csr_array((of.weight, of.target, of.start), shape=(of.vertices, of.vertices))


def _directed(cross: Neighbours, fixed: int) -> Any:
    n, k = cross.index.shape
    rows = np.repeat(np.arange(n), k)
    return sparse.csr_array((strengths(cross.distance).ravel(), (rows, cross.index.ravel())), shape=(n, fixed))
