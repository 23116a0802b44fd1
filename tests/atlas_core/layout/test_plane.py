import numpy as np
import pytest

from atlas_core.errors import LayoutError
from atlas_core.layout.plane import principal_axes, start_from, start_points, turned, unit_square, window


def test_axes_are_ordered_by_variance_and_their_largest_entry_is_positive() -> None:
    rows = np.array([[0, -3, 0], [0, 3, 0], [1, 0, 0], [-1, 0, 0]], dtype=np.float32)
    np.testing.assert_allclose(principal_axes(rows, 2), [[0, 1, 0], [1, 0, 0]], atol=1e-7)
    assert principal_axes(rows[:, :1], 2).tolist() == [[1], [0]]


def test_a_start_reaches_ten_and_parts_equal_activations() -> None:
    activations = np.repeat(np.array([[1, 0, 0], [0.9, 0.1, 0], [0, 1, 0.1], [0, 0, 1]], dtype=np.float16), 2, axis=0)
    start = start_points(activations, seed=3)
    assert np.abs(start).max() == pytest.approx(10, abs=1e-3)
    assert 0 < np.abs(start[0] - start[1]).max() < 1e-3
    assert start.tobytes() == start_points(activations, seed=3).tobytes()
    assert start.tobytes() != start_points(activations, seed=4).tobytes()


def test_a_start_from_a_layout_keeps_its_shape_and_fills_gaps_from_neighbours() -> None:
    points = np.array([[0, 0], [1, 0.5], [0.5, 0.5], [np.nan, np.nan], [np.nan, np.nan]])
    start = start_from(points, np.array([[1], [0], [0], [1], [4]]))
    np.testing.assert_allclose(start[:4], [[-10, -5], [10, 5], [0, 5], [10, 5]], atol=1e-3)
    np.testing.assert_allclose(start[4], [0, 5 / 3], atol=1e-3)  # no neighbour is known: the mean of the known points


def test_a_start_from_nothing_is_refused() -> None:
    with pytest.raises(LayoutError, match="known"):
        start_from(np.full((2, 2), np.nan), np.zeros((2, 1), np.int64))


def test_the_unit_square_keeps_the_aspect_ratio() -> None:
    layout, clamped = unit_square(np.array([[-5, 10], [5, 10], [0, 15.0], [0, 10]]))
    # the window of 10 (less .1 % at each end of x) takes 1 / 1.04 of the square; y is half as high and in the middle
    width = layout[1, 0] - layout[0, 0]
    assert width == pytest.approx(1 / 1.04, abs=0.005)
    assert layout[2, 1] - layout[0, 1] == pytest.approx(width / 2, abs=0.005)
    assert layout[0, 1] + layout[2, 1] == pytest.approx(1, abs=0.005)
    assert layout[2, 1] > layout[3, 1]  # y still points upwards
    assert layout.dtype == np.float32
    assert clamped == 0


def test_far_samples_are_moved_to_the_edge_and_counted() -> None:
    points = np.random.default_rng(0).random((5000, 2))
    points[:3] = np.array([[50, 0.5], [0.5, -50], [-50, 50]])
    layout, clamped = unit_square(points)
    assert clamped == 3
    assert layout[0, 0] == 1
    assert layout[1, 1] == 0
    assert layout[2].tolist() == [0, 1]
    assert np.ptp(layout[3:]) > 0.95


def test_a_single_place_lies_in_the_middle() -> None:
    layout, clamped = unit_square(np.full((3, 2), 7.0))
    assert (layout.tolist(), clamped) == ([[0.5, 0.5]] * 3, 0)


def test_points_that_are_not_finite_are_refused() -> None:
    with pytest.raises(LayoutError, match="finite"):
        unit_square(np.array([[np.inf, 0]]))


def test_a_long_layout_is_turned_onto_the_diagonal_without_changing_a_distance() -> None:
    points = np.stack([np.linspace(-10, 10, 101), np.tile([-1.0, 0, 1.0, 0], 26)[:101]], axis=1)
    found = turned(points)
    slope = np.degrees(np.arctan2(*(found[-1] - found[0])[::-1]))
    assert abs(abs(slope) - 45) <= 1
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found[None], axis=2), apart, atol=1e-4)


def test_a_layout_that_fills_its_square_stays() -> None:
    corners = np.array([[x, y] for x in (-1.0, 0, 1) for y in (-1.0, 0, 1)])
    np.testing.assert_array_equal(turned(corners), corners)


def test_a_layout_is_shown_in_another_ones_window() -> None:
    shown = window(np.array([[0.0, 0.0], [10.0, 5.0]]))
    assert shown == pytest.approx([5, 2.5, 9.98 * 1.04])
    layout, clamped = unit_square(np.array([[5.0, 2.5], [5 + 9.98 * 0.26, 2.5], [50.0, 2.5]]), shown)
    assert layout == pytest.approx(np.array([[0.5, 0.5], [0.75, 0.5], [1.0, 0.5]]))
    assert clamped == 1
