import numpy as np
import pytest

from atlas_core.candidates import (
    AXES,
    BLOCK,
    STRIDE,
    along_axes,
    nearest_along,
    nearest_along_in_lists,
)
from atlas_core.errors import LayoutError

NOBODY = -1


def test_positions_are_scaled_centred_and_turned() -> None:
    axes = np.array([[1, 0], [0, -1]], np.float32)
    unit, along = along_axes(np.array([[3, 4], [0, 0]]), np.array([0.5, 0.5], np.float32), axes)
    np.testing.assert_allclose(unit, np.array([[0.6, 0.8], [0, 0]]), atol=1e-7)
    np.testing.assert_allclose(along, np.array([[0.1, -0.3], [-0.5, 0.5]]), atol=1e-7)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_position_that_is_not_finite_is_named(wrong: float) -> None:
    rows = np.ones((3, 4))
    rows[2, 1] = wrong
    with pytest.raises(LayoutError, match="position 2 holds a number that is not finite"):
        along_axes(rows, np.zeros(4, np.float32), np.eye(4, dtype=np.float32))


@pytest.mark.parametrize(("axes", "count"), [(5, 7), (AXES, 40)])
def test_the_nearest_along_the_axes_are_those_of_a_plain_search(axes: int, count: int) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(12 * BLOCK + 11, axes)).astype(np.float32)
    images = np.arange(len(samples)) // 3
    along = rng.normal(size=(9, axes)).astype(np.float32)
    own = np.where(np.arange(9) % 2, NOBODY, np.arange(9) * 20)
    found = nearest_along(samples, images, along, own, count)
    for row in range(9):
        squared = ((samples.astype(np.float64) - along[row]) ** 2).sum(axis=1)
        squared[images == own[row]] = np.inf
        assert sorted(found[row].tolist()) == sorted(np.argsort(squared)[:count].tolist())


def test_of_samples_as_near_the_first_are_taken_and_missing_ones_are_none() -> None:
    samples = np.zeros((1000, 3), np.float32)
    images = np.arange(1000) // 2
    along = np.ones((1, 3), np.float32)
    assert sorted(nearest_along(samples, images, along, np.array([NOBODY]), 4)[0].tolist()) == [0, 1, 2, 3]
    assert sorted(nearest_along(samples, images, along, np.array([1]), 4)[0].tolist()) == [0, 1, 4, 5]
    few = nearest_along(samples[:4], images[:4], along, np.array([1]), 4)[0]
    assert sorted(few[:2].tolist()) == [0, 1]
    assert few[2:].tolist() == [-1, -1]


def test_a_bound_that_was_guessed_too_near_loses_nothing() -> None:
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(6400, 8)).astype(np.float32)
    samples[::STRIDE] = 0  # what the guess looks at lies on the position, nearer than all others
    found = nearest_along(samples, np.arange(6400), np.zeros((1, 8), np.float32), np.array([NOBODY]), 600)
    expected = np.argsort((samples.astype(np.float64) ** 2).sum(axis=1), kind="stable")[:600]
    assert sorted(found[0].tolist()) == sorted(expected.tolist())


def test_a_position_looks_through_its_own_lists_only() -> None:
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(2000, 5)).astype(np.float32)
    images = np.arange(2000) // 2
    order = rng.permutation(2000)
    start = np.array([0, 700, 700, 1100, 2000])  # the second list is empty
    along = rng.normal(size=(3, 5)).astype(np.float32)
    lists = np.array([[0, 1], [3, 0], [1, 1]])
    found = nearest_along_in_lists(samples, images, along, np.array([NOBODY, 5, NOBODY]), 60, order, start, lists)
    for row, held in enumerate((order[:700], np.concatenate([order[1100:], order[:700]]), order[:0])):
        squared = ((samples[held].astype(np.float64) - along[row]) ** 2).sum(axis=1)
        squared[images[held] == (5 if row == 1 else NOBODY)] = np.inf
        expected = held[np.argsort(squared)[:60]]
        assert sorted(found[row, : len(expected)].tolist()) == sorted(expected.tolist())
        assert (found[row, len(expected) :] == -1).all()
