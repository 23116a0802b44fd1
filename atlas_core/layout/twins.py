"""How far the same sample lies from itself on two maps: what says whether maps may be compared by eye.

Twins are samples of the same image and point. Beside every distance stands the noise floor, the same measure between a
layer and itself laid out with another seed: nothing below it means anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import LayoutError

if TYPE_CHECKING:
    from numpy.typing import NDArray

RETRIEVED = 0.01
QUERIES = 2000
BLOCK = 64


def twins(
    image: NDArray[np.integer[Any]],
    point: NDArray[np.integer[Any]],
    other_image: NDArray[np.integer[Any]],
    other_point: NDArray[np.integer[Any]],
) -> NDArray[np.int64]:
    """Find each sample's twin among other samples of the same dataset.

    Args:
        image: Image of each sample, shape (n,), not negative.
        point: Which of its image's points it is, shape (n,), not negative.
        other_image: Of the other samples, shape (m,).
        other_point: Of the other samples, shape (m,).

    Returns:
        Index among the others, shape (n,); -1 where there is none.
    """
    base = 1 + max(int(point.max(initial=0)), int(other_point.max(initial=0)))
    own = image.astype(np.int64) * base + point
    theirs = other_image.astype(np.int64) * base + other_point
    order = np.argsort(theirs, kind="stable")
    if len(order) == 0:
        return np.full(len(own), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(theirs[order], own), len(order) - 1)
    found = order[place]
    return np.where(theirs[found] == own, found, -1)


def twin_distance(layout: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Median distance of twins, in sides of the map.

    Args:
        layout: Points in the unit square, shape (n, 2).
        other: The twins' points, in the same order, shape (n, 2).

    Raises:
        LayoutError: There are no twins, or shapes differ.
    """
    if layout.shape != other.shape or len(layout) == 0:
        raise LayoutError(f"a distance of twins needs two layouts of as many points, got {len(layout)}, {len(other)}")
    return float(np.median(np.hypot(*(layout.astype(np.float64) - other.astype(np.float64)).T)))


def procrustes(layout: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Move, turn and mirror a layout to lie as near as it can to another, in least squares.

    It is not scaled: shrinking to the middle brings unrelated maps nearer to each other, too.

    Args:
        layout: Points, shape (n, 2).
        other: The points of the same samples, shape (n, 2).

    Returns:
        The moved points, shape (n, 2).
    """
    mean, target = layout.mean(axis=0, dtype=np.float64), other.mean(axis=0, dtype=np.float64)
    centred, wanted = layout - mean, other - target
    left, _, right = np.linalg.svd(centred.T @ wanted)
    return np.asarray(centred @ left @ right + target)


def retrieval(
    layout: NDArray[np.floating[Any]],
    other: NDArray[np.floating[Any]],
    twin: NDArray[np.int64],
    *,
    share: float = RETRIEVED,
    queries: int = QUERIES,
    seed: int = 0,
) -> float:
    """Share of samples whose twin is among the nearest of the other map's samples: as many as chance by chance.

    Args:
        layout: Points, shape (n, 2).
        other: Points of the other map in the same square, shape (m, 2).
        twin: Index among these, shape (n,); -1 for none.
        share: How many of the other map's samples count as nearest.
        queries: Samples to ask, all that have a twin where there are fewer.
        seed: Chooses them.

    Raises:
        LayoutError: There are no twins.
    """
    paired = np.flatnonzero(twin >= 0)
    if len(paired) == 0:
        raise LayoutError("twins are retrieved where there are some, and there are none")
    asked = np.random.Generator(np.random.Philox(seed)).permutation(paired)[:queries]
    most = max(1, round(share * len(other)))
    found = 0
    for first in range(0, len(asked), BLOCK):
        rows = asked[first : first + BLOCK]
        offset = layout[rows, None, :].astype(np.float64) - other[None, :, :]
        squared = np.einsum("rnd,rnd->rn", offset, offset)
        own = squared[np.arange(len(rows)), twin[rows]]
        found += int(((squared < own[:, None]).sum(axis=1) < most).sum())
    return found / len(asked)
