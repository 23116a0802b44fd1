"""umap-learn's own optimiser on our graph: the reference to choose instead of the batch optimiser, and its yardstick.

McInnes, Healy, Melville, "UMAP", 2018. Seeded, and so on one thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from atlas_core.layout.optimise import EPOCHS, MIN_DIST, curve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.layout.graph import Graph

NEGATIVES = 5


def optimise_by_umap(
    graph: Graph,
    start: NDArray[np.floating[Any]],
    *,
    epochs: int = EPOCHS,
    min_dist: float = MIN_DIST,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Move the samples as umap-learn does; it cannot be cancelled between epochs.

    Args:
        graph: Symmetric graph of n samples.
        start: First positions, shape (n, 2), about ±10 wide.
        epochs: Passes over the graph.
        min_dist: How near two samples may lie.
        seed: Of the negatives.

    Returns:
        Points, shape (n, 2) float32.
    """
    from umap.umap_ import simplicial_set_embedding

    edges = sparse.coo_matrix(sparse.csr_matrix((graph.weight.copy(), graph.target, graph.start)))
    a, b = curve(min_dist)
    points, _ = simplicial_set_embedding(
        np.zeros((graph.vertices, 1), np.float32), edges, n_components=2, initial_alpha=1.0, a=a, b=b, gamma=1.0,
        negative_sample_rate=NEGATIVES, n_epochs=epochs, init=np.asarray(start, np.float32),
        random_state=np.random.RandomState(seed % 2**32), metric="cosine", metric_kwds={}, densmap=False,
        densmap_kwds={}, output_dens=False,
    )  # fmt: skip
    return np.asarray(points, dtype=np.float32)
