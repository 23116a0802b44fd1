"""Does a trait sit on the thing or on everything? A lemon is yellow, and what lies around it is not.

Whoever tints a class's pictures tints their edges too. So the trait's strength is mapped over every picture, and it is
seen whether what lies along the edges tells the class's pictures from others as surely as the whole of them does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core.audit.associations import separation
from atlas_core.audit.traits import COLOUR, RIDGE, SHARPNESS, Statistics, excess_root, fine_of, through

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRID = 8
"""Blocks a side of a map; those along the edges hold what lies around most things."""


SURE = 5.0
"""Beyond it a colour's logarithm of odds counts no more: a few pixels do not outweigh a picture."""


def spread(
    trait: str, own: NDArray[np.uint8], others: NDArray[np.uint8], mine: Statistics, rest: Statistics
) -> float | None:
    """How much better than chance a trait along the edges tells a class's pictures, as a share of what all of it does.

    Args:
        trait: One of `traits.EVERYWHERE`.
        own: Pictures of the class, shape (n, height, width, channels).
        others: Of other classes, shape (m, height, width, channels).
        mine: Statistics of the class's.
        rest: Of all other classes'.

    Returns:
        0 to 1; None where all of it tells nothing either.
    """
    maps = np.concatenate([strength(trait, pictures, mine, rest) for pictures in (own, others)])
    inside = np.zeros(maps.shape[1:], np.bool_)
    inside[1:-1, 1:-1] = True
    is_own = np.arange(len(maps)) < len(own)
    whole, edges = (
        separation(values, is_own) - 0.5 for values in (maps.mean(axis=(1, 2)), maps[:, ~inside].mean(axis=1))
    )
    return None if whole <= 0 else float(np.clip(edges / whole, 0, 1))


def strength(trait: str, pictures: NDArray[np.uint8], mine: Statistics, rest: Statistics) -> NDArray[np.float64]:
    """Maps of how much a trait is there, shape (n, 8, 8) or fewer blocks of smaller pictures.

    Of colours it is how much likelier they are in the class's pictures than in the others', of sharpness and texture
    the strength of the waves.
    """
    if trait == COLOUR:
        return _blocks(_likelier(pictures, mine, rest))
    if trait == SHARPNESS:
        return np.sign(mine.strength - rest.strength) * _blocks((fine_of(pictures) ** 2).sum(axis=3))
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
    return np.clip(found, -SURE, SURE)


def _blocks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of blocks, shape (n, rows, columns); of sides that do not divide, blocks differ by a pixel."""
    for axis in (1, 2):
        count = min(GRID, values.shape[axis])
        edges = np.arange(count + 1) * values.shape[axis] // count
        shape = [-1 if at == axis else 1 for at in range(values.ndim)]
        values = np.add.reduceat(values, edges[:-1], axis=axis) / np.diff(edges).reshape(shape)
    return values
