from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.landing import (
    GAP,
    MAP,
    MARGIN,
    SIDEBAR,
    TITLE,
    brightest_cells,
    colours_of,
    draw_landing,
    level_enclosing,
    light,
    marks_of,
    seen_box,
)
from atlas_client.projection import Projection
from tests.landed import LAYER, answer, image


def pixel(picture: Image.Image, left: float, top: float) -> np.ndarray:
    return np.array(picture.getpixel((round(left), round(top))))


def on_map(picture: Image.Image, x: float, y: float) -> np.ndarray:
    return pixel(picture, MARGIN + SIDEBAR + GAP + x * MAP, MARGIN + TITLE + (1 - y) * MAP)


def test_the_map_shines_where_positions_land_and_is_faded_grey_elsewhere(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        picture = draw_landing(Projection(answer(), image(), "green.png"), atlas, LAYER, 4)
    red, green, blue = on_map(picture, 0.1, 0.86).astype(int)  # the icon at the top left is red
    assert red > green + 80
    assert red > blue + 80
    for x, y in ((0.97, 0.97), (0.03, 0.03)):  # icons of the other corners
        assert np.ptp(on_map(picture, x, y).astype(int)) <= 2
        assert on_map(picture, x, y).min() > 180
    assert on_map(picture, 0.5, 0.4).tolist() == [255, 255, 255]  # there is no cell
    assert pixel(picture, MARGIN + SIDEBAR / 2, MARGIN + TITLE + SIDEBAR / 2).tolist() == [0, 160, 0]


def test_a_position_has_one_colour_on_the_image_and_on_the_map(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        picture = draw_landing(Projection(answer(), image(), "green.png"), atlas, LAYER, 4)
    (colour, *_) = colours_of(np.array([0.1]), np.array([0.9]))
    assert np.abs(on_map(picture, 0.1, 0.9) - colour).max() <= 3
    at = MARGIN + SIDEBAR / 4, MARGIN + TITLE + SIDEBAR / 4
    assert np.abs(pixel(picture, *at) - colour).max() <= 3
    ambiguous = MARGIN + 3 * SIDEBAR / 4, MARGIN + TITLE + SIDEBAR / 4
    assert pixel(picture, *ambiguous).tolist() == [255, 255, 255]  # hollow


def test_colours_are_those_of_the_corners_and_blend() -> None:
    x, y = np.array([0.0, 1, 0, 1, 0.5]), np.array([1.0, 1, 0, 0, 0.5])
    assert colours_of(x, y)[:4] == [(24, 96, 240), (214, 20, 150), (0, 150, 70), (240, 120, 0)]
    assert colours_of(x, y)[4] == (120, 96, 115)


def test_a_far_position_is_a_cross_and_an_ambiguous_one_a_ring() -> None:
    assert marks_of(Projection(answer()).columns(LAYER)) == ["disc", "ring", "cross"]
    both = {"percentile": np.array([95.0, 94.9]), "ambiguous": np.array([True, True])}
    assert marks_of(both) == ["cross", "ring"]


def test_each_position_sheds_as_much_light_about_its_place() -> None:
    one = {"x": np.array([0.25]), "y": np.array([0.75]), "spread": np.array([0.0])}
    density = light(one)
    assert density.sum() == pytest.approx(1)
    row, column = np.unravel_index(np.argmax(density), density.shape)
    assert abs(int(row) - 80) <= 1
    assert abs(int(column) - 80) <= 1
    two = {"x": np.array([0.25, 0.75]), "y": np.array([0.75, 0.25]), "spread": np.array([0.0, 0.5])}
    density = light(two)
    assert density[:160, :160].sum() == pytest.approx(0.5, abs=1e-3)
    assert density[:160, :160].max() > 5 * density[160:, 160:].max()  # wide spreads shine dimly


def test_a_line_encloses_its_share() -> None:
    density = np.array([[0.1, 0.4], [0.2, 0.3]])
    assert level_enclosing(density, 0.3) == 0.4
    assert level_enclosing(density, 0.69) == 0.3
    assert level_enclosing(density, 1) == 0.1


def test_the_brightest_cells_are_named_apart_from_each_other() -> None:
    heat = np.zeros((10, 10))
    heat[2, 3], heat[2, 4], heat[8, 1] = 0.5, 0.3, 0.2
    cells: list[dict[str, Any]] = [{"row": 2, "column": 3, "classes": [{"name": "heron"}, {"name": "teapot"}]},
             {"row": 8, "column": 1, "classes": None}]  # fmt: skip
    named = brightest_cells(heat, cells)
    assert [one.said for one in named] == ["heron  50%", "20%"]
    assert (named[0].x, named[0].y) == pytest.approx((0.35, 0.75))


def test_what_a_network_sees_of_a_picture() -> None:
    given = {"width": 227, "height": 227, "resize": 256, "crop": "center"}
    assert seen_box((1024, 512), given) == (285, 29, 739, 483)
    assert seen_box((1024, 512), {**given, "crop": None}) == (0, 0, 1024, 512)
    assert seen_box((100, 50), {**given, "resize": None}) == (25, 0, 75, 50)  # enlarged to cover the crop
