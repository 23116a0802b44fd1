import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.layout.graph import Graph, graph
from atlas_core.layout.neighbours import neighbours
from atlas_core.layout.optimise import curve, optimise
from atlas_core.layout.plane import start_points
from atlas_core.layout.quality import quality
from atlas_core.layout.reference import optimise_by_umap

PAIR = Graph(np.array([0, 1, 2]), np.array([1, 0], np.int32), np.ones(2, np.float32))


def clusters(n: int = 1500) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 32))
    rows = centres[rng.integers(0, 12, n)] + 0.8 * rng.normal(size=(n, 32))
    return rows.astype(np.float32), np.arange(n) // 5


def test_the_curve_is_that_of_umap_learn() -> None:
    from umap.umap_ import find_ab_params

    for min_dist in (0.01, 0.05, 0.1, 0.5):
        np.testing.assert_allclose(curve(min_dist), find_ab_params(1.0, min_dist), rtol=1e-5)


def test_an_edge_pulls_and_loose_samples_are_pushed_away() -> None:
    loose = Graph(np.array([0, 1, 2, 2]), np.array([1, 0], np.int32), np.ones(2, np.float32))
    start = np.array([[-3, 0], [3, 0], [3.2, 0.1]])
    points = optimise(loose, start, epochs=50)
    assert np.linalg.norm(points[0] - points[1]) < 2
    assert points[2].tolist() == pytest.approx([3.2, 0.1])  # nothing moves a sample without edges


def test_one_epoch_moves_by_one_step_of_adam() -> None:
    # Bias-corrected, the first step of Adam is the learning rate in each coordinate with a force.
    points = optimise(PAIR, np.array([[-4.0, 0], [4, 0]]), epochs=1)
    np.testing.assert_allclose(points, [[-3, 0], [3, 0]], atol=1e-5)


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    activations, images = clusters(5000)
    made = graph(neighbours(activations, images))
    start = start_points(activations)
    one = optimise(made, start, epochs=20, threads=1)
    assert one.tobytes() == optimise(made, start, epochs=20, threads=3).tobytes()
    assert one.tobytes() != optimise(made, start, epochs=20, seed=1).tobytes()


def test_layouts_are_as_trustworthy_as_those_of_umap_learn() -> None:
    activations, images = clusters()
    made = graph(neighbours(activations, images))
    start = start_points(activations)
    theirs = optimise_by_umap(made, start)
    assert theirs.shape == start.shape
    ours = quality(activations, optimise(made, start), images)
    reference = quality(activations, theirs, images)
    assert ours.trustworthiness >= reference.trustworthiness - 0.02
    assert ours.trustworthiness > 0.9
    assert ours.continuity >= reference.continuity - 0.02


def test_the_callback_is_told_every_epoch_and_cancels() -> None:
    told: list[tuple[int, int]] = []
    optimise(PAIR, np.array([[-1.0, 0], [1, 0]]), epochs=3, on_epoch=lambda done, epochs: told.append((done, epochs)))
    assert told == [(1, 3), (2, 3), (3, 3)]

    def cancel(done: int, epochs: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optimise(PAIR, np.zeros((2, 2)), on_epoch=cancel)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(LayoutError, match="start"):
        optimise(PAIR, np.zeros((3, 2)))
    with pytest.raises(LayoutError, match="epochs"):
        optimise(PAIR, np.zeros((2, 2)), epochs=0)
    with pytest.raises(LayoutError, match="min_dist"):
        optimise(PAIR, np.zeros((2, 2)), min_dist=1.5)
