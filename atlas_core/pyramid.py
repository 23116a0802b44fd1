"""Tiles and posters: icons put together into pictures, and cut out of them again.

A tile is a block of 10 x 10 icons; tile (x, y) holds the cells (column // 10, row // 10) of its level, row 0 on top.
Where a level has no cell a tile is transparent.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from atlas_core.mapping import TILE_SIDE

QUALITY = 90
POSTER_SIDE = 4096
DOT, DOT_EDGE = (232, 89, 12), (255, 255, 255)
"""Colours of the mark of an icon under a gate: orange is told from blue and grey by everybody, the edge from orange."""
DOT_SHARE, DOT_INSET, DOT_EDGE_SHARE = 0.15, 0.04, 0.16
SMALLEST_DOT = 5
SMOOTHING = 4
COUNTED_SIDE = 16
"""Side in pixels of a cell on a poster without icons."""
THUMBNAIL_SIDE, THUMBNAIL_QUALITY = 320, 80
"""Of a thumbnail, in pixels: twice as large as it is shown, for sharp screens."""


def displayed(pictures: NDArray[np.uint8], visible: Sequence[int]) -> NDArray[np.uint8]:
    """Pictures (..., channels) as RGB: these three channels, or one of them as grey."""
    return pictures[..., list(visible) * (3 // len(visible))]


def undisplayed(shown: NDArray[np.uint8], pictures: NDArray[np.uint8], visible: Sequence[int]) -> NDArray[np.uint8]:
    """Pictures (..., channels) with the channels that RGB pictures show taken from these."""
    seen = pictures.copy()
    seen[..., list(visible)] = shown[..., : len(visible)]
    return seen


def compose_tile(icons: NDArray[np.uint8], places: NDArray[np.int32], width: int, height: int, said: str = "") -> bytes:
    """Put icons into one WebP picture.

    Args:
        icons: RGB, shape (n, size, size, 3).
        places: Column and row of each within the tile, shape (n, 2).
        width: Columns of this tile, 10 but for the last of a level whose side is no multiple.
        height: Rows of this tile.
        said: Of the picture, kept in it as XMP.
    """
    size = icons.shape[1]
    canvas = np.zeros((height * size, width * size, 4), np.uint8)
    canvas[..., :3] = 128
    for icon, (column, row) in zip(icons, places, strict=True):
        top, left = row * size, column * size
        canvas[top : top + size, left : left + size, :3] = icon
        canvas[top : top + size, left : left + size, 3] = 255
    data = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(data, "WEBP", quality=QUALITY, method=4, exact=True, xmp=said.encode())
    return data.getvalue()


def decode_tile(data: bytes) -> NDArray[np.uint8]:
    """The picture of a tile as served, RGBA, shape (height, width, 4)."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGBA"))


def cut_icons(tile: NDArray[np.uint8], places: NDArray[np.int32], size: int) -> NDArray[np.uint8]:
    """Cut icons out of a decoded tile.

    Args:
        tile: RGBA, shape (height, width, 4).
        places: Column and row of each icon within the tile, shape (n, 2).
        size: Side of an icon in pixels.

    Returns:
        RGB, shape (n, size, size, 3).
    """
    icons = [tile[row * size : (row + 1) * size, column * size : (column + 1) * size, :3] for column, row in places]
    return np.stack(icons) if icons else np.zeros((0, size, size, 3), np.uint8)


def tile_shape(side: int, x: int, y: int) -> tuple[int, int]:
    """Columns and rows of a tile of a level with this side."""
    return min(TILE_SIDE, side - x * TILE_SIDE), min(TILE_SIDE, side - y * TILE_SIDE)


def compose_poster(
    tiles: Mapping[tuple[int, int], bytes],
    side: int,
    size: int,
    marked: Iterable[tuple[int, int]] = (),
    said: str = "",
) -> bytes:
    """A whole level on one PNG with a white ground; icons shrink where the poster would pass 4,096 px a side.

    Args:
        tiles: WebP of each tile that has cells, by (x, y).
        side: Cells a side.
        size: Side of an icon in the tiles, in pixels.
        marked: Column and row of each icon under a gate; it gets a dot in its corner.
        said: What is said of the icons, kept in the PNG's `Description`.
    """
    shown = min(size, max(1, POSTER_SIDE // side))
    poster = Image.new("RGB", (side * shown, side * shown), "white")
    _paste_tiles(poster, tiles, side, shown)
    mark_icons(poster, marked, shown)
    return png(poster, said)


def compose_thumbnail(tiles: Mapping[tuple[int, int], bytes], side: int, said: str = "") -> bytes:
    """A whole level as a small square WebP, transparent where there is no icon.

    Args:
        tiles: WebP of each tile that can be seen, by (x, y).
        side: Cells a side.
        said: Of the picture, kept in it as XMP.
    """
    shown = max(1, -(-THUMBNAIL_SIDE // side))
    level = Image.new("RGBA", (side * shown, side * shown))
    _paste_tiles(level, tiles, side, shown)
    return _thumbnail(level, said)


def thumbnail_of_poster(poster: bytes) -> bytes:
    """A poster as a small square WebP."""
    with Image.open(io.BytesIO(poster)) as picture:
        return _thumbnail(picture.convert("RGB"), "")


def _thumbnail(level: Image.Image, said: str) -> bytes:
    data = io.BytesIO()
    small = level.resize((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    small.save(data, "WEBP", quality=THUMBNAIL_QUALITY, method=4, xmp=said.encode())
    return data.getvalue()


def _paste_tiles(level: Image.Image, tiles: Mapping[tuple[int, int], bytes], side: int, size: int) -> None:
    """Put tiles in their places on a picture whose icons have this side in pixels."""
    for (x, y), data in sorted(tiles.items()):
        with Image.open(io.BytesIO(data)) as picture:
            tile = picture.convert("RGBA")
        columns, rows = tile_shape(side, x, y)
        if tile.size != (columns * size, rows * size):
            tile = tile.resize((columns * size, rows * size), Image.Resampling.LANCZOS)
        level.paste(tile, (x * TILE_SIDE * size, y * TILE_SIDE * size), tile)


def mark_icons(poster: Image.Image, places: Iterable[tuple[int, int]], size: int) -> None:
    """Put a dot into the upper right corner of some icons of a poster.

    Args:
        poster: RGB, drawn on.
        places: Column and row of each.
        size: Side of an icon on the poster, in pixels.
    """
    side = min(size, max(SMALLEST_DOT, round(DOT_SHARE * size)))
    large = Image.new("RGBA", (side * SMOOTHING,) * 2, (*DOT_EDGE, 0))
    pen = ImageDraw.Draw(large)
    last, edge = side * SMOOTHING - 1, side * SMOOTHING * DOT_EDGE_SHARE
    pen.ellipse((0, 0, last, last), fill=(*DOT_EDGE, 255))
    pen.ellipse((edge, edge, last - edge, last - edge), fill=(*DOT, 255))
    dot = large.resize((side, side), Image.Resampling.BOX)
    inset = min(size - side, round(size * DOT_INSET))
    for column, row in places:
        poster.paste(dot, ((column + 1) * size - side - inset, row * size + inset), dot)


def png(picture: Image.Image, said: str = "") -> bytes:
    """A picture as PNG, with what is said of it as its `Description`."""
    info = PngInfo()
    if said:
        info.add_text("Description", said)
    written = io.BytesIO()
    picture.save(written, "PNG", pnginfo=info)
    return written.getvalue()


def compose_counts(cells: Sequence[Mapping[str, Any]], side: int) -> bytes:
    """A whole level without icons on one PNG: the more samples a cell has, the darker its square, by the square root.

    Args:
        cells: With column, row and count.
        side: Cells a side.
    """
    grey = np.full((side, side), 255, np.uint8)
    most = max((cell["count"] for cell in cells), default=1)
    for cell in cells:
        grey[cell["row"], cell["column"]] = round(210 - 170 * (cell["count"] / most) ** 0.5)
    squares = np.kron(grey, np.ones((min(COUNTED_SIDE, max(1, POSTER_SIDE // side)),) * 2, np.uint8))
    return png(Image.fromarray(squares).convert("RGB"))
