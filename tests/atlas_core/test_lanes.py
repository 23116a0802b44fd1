import numpy as np
import pytest

from atlas_core.lanes import AXES, LANES, NONE, axes_of, block_starts, listed_blocks, spread_blocks, stand_in_block


@pytest.mark.parametrize(("channels", "axes"), [(1, 4), (4, 4), (5, 8), (64, AXES), (512, AXES)])
def test_there_are_as_many_axes_as_are_added_at_a_time(channels: int, axes: int) -> None:
    assert axes_of(channels) == axes


def test_every_block_is_of_all_parts_of_the_samples() -> None:
    slots = spread_blocks(3 * LANES - 5)
    assert slots.shape == (3, LANES)
    assert slots[1, :3].tolist() == [1, 4, 7]
    assert sorted(slots[slots != NONE].tolist()) == list(range(3 * LANES - 5))
    assert (slots == NONE).sum() == 5


def test_a_list_begins_a_block() -> None:
    start = np.array([0, LANES + 2, LANES + 2, LANES + 5])
    order = np.arange(LANES + 5)[::-1].copy()
    slots = listed_blocks(order, start)
    assert block_starts(start).tolist() == [0, 2, 2, 3]
    assert slots[0].tolist() == order[:LANES].tolist()
    assert slots[1, :3].tolist() == [4, 3, NONE]
    assert slots[2, :4].tolist() == [2, 1, 0, NONE]


def test_numbers_of_a_block_give_squared_distances_along_the_axes_less_the_position_s_own_square() -> None:
    rng = np.random.default_rng(0)
    unit, axes, mean = rng.normal(size=(LANES, 6)), rng.normal(size=(4, 6)), rng.normal(size=6)
    slots = np.where(np.arange(LANES) < 50, np.arange(LANES), NONE)
    numbers = stand_in_block(unit.astype(np.float32), slots, mean.astype(np.float32),
                             axes.astype(np.float32))  # fmt: skip
    along = rng.normal(size=4)
    told = np.concatenate([[1], along]) @ numbers
    squared = ((axes @ (unit - mean).T - along[:, None]) ** 2).sum(axis=0)
    np.testing.assert_allclose(told[:50] + along @ along, squared[:50], rtol=1e-5)
    assert np.isposinf(told[50:]).all()
