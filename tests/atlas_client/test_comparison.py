from pathlib import Path
from typing import Any

import numpy as np

from atlas_client.atlas import Atlas
from atlas_client.comparison import AXIS, MAP, MARGIN, TITLE, draw_comparison
from atlas_client.sheet import COLD, WARM
from tests.landed import LAYER

FOUND: dict[str, Any] = {
    "kind": "classes", "layer": LAYER, "classes": [{"index": 0, "name": "pan"}, {"index": 3, "name": "wok"}],
    "scale": 1.25, "clamped": 3, "samples": 4000, "images": 300, "side": 4, "trustworthiness": 0.8,
}  # fmt: skip


def test_the_first_class_is_on_the_left_in_blue_and_the_second_on_the_right_in_orange(corners: Path) -> None:
    with Atlas.open(corners) as atlas:
        picture = draw_comparison({"description": FOUND}, atlas)
    assert picture.size == (2 * MARGIN + MAP, 2 * MARGIN + TITLE + MAP + AXIS)
    pixels = np.asarray(picture).astype(int)
    bar = pixels[MARGIN + TITLE + MAP + 15]
    for x, colour in ((MARGIN + 3, COLD), (MARGIN + MAP - 4, WARM)):
        assert np.abs(bar[x] - colour).max() < 6
    assert bar[MARGIN + MAP // 2].min() > 245  # alike
    names = pixels[MARGIN - 6 : MARGIN + 24]
    for half, colour in ((names[:, : MARGIN + MAP // 2], COLD), (names[:, MARGIN + MAP // 2 :], WARM)):
        assert (np.abs(half - colour).max(axis=2) < 10).any()
    red = pixels[MARGIN + TITLE + 100, MARGIN + 100]
    assert red[0] > red[1] + 80  # the icon at the top left is red
