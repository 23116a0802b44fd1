import itertools

import numpy as np
import pytest

from atlas_core.errors import InputError
from atlas_core.polygon import MOST_CORNERS, Polygon

HOOK = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.7, 0.9], [0.7, 0.3], [0.1, 0.3]]


@pytest.mark.parametrize(
    ("point", "inside"),
    [((0.2, 0.2), True), ((0.8, 0.8), True), ((0.5, 0.5), False), ((0.5, 0.95), False), ((0.05, 0.2), False)],
)
def test_a_point_is_inside_or_not(point: tuple[float, float], inside: bool) -> None:
    for corners in (HOOK, HOOK[::-1]):
        assert Polygon(corners).holds(np.array([point])).tolist() == [inside]


def test_inside_is_what_the_outline_winds_around() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((2000, 2))
    middle, angles = np.array([0.5, 0.5]), np.sort(rng.random(40)) * 2 * np.pi
    corners = middle + rng.uniform(0.1, 0.5, (40, 1)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    spokes = np.stack([*corners, corners[0]])[None] - points[:, None]
    directions = np.arctan2(spokes[..., 1], spokes[..., 0])
    turns = (np.diff(directions, axis=1) + np.pi) % (2 * np.pi) - np.pi
    around = np.abs(turns.sum(axis=1)) > np.pi
    assert 200 < around.sum() < 1800
    assert Polygon(corners.tolist()).holds(points).tolist() == around.tolist()


def test_where_the_outline_crosses_itself_the_middle_of_a_star_is_outside() -> None:
    star = [[0.5 + 0.4 * np.sin(turn), 0.5 + 0.4 * np.cos(turn)] for turn in np.arange(5) * 4 * np.pi / 5]
    assert Polygon(star).holds(np.array([[0.5, 0.5], [0.5, 0.85]])).tolist() == [False, True]


def test_polygons_that_tile_the_map_share_no_point_and_leave_none_out() -> None:
    rng = np.random.default_rng(4)
    steps = np.linspace(0, 1, 5)
    points = np.concatenate([rng.random((500, 2)), list(itertools.product(steps, steps))]).astype(np.float32)
    inner = {(column, row): [0.5 * (column == 1) + 0.31, 0.5 * (row == 1) + 0.17] for column in (0, 1)
             for row in (0, 1)}  # fmt: skip
    ring = [inner[0, 0], inner[1, 0], inner[1, 1], inner[0, 1]]
    edge = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
    parts: list[list[list[float]]] = [ring]
    parts += [[edge[n], edge[n - 3], ring[n - 3], ring[n]] for n in range(4)]
    held = np.stack([Polygon(corners).holds(points) for corners in parts])
    assert held.sum(axis=0).tolist() == [1] * len(points)


def test_the_rectangle_around_it() -> None:
    assert Polygon(HOOK).bounds == (0.1, 0.1, 0.9, 0.9)


@pytest.mark.parametrize(
    ("corners", "said"),
    [
        ([[0, 0], [1, 1]], "3 to 500 corners, this one has 2"),
        ([[0.5, 0.5]] * (MOST_CORNERS + 1), "this one has 501"),
        ([[0, 0], [1, 0], [0.5, 1.1]], "outside the map"),
        ([[0, 0], [1, 0], [0.5, float("nan")]], "not finite"),
    ],
)
def test_what_is_no_polygon_is_refused(corners: list[list[float]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Polygon(corners)
