from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atlas_client.atlas import Atlas
from atlas_client.story.figures import heated, labelled, part, values_of
from tests.corners import COLOURS, ICON

if TYPE_CHECKING:
    from pathlib import Path


def close(pixel: object, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.array(pixel)[:3].astype(int) - colour).max() < 12)


def test_a_part_of_a_level_shows_its_cells_where_they_lie(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        whole = part(atlas, "features.5", 12)
        cut = part(atlas, "features.5", 12, (9, 8, 12, 12))  # across two tiles
    assert (whole.size, cut.size) == ((12 * ICON, 12 * ICON), (3 * ICON, 4 * ICON))
    assert close(whole.getpixel((8, 8)), COLOURS["top left"])
    assert close(cut.getpixel((2 * ICON + 8, 3 * ICON + 8)), COLOURS["bottom right"])
    assert cut.getpixel((8, 8))[3] == 0  # type: ignore[index]  # no cell


def test_a_heat_map_shows_large_values_and_turns_blue_below_zero() -> None:
    level = Image.new("RGBA", (20, 10), (200, 200, 200, 255))
    shown = heated(level, np.array([[1.0, -1.0]]))
    strong, against = shown.getpixel((5, 5)), shown.getpixel((15, 5))
    assert strong == (208, 166, 143, 255)  # three tenths of the way to orange
    assert against[2] > against[0]  # type: ignore[index]
    faint = heated(level, np.array([[0.0, np.nan]]))
    assert (faint.getpixel((5, 5))[3], faint.getpixel((15, 5))[3]) == (18, 0)  # type: ignore[index]


def test_values_are_scaled_and_lie_in_their_cells() -> None:
    heat = {"side": 2, "scale": 4.0, "column": [1, 0], "row": [0, 1], "value": [2.0, None]}
    np.testing.assert_array_equal(values_of(heat), [[np.nan, 0.5], [np.nan, np.nan]])


def name(text: str, x: float, y: float) -> dict[str, object]:
    return {"name": text, "x": x, "y": y}


def test_no_name_lies_upon_another_and_few_are_left_on_a_small_page() -> None:
    ranks = [{"rank": "country", "names": [name("fish", 0.5, 0.5)]},
             {"rank": "province", "names": [name("ball", 0.5, 0.505), name("wheel", 0.6, 0.5), name("edge", 0.001, 0.5),
                                            name("leaf", 0.2, 0.9)]}]  # fmt: skip
    found = {one.text: (one.left, one.top, one.wide) for one in labelled(ranks)}
    assert found == {"fish": (50, 50, False), "wheel": (60, 50, True), "leaf": (20, 10, False)}


def test_names_of_a_close_up_are_those_within() -> None:
    ranks = [{"rank": "town", "names": [name("near", 0.25, 0.75), name("far", 0.75, 0.25)]}]
    (one,) = labelled(ranks, (0.0, 0.5, 0.5, 1.0))
    assert (one.text, one.left, one.top) == ("near", 50, 50)
