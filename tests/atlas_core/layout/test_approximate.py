import time

import numpy as np
import pytest

from atlas_core.layout.neighbours import neighbours


def clustered(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, 24))
    rows = centres[rng.integers(0, 20, n)] + 0.7 * rng.normal(size=(n, 24))
    return rows.astype(np.float16), rng.integers(0, n // 10, n)


def sorted_search(unit: np.ndarray, count: int, seed: int) -> np.ndarray:
    """What pynndescent would find if it were perfect: own image and the sample itself included."""
    return np.argsort(-(unit @ unit.T), axis=1, kind="stable")[:, :count].astype(np.int32)


@pytest.mark.proof  # pynndescent compiles for a minute
def test_nearly_all_neighbours_are_found_and_the_same_each_time() -> None:
    activations, images = clustered(1200)
    exact = neighbours(activations, images, 15)
    found = neighbours(activations, images, 15, exact_samples=100)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(found.index, exact.index, strict=True)]) > 0.95
    assert not (images[found.index] == images[:, None]).any()
    again = neighbours(activations, images, 15, exact_samples=100)
    np.testing.assert_array_equal(again.index, found.index)


def test_own_images_are_left_out_of_what_the_search_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas_core.layout.approximate._search", sorted_search)
    activations, images = clustered(400)
    told: list[tuple[int, int]] = []
    found = neighbours(activations, images, 5, exact_samples=100, on_progress=lambda done, n: told.append((done, n)))
    np.testing.assert_array_equal(found.index, neighbours(activations, images, 5).index)
    assert told[-1] == (400, 400)


def test_samples_with_only_their_own_image_near_are_compared_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atlas_core.layout.approximate._search", sorted_search)
    activations, images = clustered(400)
    activations[:100] = activations[0] + 0.001 * activations[:100]  # more samples of one image than are searched
    images[:100] = 500
    found = neighbours(activations, images, 5, exact_samples=100)
    np.testing.assert_array_equal(found.index, neighbours(activations, images, 5).index)


def test_cancelling_while_waiting_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_search(unit: np.ndarray, count: int, seed: int) -> np.ndarray:
        time.sleep(0.3)
        return sorted_search(unit, count, seed)

    monkeypatch.setattr("atlas_core.layout.approximate._search", slow_search)
    monkeypatch.setattr("atlas_core.layout.approximate.HEARTBEAT_SECONDS", 0.01)
    activations, images = clustered(400)

    def cancel(done: int, n: int) -> None:
        assert (done, n) == (0, 400)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        neighbours(activations, images, 5, exact_samples=100, on_progress=cancel)
