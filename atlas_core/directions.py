"""Directions that no cell names: of a channel, a class, a sum of cells, a walk; and which pictures they start from.

A direction is given as an activation that lies in it, the form in which the renderer takes a cell's mean: what counts
is where it points from the layer's mean, once whitened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.whitening import Whitening

SEEDING_CELLS = 4
"""Cells whose starts are averaged: of one its own picture would be seen, of many nothing."""
NEARNESS = 0.6
"""Of a place on a walk: standard deviation in cells of the weights of the cells about it."""


def of_channels(whitening: Whitening, channels: Sequence[int]) -> NDArray[np.float32]:
    """The layer's mean and its covariance with each channel: what it shows on average where the channel is active.

    Whitened this is W^-1 e, the direction in which the channel itself grows fastest.

    Args:
        whitening: The layer's; its covariance, shrunk, is W^-2.
        channels: Which, n of them.

    Returns:
        Shape (n, channels).
    """
    matrix, which = whitening.matrix.astype(np.float64), np.asarray(channels)
    covariance = np.linalg.solve(matrix, np.linalg.solve(matrix, np.eye(len(matrix))[:, which])).T
    deviations = np.sqrt(covariance[np.arange(len(which)), which])
    return np.asarray(whitening.mean + covariance / deviations[:, None], dtype=np.float32)


def of_class(
    means: NDArray[np.float32], counts: NDArray[np.int64], attribution: NDArray[np.floating], label: int
) -> NDArray[np.float32]:
    """The mean of cells, weighted by what their samples add to a class beyond what they add to classes on average.

    The average over classes is taken off because it changes no prediction; of a single class there is none.

    Args:
        means: Mean activations of a level's cells, shape (m, channels).
        counts: Their samples, shape (m,).
        attribution: What they add to every class, shape (classes, m).
        label: The class.

    Returns:
        Shape (channels,); the mean of all where no cell speaks for the class.
    """
    values = attribution.astype(np.float64)
    own = values[label] - (values.mean(axis=0) if len(values) > 1 else 0)
    weights = counts * np.maximum(own, 0)
    if not weights.sum() > 0:
        weights = counts.astype(np.float64)
    return np.asarray(weights @ means / weights.sum(), dtype=np.float32)


def of_sum(
    means: NDArray[np.float32], weights: NDArray[np.floating], centre: NDArray[np.float32]
) -> NDArray[np.float32]:
    """A weighted sum of cells as they differ from the layer's mean, shape (channels,).

    Args:
        means: Their mean activations, shape (k, channels).
        weights: Shape (k,); below 0 leads away.
        centre: The layer's mean, shape (channels,).
    """
    return np.asarray(centre + weights @ (means - centre), dtype=np.float32)


def along_means(start: NDArray[np.float32], end: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Evenly from one activation to another, both counted, shape (steps, channels)."""
    share = np.linspace(0, 1, steps)[:, None]
    return np.asarray((1 - share) * start + share * end, dtype=np.float32)


def along_map(
    places: NDArray[np.floating], means: NDArray[np.float32], start: int, end: int, steps: int
) -> NDArray[np.float32]:
    """Along the straight line between two cells: at each step the mean of the cells about it, the nearer the more.

    Where the map is empty the nearest cells there are count, so that a walk crosses it without a gap.

    Args:
        places: Columns and rows of a level's cells, shape (m, 2).
        means: Their mean activations, shape (m, channels).
        start: Which of the cells it starts with.
        end: Which it ends with.
        steps: At least 2, both ends counted; the ends are these cells' own means.

    Returns:
        Shape (steps, channels).
    """
    share = np.linspace(0, 1, steps)[:, None]
    line = (1 - share) * places[start] + share * places[end]
    squares = ((line[:, None] - places[None]) ** 2).sum(axis=2)  # (steps, m)
    weights = np.exp(-(squares - squares.min(axis=1, keepdims=True)) / (2 * NEARNESS**2))
    found = weights @ means / weights.sum(axis=1, keepdims=True)
    found[0], found[-1] = means[start], means[end]
    return np.asarray(found, dtype=np.float32)


def nearest_cells(
    targets: NDArray[np.float32], means: NDArray[np.float32], whitening: Whitening, count: int = SEEDING_CELLS
) -> NDArray[np.int64]:
    """The cells nearest to each direction by whitened cosine, the nearest first.

    Args:
        targets: Shape (n, channels).
        means: Mean activations of the cells, shape (m, channels).
        whitening: The layer's.
        count: How many, fewer where there are fewer.

    Returns:
        Shape (n, k).
    """
    similarity = whitening.directions(targets) @ whitening.directions(means).T
    return np.asarray(np.argsort(-similarity, axis=1, kind="stable")[:, :count], dtype=np.int64)
