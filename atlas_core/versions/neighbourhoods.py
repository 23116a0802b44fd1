"""Which other classes each class lies nearest to, in one model and in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_IMAGES = 20
"""Of a class, of which anything is told."""


@dataclass(frozen=True)
class Neighbourhoods:
    """What the nearest neighbours of a class's samples are, on average over its images.

    Args:
        old: Share of class d among the neighbours of class c, by the old model, shape (classes, classes).
        new: By the new model.
        images: Of each class, shape (classes,).
        p: Of a change so large by chance, two-sided; 1 where there are fewer than 20 images, shape (classes, classes).
    """

    old: NDArray[np.float64]
    new: NDArray[np.float64]
    images: NDArray[np.int64]
    p: NDArray[np.float64]


def neighbourhoods(
    old: NDArray[np.integer[Any]],
    old_images: NDArray[np.integer[Any]],
    new: NDArray[np.integer[Any]],
    new_images: NDArray[np.integer[Any]],
    label: NDArray[np.integer[Any]],
    classes: int,
) -> Neighbourhoods:
    """Compare what lies next to each class in two models.

    The test pairs images: of each, the share of its neighbours that are of a class by the new model less that by the
    old, over its standard error. Samples of one image count as one.

    Args:
        old: Neighbours of each of the old model's samples, shape (n, k).
        old_images: Image of each of them, shape (n,).
        new: Of the new model's, shape (m, k).
        new_images: Image of each of them, shape (m,).
        label: Class of each image, by its number; -1 for none. An image without one is nobody's neighbour.
        classes: How many there are.
    """
    labelled = np.flatnonzero(label >= 0)
    owner = sparse.csr_array((np.ones(len(labelled)), (label[labelled], labelled)), shape=(classes, len(label)))
    images = np.asarray(owner.sum(axis=1), dtype=np.int64)
    shares = [_shares(index, of, label, classes) for index, of in ((old, old_images), (new, new_images))]
    before, after = (_mean(owner, of, images) for of in shares)
    change = shares[1] - shares[0]
    squared = _mean(owner, change.multiply(change), images)
    variance = np.maximum(squared - (after - before) ** 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = np.abs(after - before) / np.sqrt(variance / np.maximum(images - 1, 1)[:, None])
    return Neighbourhoods(before, after, images, _two_sided(deviations, images))


def _shares(
    index: NDArray[np.integer[Any]], images: NDArray[np.integer[Any]], label: NDArray[np.integer[Any]], classes: int
) -> Any:
    """Share of each class among the neighbours of each image's samples, sparse, shape (images, classes)."""
    near = label[images[index]]
    rows = np.repeat(images, index.shape[1])
    known = near.ravel() >= 0
    samples = np.maximum(np.bincount(images, minlength=len(label)), 1)
    weight = 1 / (samples[rows[known]] * index.shape[1])
    return sparse.csr_array((weight, (rows[known], near.ravel()[known])), shape=(len(label), classes))


def _mean(owner: Any, values: Any, images: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray((owner @ values).toarray() / np.maximum(images, 1)[:, None])


def _two_sided(deviations: NDArray[np.float64], images: NDArray[np.int64]) -> NDArray[np.float64]:
    from scipy.stats import t  # takes half a second to load

    p = 2 * t.sf(np.nan_to_num(deviations, nan=0.0), np.maximum(images - 1, 1)[:, None])
    return np.where(images[:, None] >= LEAST_IMAGES, p, 1.0)
