import numpy as np
import pytest

from atlas_core.binning import assign_cells
from atlas_core.errors import LayoutError


def test_corners_lie_at_their_corners_and_row_0_is_the_top() -> None:
    corners = np.array([[0, 1], [1, 1], [0, 0], [1, 0]], dtype=np.float32)
    assert assign_cells(corners, 4).tolist() == [[0, 0], [3, 0], [0, 3], [3, 3]]


def test_bins_are_half_open_and_the_last_edge_belongs_to_the_last_cell() -> None:
    points = np.array([[0.25, 0.25], [0.2499, 0.2499], [0.5, 0.5], [1, 1]], dtype=np.float32)
    assert assign_cells(points, 4).tolist() == [[1, 2], [0, 3], [2, 1], [3, 0]]


@pytest.mark.parametrize("point", [[np.nan, 0.5], [1.01, 0.5], [-0.01, 0.5]])
def test_points_outside_the_unit_square_are_refused(point: list[float]) -> None:
    with pytest.raises(LayoutError, match="unit square"):
        assign_cells(np.array([point], dtype=np.float32), 4)
    with pytest.raises(LayoutError, match="side"):
        assign_cells(np.array([[0.5, 0.5]], dtype=np.float32), 0)
