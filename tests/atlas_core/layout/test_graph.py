import numpy as np
import pytest
from scipy import sparse

from atlas_core.errors import LayoutError
from atlas_core.layout.graph import Graph, calibrate, graph
from atlas_core.layout.neighbours import Neighbours, neighbours


def dense(made: Graph) -> np.ndarray:
    n = made.vertices
    return np.asarray(sparse.csr_array((made.weight, made.target, made.start), shape=(n, n)).todense())


def test_the_scale_gives_log2_neighbours() -> None:
    distance = np.array([[0.1, 0.2, 0.4], [0.5, 0.5, 0.9]], dtype=np.float32)
    nearest, scale = calibrate(distance)
    np.testing.assert_allclose(nearest, [0.1, 0.5])
    total = np.exp(-(distance - nearest[:, None]) / scale[:, None]).sum(axis=1)
    np.testing.assert_allclose(total, np.log2(4), atol=1e-4)


def test_the_scale_of_equal_distances_falls_to_a_thousandth_of_their_mean() -> None:
    _, scale = calibrate(np.full((2, 3), 0.4, dtype=np.float32))
    np.testing.assert_allclose(scale, 1e-3 * 1.2 / 4, rtol=1e-6)  # the mean counts the sample itself, at 0


def test_both_directions_of_a_pair_are_joined() -> None:
    # 0 and 1 choose each other at strength 1; 2 chooses 1 at strength 1, which 1 does not return
    found = Neighbours(np.array([[1], [0], [1]], np.int32), np.array([[0.1], [0.1], [0.3]], np.float32))
    np.testing.assert_allclose(dense(graph(found)), [[0, 1, 0], [1, 0, 1], [0, 1, 0]])


def test_the_graph_is_that_of_umap_learn() -> None:
    from umap.umap_ import fuzzy_simplicial_set

    rng = np.random.default_rng(0)
    activations = rng.normal(size=(200, 6))
    activations[7] = activations[3]  # a pair at distance 0
    found = neighbours(activations, np.arange(200), 10)
    index = np.concatenate([np.arange(200)[:, None], found.index], axis=1)
    distance = np.concatenate([np.zeros((200, 1), np.float32), found.distance], axis=1)
    theirs, _, _ = fuzzy_simplicial_set(
        activations, 11, np.random.RandomState(0), "cosine", knn_indices=index, knn_dists=distance
    )
    np.testing.assert_allclose(dense(graph(found)), theirs.toarray(), atol=2e-4)


def test_nothing_is_refused() -> None:
    with pytest.raises(LayoutError, match="neighbours"):
        graph(Neighbours(np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32)))
