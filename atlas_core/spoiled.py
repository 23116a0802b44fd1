"""Copies of an image that nobody would call normal: turned, inverted, damaged. What novelty learns to see is these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = (
    "turned by 90°", "turned by 180°", "turned by 270°", "inverted", "blurred", "of low contrast", "salted", "shuffled",
)  # fmt: skip
"""Of the copies, in the order of their numbers."""
BLUR = 1 / 56
"""Standard deviation of the blur, of the shorter side; at least a pixel."""
CONTRAST = 0.2
SALT = 0.1
BLOCKS = 4


def spoil(pixels: NDArray[np.uint8], kind: int, image: str) -> NDArray[np.uint8]:
    """A copy that is spoiled in one way.

    Args:
        pixels: Shape (height, width, channels).
        kind: Number of a kind; a quarter turn of a picture that is no square is a half turn.
        image: Its id, by which the random ones among the kinds are always the same.

    Returns:
        The same shape.
    """
    return np.ascontiguousarray(_SPOIL[kind](pixels, _generator(image, kind)))


def kinds_of(image: str, copies: int) -> list[int]:
    """Kinds of an image's copies: so many that follow each other, the first by the hash of its id."""
    first = _hash(image) % len(KINDS)
    return [(first + place) % len(KINDS) for place in range(min(copies, len(KINDS)))]


def within(image: str, share: float) -> bool:
    """Whether an image belongs to a share of all, by the hash of its id."""
    return _hash(image) < share * 2**64


def _hash(image: str) -> int:
    return int.from_bytes(hashlib.sha256(f"spoiled\0{image}".encode()).digest()[:8], "little")


def _generator(image: str, kind: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[_hash(image), kind]))


def _turned(quarters: int) -> Callable[[NDArray[np.uint8], np.random.Generator], NDArray[np.uint8]]:
    def turned(pixels: NDArray[np.uint8], _: np.random.Generator) -> NDArray[np.uint8]:
        square = pixels.shape[0] == pixels.shape[1]
        return np.rot90(pixels, quarters if square else 2)

    return turned


def _inverted(pixels: NDArray[np.uint8], _: np.random.Generator) -> NDArray[np.uint8]:
    return 255 - pixels


def _blurred(pixels: NDArray[np.uint8], _: np.random.Generator) -> NDArray[np.uint8]:
    deviation = max(1.0, BLUR * min(pixels.shape[:2]))
    reach = int(3 * deviation)
    kernel = np.exp(-((np.arange(-reach, reach + 1) / deviation) ** 2) / 2).astype(np.float32)
    kernel /= kernel.sum()
    values = pixels.astype(np.float32)
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if one == axis else (0, 0) for one in range(3)], mode="edge")
        side = values.shape[axis]
        parts = [weight * padded.take(range(at, at + side), axis) for at, weight in enumerate(kernel)]
        values = np.sum(parts, axis=0)
    return np.round(values).astype(np.uint8)


def _low_contrast(pixels: NDArray[np.uint8], _: np.random.Generator) -> NDArray[np.uint8]:
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    changed: NDArray[np.uint8] = np.round(mean + CONTRAST * (pixels - mean)).astype(np.uint8)
    return changed


def _salted(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    drawn = random.random((*pixels.shape[:2], 1))
    return np.where(drawn < SALT / 2, 0, np.where(drawn >= 1 - SALT / 2, 255, pixels)).astype(np.uint8)


def _shuffled(pixels: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Blocks in another order; rows and columns that fill no block stay."""
    height, width = (max(1, side // BLOCKS) for side in pixels.shape[:2])
    down, across = (min(BLOCKS, side) for side in pixels.shape[:2])
    copy = pixels.copy()
    for place, source in enumerate(random.permutation(down * across).tolist()):
        (row, column), (top, left) = divmod(place, across), divmod(source, across)
        copy[row * height : (row + 1) * height, column * width : (column + 1) * width] = pixels[
            top * height : (top + 1) * height, left * width : (left + 1) * width
        ]
    return copy


_SPOIL = (_turned(1), _turned(2), _turned(3), _inverted, _blurred, _low_contrast, _salted, _shuffled)
