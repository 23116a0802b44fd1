import numpy as np
import pytest

from atlas_core.along import along_axes
from atlas_core.errors import LayoutError


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
