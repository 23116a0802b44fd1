"""Where a sample belongs among neighbours that have points: the weighted geometric median of these.

The mean would put a sample between two islands into the void. Every row is worked out for itself, in one order of sums,
so that its bytes do not depend on the other rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

WEISZFELD_STEPS = 10
LEAST_DISTANCE = 1e-9


def neighbour_weights(distance: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """exp(-(d - d1) / mean(d - d1)) for ascending distances, to a sum of 1; equal where all distances are.

    Args:
        distance: Of each row's neighbours, the nearest first, shape (..., k).

    Returns:
        Weights, shape (..., k).
    """
    rows = np.ascontiguousarray(distance, dtype=np.float64)
    weights = np.empty_like(rows)
    _weights(rows.reshape(-1, rows.shape[-1]), weights.reshape(-1, rows.shape[-1]))
    return weights


def geometric_median(points: NDArray[np.floating[Any]], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point of least weighted distance to some points, by ten of Weiszfeld's steps from their weighted mean.

    Args:
        points: Shape (..., k, 2).
        weights: Shape (..., k), their sum above 0.

    Returns:
        Shape (..., 2), within the points' convex hull.
    """
    k = weights.shape[-1]
    median = np.empty((*weights.shape[:-1], 2))
    _medians(
        np.ascontiguousarray(points, dtype=np.float64).reshape(-1, k, 2),
        np.ascontiguousarray(weights, dtype=np.float64).reshape(-1, k),
        median.reshape(-1, 2),
    )
    return median


def spread_of(
    points: NDArray[np.floating[Any]], weights: NDArray[np.float64], centre: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted mean distance of some points from a centre.

    Args:
        points: Shape (..., k, 2).
        weights: Shape (..., k), of sum 1.
        centre: Shape (..., 2).

    Returns:
        Shape (...).
    """
    k = weights.shape[-1]
    spread = np.empty(weights.shape[:-1])
    _spreads(
        np.ascontiguousarray(points, dtype=np.float64).reshape(-1, k, 2),
        np.ascontiguousarray(weights, dtype=np.float64).reshape(-1, k),
        np.ascontiguousarray(centre, dtype=np.float64).reshape(-1, 2),
        spread.reshape(-1),
    )
    return spread


def heaviest_cluster(
    points: NDArray[np.floating[Any]], weights: NDArray[np.float64], gap: float
) -> NDArray[np.float64]:
    """Share of the weight in the heaviest cluster.

    Args:
        points: Shape (..., k, 2).
        weights: Shape (..., k), their sum above 0.
        gap: Points nearer than this are linked, and links join clusters (single linkage).

    Returns:
        Shape (...), each in (0, 1].
    """
    k = weights.shape[-1]
    share = np.empty(weights.shape[:-1])
    _clusters(
        np.ascontiguousarray(points, dtype=np.float64).reshape(-1, k, 2),
        np.ascontiguousarray(weights, dtype=np.float64).reshape(-1, k),
        gap,
        share.reshape(-1),
    )
    return share


def _weight_rows(distance: Any, weights: Any) -> None:
    for row in range(distance.shape[0]):
        scale = 0.0
        for place in range(distance.shape[1]):
            scale += distance[row, place] - distance[row, 0]
        scale /= distance.shape[1]
        total = 0.0
        for place in range(distance.shape[1]):
            weight = math.exp(-(distance[row, place] - distance[row, 0]) / scale) if scale > 0 else 1.0
            weights[row, place] = weight
            total += weight
        for place in range(distance.shape[1]):
            weights[row, place] /= total


_weights = compiled(_weight_rows)


def _median_rows(points: Any, weights: Any, median: Any) -> None:
    for row in range(points.shape[0]):
        x, y, total = 0.0, 0.0, 0.0
        for place in range(points.shape[1]):
            x += weights[row, place] * points[row, place, 0]
            y += weights[row, place] * points[row, place, 1]
            total += weights[row, place]
        x, y = x / total, y / total
        for _ in range(WEISZFELD_STEPS):
            next_x, next_y, total = 0.0, 0.0, 0.0
            for place in range(points.shape[1]):
                across, up = points[row, place, 0] - x, points[row, place, 1] - y
                distance = math.sqrt(across * across + up * up)  # hypot guards against overflow, and takes longer
                pull = weights[row, place] / max(distance, LEAST_DISTANCE)
                next_x += pull * points[row, place, 0]
                next_y += pull * points[row, place, 1]
                total += pull
            x, y = next_x / total, next_y / total
        median[row, 0], median[row, 1] = x, y


_medians = compiled(_median_rows)


def _spread_rows(points: Any, weights: Any, centre: Any, spread: Any) -> None:
    for row in range(points.shape[0]):
        total = 0.0
        for place in range(points.shape[1]):
            offset = math.hypot(points[row, place, 0] - centre[row, 0], points[row, place, 1] - centre[row, 1])
            total += weights[row, place] * offset
        spread[row] = total


_spreads = compiled(_spread_rows)


def _cluster_rows(points: Any, weights: Any, gap: float, share: Any) -> None:
    k = points.shape[1]
    cluster, weight = np.empty(k, np.int64), np.empty(k)
    for row in range(points.shape[0]):
        for place in range(k):
            cluster[place], weight[place] = place, 0.0
        for place in range(k):
            for other in range(place):
                across = points[row, place, 0] - points[row, other, 0]
                up = points[row, place, 1] - points[row, other, 1]
                near = across * across + up * up < gap * gap
                if near and cluster[place] != cluster[other]:
                    joined, kept = cluster[place], cluster[other]
                    for member in range(k):
                        if cluster[member] == joined:
                            cluster[member] = kept
        total, heaviest = 0.0, 0.0
        for place in range(k):
            weight[cluster[place]] += weights[row, place]
            total += weights[row, place]
        for place in range(k):
            heaviest = max(heaviest, weight[place])
        share[row] = heaviest / total


_clusters = compiled(_cluster_rows)
