"""Lay out a part of very many samples, the landmarks, and place the others among them.

An optimisation of ten times the samples costs thirty times as much, because they no longer fit the cache; placing costs
the same for each. A placed sample sees landmarks of other images only: it starts at their median and is then moved by
UMAP's forces for some epochs, while the landmarks stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import LayoutError
from atlas_core.layout.coupled import coupled
from atlas_core.layout.graph import Graph
from atlas_core.layout.neighbours import Neighbours
from atlas_core.layout.optimise import optimise
from atlas_core.layout.placement import geometric_median, neighbour_weights
from atlas_core.nearest import ROWS_A_STEP, propose_all, ranked, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atlas_core.inverted import InvertedLists

NEIGHBOURS = 15
SETTLING_STEP = 0.3


def choose_landmarks(
    image: NDArray[np.integer[Any]], point: NDArray[np.integer[Any]], rank: NDArray[np.integer[Any]], count: int
) -> NDArray[np.int64]:
    """Share landmarks evenly among images: the first points of each, one more of the first images by hashed id.

    Args:
        image: Image of each sample, shape (n,).
        point: Which of its image's points it is, shape (n,).
        rank: Place of each image in the order of hashed ids, by image.
        count: Landmarks wanted.

    Returns:
        Samples, ascending, shape (count or n,).
    """
    by_image = np.lexsort((point, image))
    sorted_images = image[by_image]
    turn = np.empty(len(image), dtype=np.int64)  # how many samples of its image come before
    turn[by_image] = np.arange(len(image)) - np.searchsorted(sorted_images, sorted_images)
    return np.sort(np.lexsort((rank[image], turn))[:count])


def nearest_landmarks(
    activations: NDArray[np.floating[Any]],
    images: NDArray[np.integer[Any]],
    landmarks: NDArray[np.floating[Any]],
    landmark_images: NDArray[np.integer[Any]],
    lists: InvertedLists,
    *,
    k: int = NEIGHBOURS,
    on_progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest landmarks of each sample by cosine, none of its own image; probably, see `InvertedLists`.

    Args:
        activations: Shape (n, channels), any float type.
        images: Image of each sample, shape (n,).
        landmarks: Activations of the landmarks, shape (m, channels).
        landmark_images: Their images, shape (m,).
        lists: Of the landmarks' unit rows.
        k: Landmarks of each sample.
        on_progress: Called with (samples done, samples); raising in it cancels.

    Returns:
        Landmarks, the nearest first, and their cosine distances, each of shape (n, k).

    Raises:
        LayoutError: A sample has fewer than k landmarks of other images.
    """
    unit, others = unit_rows(activations), unit_rows(landmarks)
    own, theirs = images.astype(np.int64), landmark_images.astype(np.int64)
    candidates = lists.propose(others, theirs, unit, own, 2 * k, on_progress=on_progress)
    missing = np.flatnonzero(candidates[:, k - 1] < 0)  # their lists held nearly nothing but their own image
    propose_all(unit, own, others, theirs, candidates, only=missing)
    index, distance = ranked(unit, others, candidates, k)
    if not np.isfinite(distance).all():
        raise LayoutError(f"a sample has fewer than {k} landmarks of other images; take more landmarks or more images")
    return index, distance


def place_among(
    points: NDArray[np.floating[Any]], index: NDArray[np.int64], distance: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Place samples among landmarks by the weighted geometric median of the nearest.

    Args:
        points: Of the landmarks, shape (m, 2), any units.
        index: Landmarks of each sample, the nearest first, shape (n, k).
        distance: Their distances, shape (n, k).

    Returns:
        Points in the same units, shape (n, 2) float32.
    """
    placed = np.empty((len(index), 2), dtype=np.float32)
    for first in range(0, len(index), ROWS_A_STEP):
        rows = slice(first, first + ROWS_A_STEP)
        placed[rows] = geometric_median(points[index[rows]], neighbour_weights(distance[rows]))
    return placed


def settle_among(
    points: NDArray[np.floating[Any]],
    placed: NDArray[np.float32],
    index: NDArray[np.int64],
    distance: NDArray[np.float64],
    *,
    epochs: int,
    min_dist: float,
    seed: int = 0,
    on_epoch: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Move placed samples by what ties them to their landmarks, and away from the others; the landmarks stay.

    Medians lie too near the middle of their landmarks; this makes up for it.

    Args:
        points: Of the landmarks, in units of the layout, shape (m, 2).
        placed: Of the samples, shape (n, 2).
        index: Landmarks of each sample, the nearest first, shape (n, k).
        distance: Their distances, shape (n, k).
        epochs: Passes, at least 1.
        min_dist: How near two samples may lie.
        seed: As in `optimise`.
        on_epoch: As in `optimise`.

    Returns:
        Points, shape (n, 2) float32.
    """
    m, n = len(points), len(placed)
    alone = Graph(np.zeros(n + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    tied = coupled(alone, m, cross=Neighbours(index.astype(np.int32), distance.astype(np.float32)))
    both = np.concatenate([points, placed])
    return optimise(tied, both, epochs=epochs, min_dist=min_dist, seed=seed, step=SETTLING_STEP, on_epoch=on_epoch)[m:]
