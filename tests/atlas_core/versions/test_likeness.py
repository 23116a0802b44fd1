"""How alike two sets of activations are: known values, what leaves them alone, and what no relation gives."""

from __future__ import annotations

import numpy as np
import pytest

from atlas_core.versions.likeness import alignment, gram, mean_overlap, overlaps


def drawn(seed: int, n: int = 200, channels: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, channels))


def test_a_model_and_itself_are_one_and_do_not_differ() -> None:
    own = gram(drawn(0))
    found = alignment(own, own)
    assert found is not None
    assert found.value == pytest.approx(1)
    assert found.images == 200
    assert not found.differs


def test_turning_scaling_and_shifting_change_nothing() -> None:
    rows = drawn(1)
    turn, _ = np.linalg.qr(drawn(2, 30))
    found = alignment(gram(rows), gram(3 * rows @ turn + 5))
    assert found is not None
    assert found.value == pytest.approx(1)
    assert not found.differs


def test_unrelated_models_are_near_zero_however_many_channels() -> None:
    """The biased estimate of this would be .9."""
    found = alignment(gram(drawn(3, 100, 1000)), gram(drawn(4, 100, 1000)))
    assert found is not None
    assert abs(found.value) < 0.1
    assert found.low < 0 < found.high
    assert found.differs


def test_alignment_is_the_unbiased_ratio_of_its_definition() -> None:
    """Song et al., 2012, by double sums over pairs, triples and quadruples of distinct samples."""
    first, second = drawn(5, 20, 4), drawn(6, 20, 4) + drawn(5, 20, 4)
    found = alignment(gram(first), gram(second))

    def dependence(one: np.ndarray, other: np.ndarray) -> float:
        n, ones = len(one), np.ones(len(one))
        terms = (
            np.trace(one @ other),
            ones @ one @ ones * (ones @ other @ ones) / ((n - 1) * (n - 2)),
            -2 / (n - 2) * (ones @ one @ other @ ones),
        )
        return float(sum(terms) / (n * (n - 3)))

    own, other = gram(first), gram(second)
    assert found is not None
    both = np.sqrt(dependence(own, own) * dependence(other, other))
    assert found.value == pytest.approx(dependence(own, other) / both)


def test_the_interval_holds_what_more_images_say() -> None:
    """Half of the variance is shared: the value of 2,000 images lies in most intervals of 100."""
    shared = drawn(7, 2000, 5)
    first, second = np.hstack([shared, drawn(8, 2000, 5)]), np.hstack([shared, drawn(9, 2000, 5)])
    true = alignment(gram(first), gram(second))
    assert true is not None
    within = 0
    for part in range(20):
        rows = slice(100 * part, 100 * part + 100)
        found = alignment(gram(first[rows]), gram(second[rows]))
        assert found is not None
        within += found.low <= true.value <= found.high
    assert within >= 16


def test_few_images_and_dead_layers_say_nothing() -> None:
    assert alignment(gram(drawn(0, 19)), gram(drawn(0, 19))) is None
    assert alignment(gram(np.ones((30, 4))), gram(drawn(0, 30))) is None


def test_overlap_counts_neighbours_whose_twins_are_neighbours() -> None:
    first = np.array([[1, 2], [0, 2], [0, 1]])
    second = np.array([[1, 2], [2, 0], [0, 1]])  # of other samples: 0 is the twin of 1, 1 of 2, 2 of none
    twin = np.array([-1, 0, 1])
    found = overlaps(first, second, twin)
    assert np.isnan(found[0])
    assert found[1:].tolist() == [0.5, 0.5]  # of 1: {0, 2} → {none, 1}, against {1, 2}; of 2: {0, 1} → {none, 0}


def test_each_image_counts_once() -> None:
    overlap = np.array([1.0] * 19 + [0.0, 0.0, 0.0, np.nan])
    images = np.array([*range(19), 19, 19, 19, 20])
    found = mean_overlap(overlap, images)
    assert found is not None
    assert found.value == pytest.approx(0.95)
    assert found.images == 20
    assert found.high == 1
    assert found.low == pytest.approx(0.95 - 1.96 * 0.05)
    assert mean_overlap(overlap[:19], images[:19]) is None
