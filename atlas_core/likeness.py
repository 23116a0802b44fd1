"""How like one picture is another: is an icon a copy of what it started from, or of a real patch?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.thumbnails import cut_thumbnails

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN = 0.02
"""Deviation around the mean colour, on a scale of 0..1, under which a picture has no pattern to be copied: five grey
levels, about what a plain icon gains in the tile's codec."""


def correlation(pictures: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Pearson's correlation of two pictures: the smaller of that of the pictures and that of their patterns.

    The first is over all pixels and channels together; it falls where colours change, but two pictures of one colour
    correlate by that alone. So the second takes away the mean of each channel first. A copy has 1, also one of another
    brightness or contrast; a recoloured picture has less, an inverted one -1, and a plain one 0 with anything.

    Args:
        pictures: Shape (..., height, width, channels).
        others: The same, or a shape that broadcasts with it.

    Returns:
        Shape (...), in -1..1.
    """
    one, two = (values.astype(np.float32) / 255 for values in (pictures, others))
    patterns = [values - values.mean(axis=(-3, -2), keepdims=True) for values in (one, two)]
    plain = np.minimum(*(np.sqrt((pattern**2).mean(axis=(-3, -2, -1))) for pattern in patterns)) < PLAIN
    wholes = [values - values.mean(axis=(-3, -2, -1), keepdims=True) for values in (one, two)]
    return np.asarray(np.where(plain, 0, np.minimum(_cosine(*wholes), _cosine(*patterns))), dtype=np.float32)


def highest_correlation(
    pictures: NDArray[np.uint8], others: NDArray[np.uint8], counts: NDArray[np.integer[Any]]
) -> NDArray[np.float32]:
    """The highest correlation of each picture with any of its own others.

    Args:
        pictures: Shape (m, height, width, channels).
        others: Shape (m, k, height, width, channels); of row i the first `counts[i]` count, at least one.
        counts: Shape (m,).

    Returns:
        Shape (m,).
    """
    found = correlation(pictures[:, None], others)
    return np.asarray(np.where(np.arange(others.shape[1]) < counts[:, None], found, -1).max(axis=1), np.float32)


def shrunk(pictures: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Square pictures averaged down as thumbnails are.

    Args:
        pictures: Shape (m, size, size, channels).
        side: Pixels a side of the result.

    Returns:
        Shape (m, side, side, channels).
    """
    size = pictures.shape[1]
    middle = np.full((1, 2), size / 2)
    small = [cut_thumbnails(picture, middle, size, side) for picture in pictures]
    return np.concatenate(small) if small else np.empty((0, side, side, pictures.shape[-1]), np.uint8)


def _cosine(one: NDArray[np.float32], two: NDArray[np.float32]) -> NDArray[np.float32]:
    axes = (-3, -2, -1)
    along = (one * two).sum(axis=axes)
    lengths = np.sqrt((one**2).sum(axis=axes) * (two**2).sum(axis=axes))
    return np.asarray(along / np.maximum(lengths, 1e-9), dtype=np.float32)
