"""The statistics of drift against formulas written out, their null, and what they find and could have found."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from atlas_core.drift import (
    BLOCK,
    Measured,
    counted,
    discrepancy,
    kernel,
    memberships,
    smallest_share,
)


def clouds(rng: np.random.Generator, first: int, second: int, shift: float = 0.0) -> np.ndarray:
    """Two sets of points in eight dimensions, the second moved along one."""
    found = rng.normal(size=(first + second, 8))
    found[first:, 0] += shift
    return found


def test_the_kernel_is_gaussian_and_as_wide_as_the_median_distance() -> None:
    points = np.random.default_rng(0).normal(size=(7, 3))
    distances = [np.linalg.norm(one - other) for one, other in itertools.combinations(points, 2)]
    width = np.median(np.square(distances))
    found = kernel(points, seed=0)
    for i, j in itertools.product(range(7), repeat=2):
        expected = 0 if i == j else np.exp(-(np.linalg.norm(points[i] - points[j]) ** 2) / (2 * width))
        assert found[i, j] == pytest.approx(expected, abs=1e-12)


def test_equal_images_have_a_kernel_without_a_width() -> None:
    assert kernel(np.ones((3, 2)), seed=0).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_the_width_of_many_images_is_that_of_some_drawn_of_both_sets() -> None:
    points = clouds(np.random.default_rng(0), 700, 700)
    off = ~np.eye(1400, dtype=bool)
    logs = [np.log(kernel(points, seed)[off]) for seed in (0, 1)]
    ratio = logs[0] / logs[1]
    assert ratio.std() < 1e-9  # the same distances by other widths
    assert 0.95 < ratio.mean() < 1.05
    assert ratio.mean() != 1


def brute_force(gram: np.ndarray, first: list[int], second: list[int]) -> float:
    """The unbiased estimator (Gretton and others 2012, equation 3), pair by pair."""
    within = sum(gram[i, j] for i in first for j in first if i != j) / (len(first) * (len(first) - 1))
    rest = sum(gram[i, j] for i in second for j in second if i != j) / (len(second) * (len(second) - 1))
    between = sum(gram[i, j] for i in first for j in second) / (len(first) * len(second))
    return float(within + rest - 2 * between)


def test_the_discrepancy_is_the_unbiased_estimator_also_of_every_permutation() -> None:
    gram = kernel(clouds(np.random.default_rng(1), 5, 8, 1.0), seed=0)
    found = discrepancy(gram, 5, permutations=20, seed=3)
    rows = np.concatenate(list(memberships(5, 8, 20, seed=3)))
    expected = [brute_force(gram, np.flatnonzero(row).tolist(), np.flatnonzero(row == 0).tolist()) for row in rows]
    assert np.flatnonzero(rows[0]).tolist() == [0, 1, 2, 3, 4]
    assert [found.value, *found.null] == pytest.approx(expected, abs=1e-12)


def test_permutations_are_of_whole_sets_and_come_from_the_seed() -> None:
    blocks = list(memberships(3, 4, BLOCK + 5, seed=1))
    assert [len(block) for block in blocks] == [1, BLOCK, 5]
    rows = np.concatenate(blocks)
    assert set(rows.sum(axis=1)) == {3}
    assert len(np.unique(rows, axis=0)) == 35  # of 7 images 3
    assert np.array_equal(rows, np.concatenate(list(memberships(3, 4, BLOCK + 5, seed=1))))
    assert not np.array_equal(rows, np.concatenate(list(memberships(3, 4, BLOCK + 5, seed=2))))


def test_p_counts_the_sets_themselves_and_what_is_equal() -> None:
    assert Measured(2.0, np.array([1.0, 2.0, 3.0, 0.0])).p == pytest.approx(3 / 5)
    assert Measured(9.0, np.array([1.0, 2.0, 3.0, 0.0])).p == pytest.approx(1 / 5)
    assert (Measured(3.0, np.array([1.0, 3.0])).excess, Measured(3.0, np.array([1.0, 3.0])).z) == (1, 1)
    assert Measured(1.0, np.array([1.0, 1.0])).z == 0


def test_without_drift_p_is_uniform() -> None:
    rng = np.random.default_rng(5)
    p = np.sort([discrepancy(kernel(clouds(rng, 20, 30), 0), 20, 99, seed).p for seed in range(300)])
    steps = np.arange(1, 301) / 300
    assert np.abs(p - steps).max() < 1.63 / np.sqrt(300) + 0.01  # Kolmogorov and Smirnov's bound at 1 %, and p's grid


def test_a_planted_shift_is_found() -> None:
    rng = np.random.default_rng(6)
    found = [discrepancy(kernel(clouds(rng, 60, 60, 1.0), 0), 60, 99, seed).p <= 0.05 for seed in range(20)]
    assert sum(found) >= 19


def test_positions_of_an_image_count_together() -> None:
    """Images of twenty alike positions: permuting them for themselves would take every split for drift."""
    rng = np.random.default_rng(7)
    p = []
    for seed in range(60):
        kinds = rng.integers(0, 5, size=40)
        counts = np.zeros((40, 5), np.int64)
        counts[np.arange(40), kinds] = 20
        p.append(counted(counts, 20, 99, seed).distance.p)
    assert np.mean(np.array(p) <= 0.05) < 0.15


def test_counts_give_shares_their_distance_and_where_they_differ() -> None:
    counts = np.array([[2, 0, 1]] * 30 + [[0, 2, 1]] * 30)
    found = counted(counts, 30, 199, seed=0)
    assert found.shares == pytest.approx(np.array([[2 / 3, 0, 1 / 3], [0, 2 / 3, 1 / 3]]))
    # the halves of the middle are 1/3, 1/3, 1/3: 2/3 · log2 2 of each set lie apart
    assert found.distance.value == pytest.approx(np.sqrt(2 / 3))
    assert found.distance.p == pytest.approx(1 / 200)
    assert found.p.tolist() == pytest.approx([1 / 200, 1 / 200, 1])
    assert counted(counts[:, :0], 30, 99, seed=0).distance.value == 0


def kinds_of_images(rng: np.random.Generator, count: int) -> np.ndarray:
    """Images of ten kinds, about a tenth each."""
    return np.asarray(3 * np.eye(10)[rng.integers(0, 10, size=count)] + rng.normal(size=(count, 10)))


def test_the_smallest_share_is_found_four_times_in_five() -> None:
    rng = np.random.default_rng(8)
    world = kinds_of_images(rng, 2000)
    told, found = [], []
    for seed in range(150):
        own, other = rng.permutation(world)[:300].reshape(2, 150, 10)
        gram = kernel(np.concatenate([own, other]), seed)
        share = smallest_share(gram, 150, discrepancy(gram, 150, 99, seed), 0.05, seed)
        assert share is not None
        told.append(share)
        # so much of the other set gives way to images of a kind: of the tenth of all that is nearest to one
        kind = np.argsort(np.linalg.norm(world - world[rng.integers(2000)], axis=1))[:200]
        replaced = round(float(np.median(told)) * 150)
        other[:replaced] = world[rng.permutation(kind)[:replaced]]
        found.append(discrepancy(kernel(np.concatenate([own, other]), seed), 150, 99, seed).p <= 0.05)
    assert 0.05 < np.median(told) < 0.5
    assert 0.7 < np.mean(found) < 0.9


def test_more_images_could_have_shown_less_and_too_few_nothing() -> None:
    rng = np.random.default_rng(9)
    shares = []
    for count in (4, 60, 400):
        gram = kernel(kinds_of_images(rng, 2 * count), 0)
        shares.append(smallest_share(gram, count, discrepancy(gram, count, 199, 0), 0.05, 0))
    assert shares[0] is None
    assert shares[1] is not None
    assert shares[2] is not None
    assert shares[2] < shares[1] / 1.5
