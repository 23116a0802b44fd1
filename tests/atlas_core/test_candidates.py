import numpy as np
import pytest

from atlas_core.candidates import STRIDE, _distances, nearest_along, nearest_along_in_lists
from atlas_core.lanes import AXES, LANES, NONE, block_starts, listed_blocks, spread_blocks, stand_in_block

NOBODY = -1


def standing(samples: np.ndarray, slots: np.ndarray) -> np.ndarray:
    """Samples in their blocks, along axes that are their own."""
    whole, mean = np.eye(samples.shape[1], dtype=np.float32), np.zeros(samples.shape[1], np.float32)
    return np.stack([stand_in_block(samples[block], block, mean, whole) for block in slots])


@pytest.mark.parametrize(("axes", "count"), [(4, 7), (AXES, 40)])
@pytest.mark.parametrize("positions", [9, 1])
def test_the_nearest_along_the_axes_are_those_of_a_plain_search(axes: int, count: int, positions: int) -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(5 * STRIDE * LANES + 11, axes)).astype(np.float32)
    images = np.arange(len(samples)) // 3
    along = rng.normal(size=(positions, axes)).astype(np.float32)
    own = np.where(np.arange(positions) % 2, NOBODY, np.arange(positions) * 20)
    slots = spread_blocks(len(samples))
    found = nearest_along(standing(samples, slots), slots, images, along, own, count)
    for row in range(positions):
        distance = ((samples.astype(np.float64) - along[row]) ** 2).sum(axis=1)
        distance[images == own[row]] = np.inf
        assert sorted(found[row].tolist()) == sorted(np.argsort(distance)[:count].tolist())


def test_of_samples_as_near_the_first_are_taken_and_missing_ones_are_none() -> None:
    samples = np.zeros((1000, 4), np.float32)
    images = np.arange(1000) // 2
    along = np.ones((1, 4), np.float32)
    slots = spread_blocks(1000)
    blocks = standing(samples, slots)
    assert sorted(nearest_along(blocks, slots, images, along, np.array([NOBODY]), 4)[0].tolist()) == [0, 1, 2, 3]
    assert sorted(nearest_along(blocks, slots, images, along, np.array([1]), 4)[0].tolist()) == [0, 1, 4, 5]
    slots = spread_blocks(4)
    few = nearest_along(standing(samples[:4], slots), slots, images[:4], along, np.array([1]), 4)[0]
    assert sorted(few[:2].tolist()) == [0, 1]
    assert few[2:].tolist() == [-1, -1]


def test_a_bound_that_was_guessed_too_near_loses_nothing() -> None:
    rng = np.random.default_rng(1)
    n = 4 * STRIDE * LANES
    samples = rng.normal(size=(n, 8)).astype(np.float32)
    along = np.ones((1, 8), np.float32)
    slots = spread_blocks(n)
    samples[slots[: len(slots) // STRIDE].ravel()] = 1  # what the guess looks at lies on the position
    found = nearest_along(standing(samples, slots), slots, np.arange(n), along, np.array([NOBODY]), 600)
    expected = np.argsort(((samples.astype(np.float64) - 1) ** 2).sum(axis=1), kind="stable")[:600]
    assert sorted(found[0].tolist()) == sorted(expected.tolist())


def test_numbers_below_zero_sort_as_the_others_do() -> None:
    samples = np.linspace(-1, 3, 900, dtype=np.float32)[:, None] * np.ones((1, 4), np.float32)
    slots = spread_blocks(900)
    found = nearest_along(standing(samples, slots), slots, np.arange(900), np.full((1, 4), 3, np.float32),
                          np.array([NOBODY]), 800)  # fmt: skip
    assert sorted(found[0].tolist()) == list(range(100, 900))  # less the square of 3, some are below 0 and some above


def test_a_position_looks_through_its_own_lists_only() -> None:
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(2000, 4)).astype(np.float32)
    images = np.arange(2000) // 2
    order = rng.permutation(2000)
    start = np.array([0, 700, 700, 1100, 2000])  # the second list is empty
    along = rng.normal(size=(3, 4)).astype(np.float32)
    lists = np.array([[0, 1], [3, 0], [1, 1]])
    slots = listed_blocks(order, start)
    found = nearest_along_in_lists(standing(samples, slots), slots, images, along, np.array([NOBODY, 5, NOBODY]), 60,
                                   block_starts(start), lists)  # fmt: skip
    for row, held in enumerate((order[:700], np.concatenate([order[1100:], order[:700]]), order[:0])):
        distance = ((samples[held].astype(np.float64) - along[row]) ** 2).sum(axis=1)
        distance[images[held] == (5 if row == 1 else NOBODY)] = np.inf
        expected = held[np.argsort(distance)[:60]]
        assert sorted(found[row, : len(expected)].tolist()) == sorted(expected.tolist())
        assert (found[row, len(expected) :] == NONE).all()


def test_a_position_gets_the_same_bits_whichever_of_a_pair_it_is() -> None:
    rng = np.random.default_rng(3)
    along = rng.normal(size=(2, AXES)).astype(np.float32)
    near = rng.normal(size=(1 + AXES, LANES)).astype(np.float32)
    one, other, itself = np.empty((3, 2, LANES), np.float32)
    _distances(near, along, 0, 1, one)
    _distances(near, along, 1, 0, other)
    _distances(near, along, 1, 1, itself)
    assert one.tobytes() == other[::-1].tobytes()
    assert itself.tobytes() == other[[0, 0]].tobytes()
