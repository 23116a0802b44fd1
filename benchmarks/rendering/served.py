"""Icons as they are served: encoded as tiles are, and decoded again before anything is measured on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core.mapping import TILE_SIDE
from atlas_core.pyramid import compose_tile, cut_icons, decode_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray


def encode(icons: NDArray[np.uint8]) -> bytes:
    """One WebP picture of icons in rows of ten, of a tile's quality.

    Args:
        icons: Shape (m, size, size, 3).
    """
    places = _places(len(icons))
    return compose_tile(icons, places, TILE_SIDE, int(places[-1, 1]) + 1)


def decode(data: bytes, count: int, size: int) -> NDArray[np.uint8]:
    """The icons in such a picture, shape (count, size, size, 3)."""
    return cut_icons(decode_tile(data), _places(count), size)


def _places(count: int) -> NDArray[np.int32]:
    number = np.arange(count, dtype=np.int32)
    return np.stack([number % TILE_SIDE, number // TILE_SIDE], axis=1)
