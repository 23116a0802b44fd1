import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.layout.neighbours import neighbours


def directions(degrees: list[float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def test_neighbours_are_nearest_by_angle_whatever_the_length() -> None:
    activations = directions([0, 10, 30, 90]) * np.array([[1], [50], [1], [0.1]], dtype=np.float32)
    found = neighbours(activations, np.arange(4), 2)
    assert found.index.tolist() == [[1, 2], [0, 2], [1, 0], [2, 1]]
    np.testing.assert_allclose(found.distance[0], 1 - np.cos(np.deg2rad([10, 30])), atol=1e-6)


def test_no_sample_is_a_neighbour_of_its_own_image() -> None:
    found = neighbours(directions([0, 1, 40, 50]), np.array([4, 4, 6, 8]), 2)
    assert found.index.tolist() == [[2, 3], [2, 3], [3, 1], [2, 1]]


def test_ties_go_to_the_lower_index() -> None:
    found = neighbours(directions([0, 20, -20, 20]), np.arange(4), 2)
    assert found.index[0].tolist() == [1, 2]
    assert found.index[3].tolist() == [1, 0]


def clustered(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(20, 24))
    rows = centres[rng.integers(0, 20, n)] + 0.7 * rng.normal(size=(n, 24))
    return rows.astype(np.float16), rng.integers(0, n // 10, n)


def test_every_block_size_gives_the_same_and_agrees_with_sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    activations, images = clustered(300)
    whole = neighbours(activations, images, 7)
    monkeypatch.setattr("atlas_core.nearest.BLOCK_CELLS", 1000)
    parts = neighbours(activations, images, 7)
    np.testing.assert_array_equal(whole.index, parts.index)
    assert whole.distance.tobytes() == parts.distance.tobytes()
    unit = activations.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    distance = 1 - unit @ unit.T
    distance[images[:, None] == images] = np.inf
    np.testing.assert_array_equal(whole.index, np.argsort(distance, axis=1)[:, :7])


def test_progress_reaches_all_samples_and_cancels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas_core.nearest.BLOCK_CELLS", 100_000)
    activations, images = clustered(500)
    told: list[tuple[int, int]] = []
    neighbours(activations, images, 3, on_progress=lambda done, n: told.append((done, n)))
    assert told == [(200, 500), (400, 500), (500, 500)]

    def cancel(done: int, n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        neighbours(activations, images, 3, on_progress=cancel)


def test_what_cannot_work_is_refused() -> None:
    with pytest.raises(LayoutError, match="only 1 samples of other images"):
        neighbours(directions([0, 10, 20]), np.array([0, 0, 1]), 2)
    with pytest.raises(LayoutError, match="not finite"):
        neighbours(np.array([[np.nan, 1.0], [1, 0]]), np.arange(2), 1)
    with pytest.raises(LayoutError, match="one for each sample"):
        neighbours(directions([0, 10]), np.arange(3), 1)
    with pytest.raises(LayoutError, match="at least one"):
        neighbours(directions([0, 10]), np.arange(2), 0)
    with pytest.raises(LayoutError, match="number of its image"):
        neighbours(directions([0, 10]), np.array([-1, 1]), 1)


def test_lists_give_nearly_all_neighbours_and_the_same_each_time() -> None:
    activations, images = clustered(6000)
    exact = neighbours(activations, images, 15)
    found = neighbours(activations, images, 15, exact_samples=100)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(found.index, exact.index, strict=True)]) > 0.95
    assert not (images[found.index] == images[:, None]).any()
    again = neighbours(activations, images, 15, exact_samples=100)
    assert again.index.tobytes() == found.index.tobytes()


def test_samples_with_only_their_own_image_near_are_compared_with_all() -> None:
    activations, images = clustered(2000)
    activations[:1500] = activations[0] + 0.001 * activations[:1500]  # one image fills whole lists
    images[:1500] = 5000
    found = neighbours(activations, images, 5, exact_samples=100)
    np.testing.assert_array_equal(found.index[:1500], neighbours(activations, images, 5).index[:1500])


def test_the_search_through_lists_is_cancelled_between_blocks() -> None:
    activations, images = clustered(400)

    def cancel(done: int, n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        neighbours(activations, images, 5, exact_samples=100, on_progress=cancel)
