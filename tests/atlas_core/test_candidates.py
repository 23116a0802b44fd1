import numpy as np
import pytest

from atlas_core.candidates import AXES, BLOCK, STRIDE, along_axes, nearest_along, nearest_exactly
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


def test_float16_is_read_exactly() -> None:
    every = np.arange(2**16, dtype=np.uint16).view(np.float16)
    every = every[np.isfinite(every)][:, None]
    ones = np.ones((1, 1), np.float32)
    # A distance is 1 - value / length, kept in [0, 2]: with lengths of 2**16 it tells every value but the smallest.
    length = np.full(len(every), 2.0**16, np.float32)
    samples, distance = nearest_exactly(every, length, ones, np.arange(len(every))[None], len(every))
    np.testing.assert_array_equal(distance[0], 1 - every[samples[0], 0].astype(np.float64) / 2**16)
    # Subnormal ones, divided by their own step, are whole numbers.
    small = np.array([1, 2, 3, 0x8001], np.uint16).view(np.float16)[:, None]
    step = np.full(4, np.float32(2.0**-24) * 8, np.float32)
    samples, distance = nearest_exactly(small, step, ones, np.arange(4)[None], 4)
    assert samples.tolist() == [[2, 1, 0, 3]]
    assert distance.tolist() == [[1 - 3 / 8, 1 - 2 / 8, 1 - 1 / 8, 1 + 1 / 8]]


def test_candidates_are_ranked_by_cosine_then_by_number() -> None:
    samples = np.array([[0, 2], [3, 0], [1, 1], [5, 0], [-1, 0]], np.float16)
    length = np.linalg.norm(samples.astype(np.float32), axis=1)
    unit = np.array([[1, 0]], np.float32)
    found, distance = nearest_exactly(samples, length, unit, np.array([[0, 1, 2, 3, 4]]), 4)
    assert found.tolist() == [[1, 3, 2, 0]]
    np.testing.assert_allclose(distance, [[0, 0, 1 - np.sqrt(0.5), 1]], atol=1e-7)
    found, distance = nearest_exactly(samples, length, unit, np.array([[4, -1, -1]]), 2)
    assert found.tolist() == [[4, -1]]
    assert distance.tolist() == [[2, np.inf]]
