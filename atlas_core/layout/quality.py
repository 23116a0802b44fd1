"""How far a layout may be believed: what is near in the plane, is it near in the layer, and the other way round?

Trustworthiness and continuity as in Venna and Kaski, 2001, on a sample of queries. Samples of the query's own image
take no part in them, since the layout did not see them either; so each query has its own number of others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import LayoutError
from atlas_core.nearest import unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 15
QUERIES = 500
BLOCK_CELLS = 8_000_000


@dataclass(frozen=True)
class Quality:
    """Measures of a layout, all between 0 and 1, means over the queries.

    Args:
        trustworthiness: 1 where the neighbours in the plane are neighbours in the layer; about .5 by chance.
        continuity: 1 where the neighbours in the layer are neighbours in the plane; about .5 by chance.
        recall: Share of the neighbours in the layer found among those in the plane.
        same_image_share: Share of the neighbours in the plane, own image included, that come from the query's image.
        queries: Number of samples asked.
        neighbours: Neighbours of each.
    """

    trustworthiness: float
    continuity: float
    recall: float
    same_image_share: float
    queries: int
    neighbours: int


def quality(
    activations: NDArray[np.floating[Any]],
    layout: NDArray[np.floating[Any]],
    images: NDArray[np.integer[Any]],
    *,
    seed: int = 0,
    queries: int = QUERIES,
    k: int = NEIGHBOURS,
) -> Quality:
    """Measure a layout against the activations it was made from, by cosine.

    Args:
        activations: Shape (n, channels).
        layout: Points of any scale, shape (n, 2).
        images: Image of each sample, shape (n,).
        seed: Chooses the queries.
        queries: Samples to ask, all where there are fewer.
        k: Neighbours of each.

    Returns:
        The measures.

    Raises:
        LayoutError: Shapes do not fit, or a query has fewer than 2 k samples of other images.
    """
    unit = unit_rows(activations)
    if layout.shape != (len(unit), 2) or images.shape != (len(unit),) or not np.isfinite(layout).all():
        raise LayoutError(f"{len(unit)} activations need as many finite points (x, y) and images")
    points = layout.astype(np.float32)
    rng = np.random.Generator(np.random.Philox(seed))
    asked = np.sort(rng.permutation(len(unit))[:queries])
    step = max(1, BLOCK_CELLS // max(1, len(unit)))
    scores = []
    for first in range(0, len(asked), step):
        rows = asked[first : first + step]
        far = 1 - unit[rows] @ unit.T  # (rows, n) cosine distances
        flat = _planar(points, rows)
        scores += [_score(row, images, far[i], flat[i], k) for i, row in enumerate(rows)]
    trust, continuity, recall, same = np.mean(scores, axis=0)
    return Quality(float(trust), float(continuity), float(recall), float(same), len(asked), k)


def _planar(points: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    offset = points[rows, None, :] - points[None, :, :]
    squared: NDArray[np.float32] = np.einsum("rnd,rnd->rn", offset, offset)
    return squared


def _score(
    row: int, images: NDArray[Any], far: NDArray[np.float32], flat: NDArray[np.float32], k: int
) -> tuple[float, float, float, float]:
    others = np.flatnonzero(images != images[row])
    if len(others) < 2 * k:
        raise LayoutError(f"sample {row} has {len(others)} samples of other images; {2 * k} are needed to measure")
    far_others, flat_others = far[others], flat[others]
    in_layer, in_plane = _smallest(far_others, k), _smallest(flat_others, k)
    everyone = flat.copy()
    everyone[row] = np.inf
    same = float(np.mean(images[_smallest(everyone, k)] == images[row]))
    worst = k * (2 * (len(others) + 1) - 3 * k - 1) / 2  # of the sum of excess ranks
    return (
        1 - _excess(far_others, in_plane, k) / worst,
        1 - _excess(flat_others, in_layer, k) / worst,
        len(np.intersect1d(in_layer, in_plane)) / k,
        same,
    )


def _smallest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k smallest values' places, ties by place."""
    bound = np.partition(values, k - 1)[k - 1]
    candidates = np.flatnonzero(values <= bound)
    return candidates[np.argsort(values[candidates], kind="stable")[:k]]


def _excess(values: NDArray[np.float32], chosen: NDArray[np.int64], k: int) -> float:
    """Sum of how far beyond k the chosen rank by these values; rank 1 is the smallest."""
    rank = np.searchsorted(np.sort(values), values[chosen], side="left") + 1
    return float(np.maximum(rank - k, 0).sum())
