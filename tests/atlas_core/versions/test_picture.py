"""The picture of a coupled map: points where they are, in their class's colour, and frames around what changed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from atlas_core.versions.changes import Change, Kinds
from atlas_core.versions.picture import BORN, LOST, MAP, MARGIN, MOVED, PALETTE, colour_of, colours_of, draw

NOTHING = np.zeros(0, np.int64)
TOP, LEFT = MARGIN + 40, (MARGIN, MARGIN + MAP + 36)
"""Where the maps begin."""


def change(cell: int, origin: int | None = None) -> Change:
    return Change(cell=cell, images=20, others=0, astray=20, samples=NOTHING, p=0.001, origin=origin)


def drawn(found: Kinds, labels: list[int], names: list[str]) -> np.ndarray:
    layout = np.array([[0.25, 0.75]] * len(labels), np.float32)
    data = draw([layout, 1 - layout], [np.array(labels)] * 2, names, ["old", "new"], "layer", 4, found)
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_points_lie_where_they_are_in_the_colour_of_their_class() -> None:
    pixels = drawn(Kinds([], [], []), [0], ["ship"])
    for half, (x, y) in enumerate(((0.25, 0.25), (0.75, 0.75))):
        at = pixels[TOP + 2 + round(y * (MAP - 2)), LEFT[half] + 2 + round(x * (MAP - 2))]
        assert np.ptp(at) > 20  # blue, over white
        assert np.abs(at - np.array(PALETTE[0])).max() < 60
        other = pixels[TOP + 2 + round((1 - y) * (MAP - 2)), LEFT[half] + 2 + round((1 - x) * (MAP - 2))]
        assert other.tolist() == [255, 255, 255]


@pytest.mark.parametrize(("kind", "half", "colour"), [("born", 1, BORN), ("lost", 0, LOST), ("moved", 1, MOVED)])
def test_a_changed_cell_is_framed_on_the_half_that_has_it(kind: str, half: int, colour: tuple[int, ...]) -> None:
    lists = {name: [change(4 * 1 + 2)] if name == kind else [] for name in ("born", "lost", "moved")}
    if kind == "moved":
        lists["moved"] = [change(4 * 1 + 2, origin=0)]
    pixels = drawn(Kinds(**lists), [0], ["ship"])
    found = (pixels[TOP : TOP + MAP] == np.array(colour)).all(axis=2)
    rows, columns = np.nonzero(found[:, LEFT[half] : LEFT[half] + MAP])
    assert rows.min() == MAP // 4
    assert (columns.min(), columns.max()) == (MAP // 2, 3 * MAP // 4)
    other = found[:, LEFT[1 - half] : LEFT[1 - half] + MAP]
    assert other.any() == (kind == "moved")  # framed where it came from, too


def test_few_classes_take_the_palette_and_many_the_circle() -> None:
    assert colour_of(3, 10) == PALETTE[3]
    assert len({colour_of(index, 200) for index in range(200)}) > 190
    assert colours_of(np.array([-1, 1]), 2).tolist() == [[170, 170, 170], list(PALETTE[1])]
