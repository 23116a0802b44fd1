"""Where a layout starts, and how it is brought into the unit square."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import LayoutError
from atlas_core.nearest import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTENT = 10.0
"""A start reaches from -EXTENT to EXTENT in its longer direction."""
JITTER = 1e-4
WINDOW = (0.1, 99.9)
"""Percentiles that the picture shows, and beyond them MARGIN of their distance on each side."""
MARGIN = 0.02
QUARTER_TURN = 90
BLOCK = 65_536


def start_points(activations: NDArray[np.floating[Any]], *, seed: int = 0) -> NDArray[np.float32]:
    """Start from the two first principal components of the unit activations.

    Args:
        activations: Shape (n, channels).
        seed: Of the jitter, which parts equal activations.

    Returns:
        Points, shape (n, 2) float32, within ±10 but for the jitter.
    """
    unit = unit_rows(activations)
    axes = principal_axes(unit, 2)
    return _scaled((unit - unit.mean(axis=0)) @ axes.T, seed)


def start_from(
    points: NDArray[np.floating[Any]], neighbour_index: NDArray[np.integer[Any]], *, seed: int = 0
) -> NDArray[np.float32]:
    """Start from another layout, such as that of the layer before.

    Args:
        points: Each sample's point there, in any units, shape (n, 2); NaN where the sample has none.
        neighbour_index: Neighbours of each sample, shape (n, k): a sample without a point starts at the mean of those
            of its neighbours that have one, or in the middle.
        seed: Of the jitter.

    Returns:
        Points, shape (n, 2) float32, within ±10 but for the jitter.

    Raises:
        LayoutError: No sample has a point, or shapes do not fit.
    """
    filled = fill_gaps(points, neighbour_index)
    return _scaled(filled - (filled.min(axis=0) + filled.max(axis=0)) / 2, seed)


def fill_gaps(
    points: NDArray[np.floating[Any]], neighbour_index: NDArray[np.integer[Any]]
) -> NDArray[np.floating[Any]]:
    """Give a point to samples that have none: the mean of their neighbours' that have one, or the middle of all.

    Args:
        points: Shape (n, 2), any units; NaN where a sample has none.
        neighbour_index: Neighbours of each sample, shape (n, k).

    Returns:
        Shape (n, 2), finite.

    Raises:
        LayoutError: No sample has a point, or shapes do not fit.
    """
    known = np.isfinite(points).all(axis=1)
    if points.shape != (len(neighbour_index), 2) or not known.any():
        raise LayoutError("a start from another layout needs one point (x, y) a sample, some of them known")
    filled = np.where(known[:, None], points, 0.0)
    missing = np.flatnonzero(~known)
    if len(missing):
        near = known[neighbour_index[missing]]  # (missing, k)
        total = (filled[neighbour_index[missing]] * near[:, :, None]).sum(axis=1)
        middle = filled[known].mean(axis=0)
        some = near.any(axis=1)[:, None]
        filled[missing] = np.where(some, total / np.maximum(near.sum(axis=1), 1)[:, None], middle)
    return filled


def _scaled(points: NDArray[np.floating[Any]], seed: int) -> NDArray[np.float32]:
    extent = np.abs(points).max()
    return jittered(points * (EXTENT / extent if extent > 0 else 1.0), seed)


def jittered(points: NDArray[np.floating[Any]], seed: int) -> NDArray[np.float32]:
    """Part equal points by a hair; shape (n, 2) float32."""
    rng = np.random.Generator(np.random.Philox(seed))
    return np.asarray(points + rng.normal(0, JITTER, points.shape), dtype=np.float32)


def principal_axes(unit: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """The directions of greatest variance of some rows, as `strongest_axes` gives them.

    Args:
        unit: Rows, shape (n, channels).
        count: Directions wanted.
    """
    mean = unit.mean(axis=0, dtype=np.float64)
    second = np.zeros((unit.shape[1], unit.shape[1]))
    for first in range(0, len(unit), BLOCK):
        block = unit[first : first + BLOCK].astype(np.float64) - mean
        second += block.T @ block
    return strongest_axes(second, count)


def strongest_axes(covariance: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """The directions of greatest variance, each turned so that its largest entry is positive.

    Args:
        covariance: In any unit, shape (channels, channels).
        count: Directions wanted; fewer channels leave the rest zero.

    Returns:
        Orthonormal directions, shape (count, channels) float32, the strongest first.
    """
    _, vectors = np.linalg.eigh(covariance)
    strongest = vectors[:, ::-1][:, :count].T  # (up to count, channels)
    largest = np.take_along_axis(strongest, np.abs(strongest).argmax(axis=1)[:, None], axis=1)
    axes = np.zeros((count, len(covariance)), dtype=np.float32)
    axes[: len(strongest)] = strongest * np.where(largest < 0, -1, 1)
    return axes


def turned(points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Turn a layout so that it fills a square best.

    Neighbour graphs know no up and no right, and turning changes no distance; a long map along the diagonal shows
    half as many cells again as one along an axis.

    Args:
        points: Shape (n, 2), any units.

    Returns:
        The points turned about the origin by the whole degree in 0 to 89 at which the window's longer side is least,
        shape (n, 2) float32.
    """
    sides = [window(_rotated(points, angle))[2] for angle in range(QUARTER_TURN)]
    return _rotated(points, int(np.argmin(sides))).astype(np.float32)


def _rotated(points: NDArray[np.floating[Any]], degrees: int) -> NDArray[np.float64]:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y = points.astype(np.float64).T
    return np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1)


def window(points: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """What a layout shows: the 0.1 to 99.9 percentile of each axis and 2 % on each side.

    Args:
        points: Shape (n, 2), any units.

    Returns:
        The middle's x and y, and the longer side, shape (3,).
    """
    low, high = np.percentile(points.astype(np.float64), WINDOW, axis=0)
    return np.array([*(low + high) / 2, float((high - low).max()) * (1 + 2 * MARGIN)])


def unit_square(
    points: NDArray[np.floating[Any]], shown: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.float32], int]:
    """Bring a layout into the unit square without changing its aspect ratio.

    The window's longer side fills the square, the shorter lies in the middle. The article stretches both and clips at 1
    to 99.

    Args:
        points: Shape (n, 2), any units.
        shown: The window, by default the points' own.

    Returns:
        The layout, shape (n, 2) float32 in [0, 1], y up, and how many samples lay outside and were moved to the edge.

    Raises:
        LayoutError: Shape, or a coordinate that is not finite.
    """
    if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0 or not np.isfinite(points).all():
        raise LayoutError(f"a layout needs finite points of the shape (n, 2), got {points.shape}")
    shown = window(points) if shown is None else shown
    middle, side = shown[:2], float(shown[2])
    if side <= 0:
        return np.full(points.shape, 0.5, dtype=np.float32), 0
    placed = (points - middle) / side + 0.5
    clamped = int(((placed < 0) | (placed > 1)).any(axis=1).sum())
    return np.clip(placed, 0, 1).astype(np.float32), clamped
