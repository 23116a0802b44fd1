"""Contact sheets: pictures of equal size put together on one, where they belong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from atlas_core.pyramid import mark_icons

LARGEST_SIDE = 4096
GROUND = 255


def compose_sheet(
    pictures: Sequence[NDArray[np.uint8]],
    places: NDArray[np.integer],
    shares: NDArray[np.floating] | None = None,
    gap: int = 0,
    marked: Sequence[bool] | None = None,
) -> NDArray[np.uint8]:
    """Put pictures on a white sheet.

    Args:
        pictures: RGB, all of one shape (height, width, 3), at least one.
        places: Column and row of each, shape (n, 2); the least of each is the first.
        shares: Side of each as a share of its place, in 0..1, shape (n,); it stands in the middle. None fills it.
        gap: White pixels between places.
        marked: Which icons are under a gate; each gets a dot in its corner.

    Returns:
        RGB; pictures shrink together where the sheet would pass 4,096 pixels a side.
    """
    places = places - places.min(axis=0)
    columns, rows = (int(last) + 1 for last in places.max(axis=0))
    height, width = pictures[0].shape[:2]
    fit = min(1.0, (LARGEST_SIDE / columns - gap) / width, (LARGEST_SIDE / rows - gap) / height)
    height, width = max(1, int(height * fit)), max(1, int(width * fit))
    sheet = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), (GROUND,) * 3)
    for number, (picture, (column, row)) in enumerate(zip(pictures, places.tolist(), strict=True)):
        share = 1.0 if shares is None else float(shares[number])
        size = max(1, round(width * share)), max(1, round(height * share))
        shown = Image.fromarray(picture)
        if shown.size != size:
            shown = shown.resize(size, Image.Resampling.LANCZOS)
        if marked is not None and marked[number]:
            mark_icons(shown, [(0, 0)], shown.width)
        left, top = column * (width + gap) + (width - size[0]) // 2, row * (height + gap) + (height - size[1]) // 2
        sheet.paste(shown, (left, top))
    return np.asarray(sheet)


def in_rows(count: int, across: int = 10) -> NDArray[np.int64]:
    """Places one after the other in rows of so many, shape (count, 2)."""
    number = np.arange(count)
    return np.stack([number % across, number // across], axis=1)
