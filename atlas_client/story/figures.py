"""Pictures of a story as data URIs; transparent where nothing is, so that they suit a light and a dark page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atlas_client.atlas import TILE_SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_client.atlas import Atlas
    from atlas_client.connection import Document

WIDEST = 1240
"""Pixels of the largest pictures: twice the width of the text."""
QUALITY = 82
BARE = (120, 128, 138)
"""Of cells without icons."""
WARM, COLD = (226, 88, 10), (24, 82, 178)
"""Of values above and below zero."""
TINT, PALE = 0.3, 0.07
"""How much of its colour lies over an icon; how present one of no value is."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Label:
    """A name on a picture.

    Args:
        text: The name.
        left: Of its middle, in percent of the picture's width.
        top: The same, of its height.
        rank: country, province or town.
        wide: Whether there is room for it only where the picture is wide.
    """

    text: str
    left: float
    top: float
    rank: str
    wide: bool


@dataclass(frozen=True)
class Picture:
    """A picture in the page.

    Args:
        address: Data URI.
        width: In pixels.
        height: In pixels.
        alt: What it shows, for who does not see it.
        labels: Names on it.
    """

    address: str
    width: int
    height: int
    alt: str
    labels: Sequence[Label] = field(default=())


def picture_of(image: Image.Image, alt: str, widest: int = WIDEST, labels: Sequence[Label] = ()) -> Picture:
    """A picture for the page, made smaller where it is wider than that."""
    if max(image.size) > widest:
        image = image.copy()
        image.thumbnail((widest, widest), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    address = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Picture(address, *image.size, alt, labels)


def part(atlas: Atlas, layer: str, side: int, box: Box | None = None, cell: int | None = None) -> Image.Image:
    """Cells of a level side by side, RGBA.

    Args:
        atlas: The atlas.
        layer: Name of a layer.
        side: Cells a side of one of its levels.
        box: First column and row, and those behind the last; all by default.
        cell: Pixels of a cell at most; as many as icons have by default, or as fit `WIDEST`.
    """
    left, top, right, bottom = box or (0, 0, side, side)
    size = atlas.icon_size(layer, side)
    if size is None:
        return _counts(atlas, layer, side, (left, top, right, bottom))
    pixels = min(size, cell or size, max(1, WIDEST // max(right - left, bottom - top)))
    picture = Image.new("RGBA", ((right - left) * pixels, (bottom - top) * pixels))
    for x in range(left // TILE_SIDE, -(-right // TILE_SIDE)):
        for y in range(top // TILE_SIDE, -(-bottom // TILE_SIDE)):
            tile = atlas.tile(layer, side, x, y)
            if tile is not None:
                shown = tile.resize(
                    (tile.width * pixels // size, tile.height * pixels // size), Image.Resampling.LANCZOS
                )
                picture.paste(shown, ((x * TILE_SIDE - left) * pixels, (y * TILE_SIDE - top) * pixels))
    return picture


def _counts(atlas: Atlas, layer: str, side: int, box: Box) -> Image.Image:
    """Of an atlas without icons: the more samples a cell has, the more present it is."""
    count = np.zeros((side, side))
    for one in atlas.raw_cells(layer, side):
        count[one["row"], one["column"]] = one["count"]
    shown = np.sqrt(count / max(1.0, count.max()))[box[1] : box[3], box[0] : box[2]]
    return _enlarged(np.full((*shown.shape, 3), BARE), shown, max(1, WIDEST // max(shown.shape)))


def _enlarged(colour: NDArray[np.floating], alpha: NDArray[np.floating], pixels: int) -> Image.Image:
    rgba = np.concatenate([colour, 255 * alpha[:, :, None]], axis=2).round().astype(np.uint8)
    small = Image.fromarray(rgba)
    return small.resize((small.width * pixels, small.height * pixels), Image.Resampling.NEAREST)


def heated(level: Image.Image, values: NDArray[np.float64]) -> Image.Image:
    """A level with each cell as present as its value is large, blue where it is below zero.

    Args:
        level: From `part`, RGBA, all of it.
        values: -1 to 1, row 0 on top, shape (side, side); NaN where nothing is known.
    """
    known = np.nan_to_num(values)
    strength, below = _spread(np.abs(known), level), _spread((known < 0).astype(float), level)
    there = _spread(np.isfinite(values).astype(float), level)
    icons = np.asarray(level, np.float64)
    grey = icons[:, :, :3].mean(axis=2, keepdims=True)
    base = np.where(below > 0, grey, icons[:, :, :3])
    ink = np.where(below > 0, COLD, WARM)
    tint = TINT * strength * (1 + (below > 0))
    shown = base + tint * (ink - base)
    alpha = icons[:, :, 3:] * there * (PALE + (1 - PALE) * strength)
    return Image.fromarray(np.concatenate([shown, alpha], axis=2).clip(0, 255).round().astype(np.uint8))


def _spread(values: NDArray[np.float64], level: Image.Image) -> NDArray[np.float64]:
    """A number of each cell for each of its pixels, shape (height, width, 1)."""
    size = level.width // values.shape[1]
    return np.repeat(np.repeat(values, size, axis=0), size, axis=1)[:, :, None]


def values_of(heat: Document) -> NDArray[np.float64]:
    """What a heat map shows of each cell, -1 to 1, shape (side, side); NaN where nothing is known."""
    shown = np.full((heat["side"], heat["side"]), np.nan)
    value = np.array([np.nan if one is None else one for one in heat["value"]], np.float64)
    shown[heat["row"], heat["column"]] = np.clip(value / (heat["scale"] or 1.0), -1, 1)
    return shown


NARROW, ROOMY = 358, 620
"""Pixels of a picture on a telephone and beside the text."""
LETTER, LINE = 6.6, 17
"""Pixels of a letter and of a line of a name."""
SIZES = {"country": 1.25, "province": 1.0, "town": 0.9}


def labelled(ranks: Sequence[Document], box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> list[Label]:
    """Names for a picture of a part of the map, none upon another.

    Args:
        ranks: From `Reader.names`, of those that are wanted.
        box: x0, y0, x1, y1 of what is shown, y up.
    """
    narrow: list[tuple[float, float, float, float]] = []
    roomy: list[tuple[float, float, float, float]] = []
    labels = []
    for rank, one in _within(ranks, box):
        left, top = (one["x"] - box[0]) / (box[2] - box[0]), (box[3] - one["y"]) / (box[3] - box[1])
        if not _fits(roomy, left * ROOMY, top * ROOMY, one["name"], rank, ROOMY):
            continue
        wide = not _fits(narrow, left * NARROW, top * NARROW, one["name"], rank, NARROW)
        labels.append(Label(one["name"], round(100 * left, 2), round(100 * top, 2), rank, wide))
    return labels


def _within(ranks: Sequence[Document], box: tuple[float, float, float, float]) -> Iterator[tuple[str, Document]]:
    for rank in ranks:
        for one in rank["names"]:
            if box[0] < one["x"] < box[2] and box[1] < one["y"] < box[3]:
                yield rank["rank"], one


def _fits(taken: list[tuple[float, float, float, float]], x: float, y: float, text: str, rank: str, edge: int) -> bool:
    """Whether a name has room; then it takes it."""
    width, height = len(text) * LETTER * SIZES[rank] + 10, LINE * SIZES[rank] + 4
    own = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    if own[0] < 0 or own[2] > edge or own[1] < 0 or own[3] > edge:
        return False
    if any(own[0] < other[2] and other[0] < own[2] and own[1] < other[3] and other[1] < own[3] for other in taken):
        return False
    taken.append(own)
    return True
