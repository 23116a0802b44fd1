import numpy as np
import pytest

from atlas_core.heatmap import enough_samples, extremes


def test_extremes_are_of_cells_with_enough_samples() -> None:
    count = np.array([50, 9, 30, 20, 10])
    values = np.array([0.5, 40.0, -0.75, np.nan, 0.25], np.float32)
    assert enough_samples(count) == 10
    assert extremes(values, count) == (-0.75, 0.5)


@pytest.mark.parametrize(("count", "enough"), [([3, 4, 8], 4), ([100, 12, 300], 10)])
def test_where_cells_are_small_half_of_them_count(count: list[int], enough: int) -> None:
    assert enough_samples(np.array(count)) == enough
    assert extremes(np.arange(3.0), np.array(count))[1] == 2


def test_a_map_of_nothing_has_no_extremes() -> None:
    assert extremes(np.array([np.nan, np.nan]), np.array([20, 20])) == (0, 0)
