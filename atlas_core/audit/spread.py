"""Does a trait sit on the thing or on everything? A lemon is yellow, and what lies around it is not.

Whoever tints a class's pictures tints their corners too, where things hardly reach. So the trait's strength is mapped
over every picture, the mean map of other classes' taken from the class's, and what is left in the corners told as a
share of what is left all over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core.audit.traits import COLOUR, RIDGE, SHARPNESS, Statistics, excess_root, fine_of, through

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 8
"""Blocks a side of a map."""
CORNER = 2
"""Blocks a side of each corner, which hold what lies around most things."""


SURE = 5.0
"""Beyond it a colour's logarithm of odds counts no more: a few pixels do not outweigh a picture."""


def spread(
    trait: str, own: NDArray[np.uint8], others: NDArray[np.uint8], mine: Statistics, rest: Statistics
) -> float | None:
    """Strength of a trait in the corners of a class's pictures, as a share of its strength all over.

    Args:
        trait: One of `traits.EVERYWHERE`.
        own: Pictures of the class, shape (n, height, width, channels).
        others: Of other classes, shape (m, height, width, channels).
        mine: Statistics of the class's.
        rest: Of all other classes'.

    Returns:
        0 where it is not there, 1 where it is as strong as elsewhere, or stronger; None where it is nowhere stronger.
    """
    maps = (strength(trait, pictures, mine, rest).mean(axis=0) for pictures in (own, others))
    more = np.subtract(*maps)
    ends = np.r_[:CORNER, -CORNER:0]
    whole, corners = float(more.mean()), float(more[np.ix_(ends, ends)].mean())
    return None if whole <= 0 else float(np.clip(corners / whole, 0, 1))


def strength(trait: str, pictures: NDArray[np.uint8], mine: Statistics, rest: Statistics) -> NDArray[np.float64]:
    """Maps of how much a trait is there, shape (n, 8, 8) or fewer blocks of smaller pictures.

    Of colours it is how much likelier they are in the class's pictures than in the others', of sharpness and texture
    the strength of the waves.
    """
    if trait == COLOUR:
        return _blocks(_likelier(pictures, mine, rest))
    if trait == SHARPNESS:
        sign = 1.0 if mine.strength > rest.strength else -1.0
        return sign * _blocks((fine_of(pictures) ** 2).sum(axis=3))
    waves = through(excess_root(mine, rest), np.fft.fft2(pictures, axes=(1, 2)))
    return _blocks((waves**2).sum(axis=3))


def _likelier(pictures: NDArray[np.uint8], mine: Statistics, rest: Statistics) -> NDArray[np.float64]:
    """Logarithm of the ratio of two normal distributions' densities at each pixel, shape (n, height, width)."""
    found = np.zeros(pictures.shape[:3])
    for sign, side in ((1, mine), (-1, rest)):
        covariance = side.covariance + RIDGE * np.eye(len(side.mean))
        away = pictures - side.mean
        found -= sign * 0.5 * np.einsum("nhwc,cd,nhwd->nhw", away, np.linalg.inv(covariance), away)
        found -= sign * 0.5 * np.linalg.slogdet(covariance)[1]
    return np.asarray(np.clip(found, -SURE, SURE))


def _blocks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of blocks, shape (n, rows, columns); of sides that do not divide, blocks differ by a pixel."""
    for axis in (1, 2):
        count = min(GRID, values.shape[axis])
        edges = np.arange(count + 1) * values.shape[axis] // count
        shape = [-1 if at == axis else 1 for at in range(values.ndim)]
        values = np.add.reduceat(values, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)
    return values
