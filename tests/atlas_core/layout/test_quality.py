import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.layout.quality import quality


def line(n: int) -> np.ndarray:
    """Activations along a quarter circle: their order by cosine is their order on the line."""
    angle = np.linspace(0, np.pi / 2, n)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def straight(n: int) -> np.ndarray:
    return np.stack([np.arange(n), np.zeros(n)], axis=1).astype(np.float64)


def test_a_faithful_layout_scores_one() -> None:
    angle = np.linspace(0.2, 1.2, 40) ** 2  # no two gaps are equal, so no ties
    activations = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = quality(activations, np.stack([angle, np.zeros(40)], axis=1), np.arange(40), k=5)
    assert (found.trustworthiness, found.continuity, found.recall) == (1, 1, 1)
    assert (found.same_image_share, found.queries, found.neighbours) == (0, 40, 5)


def test_a_random_layout_scores_a_half() -> None:
    points = np.random.default_rng(0).random((600, 2))
    found = quality(line(600), points, np.arange(600), k=5)
    assert found.trustworthiness == pytest.approx(0.5, abs=0.03)
    assert found.continuity == pytest.approx(0.5, abs=0.03)
    assert found.recall < 0.05


def test_the_measures_are_those_of_scikit_learn_without_own_images() -> None:
    from sklearn.manifold import trustworthiness

    rng = np.random.default_rng(1)
    activations, points = rng.normal(size=(80, 5)), rng.random((80, 2))
    found = quality(activations, points, np.arange(80), k=6)
    unit = activations / np.linalg.norm(activations, axis=1, keepdims=True)
    assert found.trustworthiness == pytest.approx(trustworthiness(unit, points, n_neighbors=6), abs=1e-6)
    assert found.continuity == pytest.approx(trustworthiness(points, unit, n_neighbors=6), abs=1e-6)


def test_a_tear_costs_continuity_and_a_fold_trust() -> None:
    n = 60
    torn = straight(n)
    torn[n // 2 :, 0] += 1000
    torn[n // 2 :, 0] = torn[n // 2 :, 0][::-1]
    folded = straight(n)
    folded[:, 0] = np.abs(folded[:, 0] - n / 2)
    torn_quality = quality(line(n), torn, np.arange(n), k=5)
    folded_quality = quality(line(n), folded, np.arange(n), k=5)
    assert torn_quality.continuity < torn_quality.trustworthiness
    assert folded_quality.trustworthiness < folded_quality.continuity


def test_own_images_count_only_in_their_share() -> None:
    # Twins of one image lie together in the plane and far apart in the layer: only the share may tell.
    activations = np.concatenate([line(30), line(30)[::-1]])
    points = np.concatenate([straight(30), straight(30) + np.array([0, 0.01])])
    images = np.concatenate([np.arange(30), np.arange(30)])
    found = quality(activations, points, images, k=2)
    assert found.same_image_share == 0.5


def test_queries_are_chosen_by_the_seed() -> None:
    points = np.random.default_rng(0).random((200, 2))
    scores = [quality(line(200), points, np.arange(200), k=5, queries=20, seed=seed) for seed in (1, 1, 2)]
    assert scores[0] == scores[1] != scores[2]
    assert scores[0].queries == 20


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(LayoutError, match="needed to measure"):
        quality(line(9), straight(9), np.arange(9), k=5)
    with pytest.raises(LayoutError, match="finite points"):
        quality(line(9), straight(8), np.arange(9), k=2)
