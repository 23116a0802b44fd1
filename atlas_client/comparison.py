"""Two classes on one picture: the map of their comparison with what lies across it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atlas_client.landing import level_pictures
from atlas_client.sheet import COLD, LINE, SOFT, WARM, Sheet, enlarged, scale_bar

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.connection import Document

MARGIN, MAP, TITLE, AXIS = 40, 960, 64, 84
BAR = 10


def draw_comparison(document: Document, atlas: Atlas) -> Image.Image:
    """Draw a comparison of two classes: the first on the left in blue, the second on the right in orange.

    Args:
        document: From `Client.made_comparison`.
        atlas: Its map.

    Returns:
        RGB.
    """
    found = document["description"]
    first, second = (one["name"] for one in found["classes"])
    sheet = Sheet(2 * MARGIN + MAP, 2 * MARGIN + TITLE + MAP + AXIS)
    right, top, half = MARGIN + MAP, MARGIN + TITLE, MAP / 2
    sheet.text(MARGIN, MARGIN - 6, first, 26, COLD, width=half - 20)
    sheet.text(right, MARGIN - 6, second, 26, WARM, anchor="ra", width=half - 20)
    sheet.text(MARGIN, MARGIN + 30, "adds more to this class", 15, SOFT)
    sheet.text(right, MARGIN + 30, "adds more to this class", 15, SOFT, anchor="ra")
    sheet.paste(_map(atlas, found["layer"], found["side"]), MARGIN, top)
    _draw_axis(sheet, found, top + MAP)
    names = atlas.manifest.get("names", {})
    told = (names.get("model"), found["layer"], names.get("dataset"), f"{found['samples']:,} samples of "
            f"{found['images']:,} images", atlas.said_of_icons)  # fmt: skip
    sheet.text(MARGIN, top + MAP + 56, " · ".join(str(part) for part in told if part), 14, SOFT, width=MAP)
    sheet.text(MARGIN, top + MAP + 78, "Up and down, similar samples lie together.", 14, SOFT)
    return sheet.finished()


def _map(atlas: Atlas, layer: str, side: int) -> Image.Image:
    """The level's icons on white, with a line where samples add to both classes alike."""
    picture = level_pictures(atlas, layer, side)[1].resize(enlarged(MAP, MAP), Image.Resampling.LANCZOS)
    pixels = np.asarray(picture).copy()
    middle, half = pixels.shape[1] // 2, 2
    pixels[:, middle - half : middle + half] = LINE
    return Image.fromarray(pixels)


def _draw_axis(sheet: Sheet, found: Document, top: float) -> None:
    """What the picture's width stands for: from one end of the scale to the other."""
    sheet.paste(scale_bar(-1, 1, MAP, BAR), MARGIN, top + 10)
    scale = f"{found['scale']:.3g}"
    for share, said, anchor in ((0.0, f"{scale} logits or more", "la"), (0.5, "alike", "ma"),
                                (1.0, f"{scale} logits or more", "ra")):  # fmt: skip
        sheet.text(MARGIN + share * MAP, top + 14 + BAR, said, 15, anchor=anchor)
