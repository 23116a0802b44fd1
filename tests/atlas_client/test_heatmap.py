from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.heatmap import (
    GAP,
    MAP,
    MARGIN,
    SIDEBAR,
    TITLE,
    draw_heatmap,
    ends_of,
    listed,
    said_of,
    title_of,
    values_of,
)
from atlas_client.measures import SAID
from atlas_client.sheet import COLD
from tests.landed import LAYER

HEAT: dict[str, Any] = {
    "layer": LAYER, "z": 0, "side": 4, "measure": "attribution", "class": {"index": 2, "name": "teapot"},
    "scale": 0.5, "least": -0.5, "greatest": 0.25, "enough": 10,
    "column": [0, 3, 0, 3], "row": [0, 0, 3, 3], "count": [30, 20, 9, 40], "value": [0.25, -0.5, 9.0, None],
}  # fmt: skip


def on_map(picture: Image.Image, x: float, y: float) -> np.ndarray:
    at = MARGIN + SIDEBAR + GAP + x * MAP, MARGIN + TITLE + (1 - y) * MAP
    return np.array(picture.getpixel((round(at[0]), round(at[1])))).astype(int)


def test_values_are_over_the_scale_and_stand_in_their_cells() -> None:
    shown = values_of(HEAT)
    assert (shown[0, 0], shown[0, 3], shown[3, 0]) == (0.5, -1, 1)  # what is beyond the scale is cut
    assert np.isnan(shown[3, 3])
    assert np.isnan(shown[1, 1])


def test_a_sign_by_itself_has_its_own_scale() -> None:
    assert [ends_of(HEAT, sign) for sign in ("both", "positive", "negative")] == [
        (-0.5, 0.5), (0, 0.25), (-0.5, 0),
    ]  # fmt: skip
    positive = values_of(HEAT, "positive")
    assert (positive[0, 0], positive[0, 3]) == (1, 0)
    assert values_of({**HEAT, "scale": 0.0, "least": 0.0, "greatest": 0.0, "value": [0.0] * 4})[0, 0] == 0


def test_cells_of_few_samples_are_not_among_those_listed() -> None:
    assert [(title, cells) for title, cells, _ in listed(HEAT)] == [("strongest", [0]), ("most against it", [1])]
    assert [title for title, _, _ in listed({**HEAT, "measure": "error"}, "positive")] == ["highest"]


def test_an_icon_is_as_present_as_its_value_is_large_and_blue_below_zero(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        picture = draw_heatmap(HEAT, atlas)
        pale = draw_heatmap({**HEAT, "value": [0.05, -0.5, 9.0, None]}, atlas)
    red = on_map(picture, 0.1, 0.9)
    assert red[0] > red[1] + 60  # the icon at the top left is red
    assert on_map(pale, 0.1, 0.9).min() > red.min() + 40
    blue = on_map(picture, 0.9, 0.9)
    assert blue[2] > blue[0] + 40
    assert blue[2] > COLD[0]
    for x, y in ((0.9, 0.1), (0.5, 0.5)):  # nothing is known; there is no cell
        assert on_map(picture, x, y).tolist() == [255, 255, 255]


def test_without_icons_the_squares_of_the_level_are_shown(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        atlas.manifest["spec"]["recipe"] = "none"
        for level in atlas.manifest["layers"][LAYER]["levels"]:
            level["icon_size"] = None
        picture = draw_heatmap(HEAT, atlas)
    assert on_map(picture, 0.1, 0.9).min() < 250
    assert on_map(picture, 0.9, 0.1).tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("value", "measure", "said"),
    [
        (0.02214, "attribution", "+0.0221"),
        (-3.0, "attribution", "-3"),
        (0.125, "error", "12%"),
        (1234, "count", "1,234"),
    ],
)
def test_values_are_said_in_the_measure_s_own_way(value: float, measure: str, said: str) -> None:
    assert said_of(value, measure) == said


def test_the_title_is_the_class_or_what_is_measured() -> None:
    assert title_of(HEAT) == "teapot"
    for measure, said in SAID.items():
        assert title_of({**HEAT, "class": None, "measure": measure}) == said
