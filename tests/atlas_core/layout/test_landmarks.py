from typing import Any

import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.inverted import InvertedLists
from atlas_core.layout.graph import graph
from atlas_core.layout.landmarks import choose_landmarks, nearest_landmarks, place_among, settle_among
from atlas_core.layout.neighbours import neighbours
from atlas_core.layout.optimise import optimise
from atlas_core.layout.placement import neighbour_weights
from atlas_core.layout.plane import start_points
from atlas_core.layout.quality import quality
from atlas_core.nearest import unit_rows

SAMPLES, LANDMARKS, AN_IMAGE = 6000, 1500, 6


def test_each_image_gives_its_first_points_and_the_first_images_one_more() -> None:
    image = np.repeat(np.arange(4), [3, 3, 1, 3])
    point = np.array([5, 0, 2, 1, 4, 9, 7, 2, 3, 0])  # of the samples in order
    rank = np.array([2, 0, 3, 1])
    chosen = choose_landmarks(image, point, rank, 6)
    # The first point of each image, then the second of images 1 and 3, first by hashed id.
    assert chosen.tolist() == [1, 3, 4, 6, 7, 9]
    assert choose_landmarks(image, point, rank, 2).tolist() == [3, 9]
    assert choose_landmarks(image, point, rank, 50).tolist() == list(range(10))


def test_landmarks_of_the_own_image_are_never_taken() -> None:
    rng = np.random.default_rng(0)
    activations, images = rng.normal(size=(400, 8)).astype(np.float32), np.arange(400) // 4
    lists = InvertedLists.build(unit_rows(activations))
    index, distance = nearest_landmarks(activations, images, activations, images, lists, k=5)
    assert (images[index] != images[:, None]).all()
    assert (np.diff(distance, axis=1) >= 0).all()
    cosine = unit_rows(activations) @ unit_rows(activations).T
    cosine[images[:, None] == images[None]] = -2
    np.testing.assert_allclose(distance[:, 0], 1 - cosine.max(axis=1), atol=1e-5)
    with pytest.raises(LayoutError, match="fewer than 15 landmarks"):
        nearest_landmarks(activations, images, activations[:12], images[:12], InvertedLists.build(
            unit_rows(activations[:12])))  # fmt: skip


def test_a_sample_whose_lists_hold_only_its_own_image_is_compared_with_all() -> None:
    rng = np.random.default_rng(0)
    islands = np.repeat(np.eye(30), 40, axis=0) + 0.01 * rng.normal(size=(1200, 30))  # an image an island
    images = np.repeat(np.arange(30), 40)
    lists = InvertedLists.build(unit_rows(islands))
    index, _ = nearest_landmarks(islands, images, islands, images, lists, k=15)
    assert (images[index] != images[:, None]).all()


@pytest.fixture(scope="module")
def laid() -> dict[str, Any]:
    """Samples of overlapping clusters with a streak each, a full fit, landmarks among them, and both placements."""
    rng = np.random.default_rng(0)
    centres, streaks = rng.normal(size=(2, 25, 24))
    which = rng.integers(0, 25, SAMPLES // AN_IMAGE).repeat(AN_IMAGE)
    along = rng.uniform(-1, 1, SAMPLES)[:, None]
    own = 0.25 * rng.normal(size=(SAMPLES // AN_IMAGE, 24)).repeat(AN_IMAGE, axis=0)
    rows = (centres[which] + along * streaks[which] + own + 0.25 * rng.normal(size=(SAMPLES, 24))).astype(np.float32)
    images, point = np.arange(SAMPLES) // AN_IMAGE, np.arange(SAMPLES) % AN_IMAGE

    def fit(some: np.ndarray) -> np.ndarray:
        return optimise(graph(neighbours(rows[some], images[some])), start_points(rows[some]))

    chosen = choose_landmarks(images, point, np.arange(len(images)), LANDMARKS)
    points = fit(chosen)
    lists = InvertedLists.build(unit_rows(rows[chosen]))
    index, distance = nearest_landmarks(rows, images, rows[chosen], images[chosen], lists)
    placed, mean = place_among(points, index, distance), np.empty((SAMPLES, 2))
    mean = np.einsum("nk,nkd->nd", neighbour_weights(distance), points[index])
    settled = settle_among(points, placed, index, distance, epochs=30, min_dist=0.05)
    settled[chosen] = placed[chosen] = mean[chosen] = points
    return {"rows": rows, "images": images, "full": fit(np.arange(SAMPLES)), "placed": placed, "mean": mean,
            "settled": settled}  # fmt: skip


def test_placed_samples_are_nearly_as_trustworthy_as_a_full_fit_and_means_are_not(laid: dict[str, Any]) -> None:
    found = {name: quality(laid["rows"], laid[name], laid["images"]) for name in ("full", "placed", "mean", "settled")}
    assert found["settled"].trustworthiness > found["placed"].trustworthiness - 0.001
    assert found["settled"].trustworthiness > found["full"].trustworthiness - 0.02
    assert found["placed"].trustworthiness > found["full"].trustworthiness - 0.03
    assert found["mean"].trustworthiness < found["placed"].trustworthiness
    # Leaving out the own image holds for placement as for the fit.
    assert found["placed"].same_image_share < found["full"].same_image_share + 0.02


def test_a_sample_settles_by_its_own_landmarks_and_clear_of_the_others() -> None:
    islands = np.array([[0.0, 0], [0, 0.2], [0.2, 0], [9, 9], [9, 9.2], [9.2, 9]])
    index = np.array([[0, 1, 2], [3, 4, 5]])
    distance = np.array([[0.1, 0.11, 0.12], [0.1, 0.11, 0.12]])
    start = np.array([[1.5, 1.5], [7.0, 7.0]], np.float32)
    settled = settle_among(islands, start, index, distance, epochs=50, min_dist=0.05)
    far = np.linalg.norm(settled - np.array([[0.07, 0.07], [9.07, 9.07]]), axis=1)
    assert (far < np.linalg.norm(start - np.array([[0.07, 0.07], [9.07, 9.07]]), axis=1) / 2).all()
    again = settle_among(islands, start, index, distance, epochs=50, min_dist=0.05)
    assert settled.tobytes() == again.tobytes()
