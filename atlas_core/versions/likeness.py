"""How alike two models see the same samples, told by their activations and not by any map.

Each number stands with its interval over images, because samples of one image hang together. A model is to itself
exactly 1 by both measures, whatever the images: what an interval leaves below 1 is a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUPS = 20
"""Of images, each left out once."""
DEVIATIONS = 1.96
LEAST_IMAGES = 20
"""Of which a number is told."""
ROUNDING = 1e-6
"""Two models whose likeness lies nearer to 1 are told alike."""
BLOCK = 4096


@dataclass(frozen=True)
class Likeness:
    """A measure of likeness, 1 for a model and itself and about 0 for unrelated ones.

    Args:
        value: Over all images.
        low: Lower end of its 95 % interval over images.
        high: Upper end, at most 1.
        images: How many.
    """

    value: float
    low: float
    high: float
    images: int

    @property
    def differs(self) -> bool:
        """Whether the interval leaves 1 out: the two do not see these images alike."""
        return self.high < 1 - ROUNDING

    @classmethod
    def of(cls, value: float, error: float, images: int) -> Likeness:
        """From a value and its standard error."""
        return cls(value, value - DEVIATIONS * error, min(1.0, value + DEVIATIONS * error), images)


def gram(activations: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Inner products of samples about their mean, with zeros on the diagonal, shape (n, n).

    Args:
        activations: One sample an image, shape (n, channels).
    """
    rows = np.asarray(activations, dtype=np.float64)
    rows = rows - rows.mean(axis=0)
    products = np.asarray(rows @ rows.T)
    np.fill_diagonal(products, 0)
    return products


def alignment(first: NDArray[np.float64], second: NDArray[np.float64]) -> Likeness | None:
    """Linear centred kernel alignment (CKA) of two models on the same samples.

    Kornblith et al., 2019, with the unbiased estimate of Song et al., 2012: the usual one rises to 1 by itself where
    there are more channels than samples. The interval is the jackknife's, over groups of images.

    Args:
        first: From `gram`, one sample an image, shape (n, n).
        second: Of the other model, the same samples.

    Returns:
        None of fewer than 20 images, or where a model tells none of them apart.
    """
    n = len(first)
    if n < LEAST_IMAGES:
        return None
    whole = _aligned(first, second)
    group = np.arange(n) % GROUPS
    left = []
    for one in range(GROUPS):
        kept = np.flatnonzero(group != one)
        within = np.ix_(kept, kept)
        left.append(_aligned(first[within], second[within]))
    if not np.isfinite([whole, *left]).all():
        return None
    error = np.sqrt((GROUPS - 1) / GROUPS * ((np.array(left) - np.mean(left)) ** 2).sum())
    return Likeness.of(whole, float(error), n)


def _aligned(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    own, other = _dependence(first, first), _dependence(second, second)
    if own <= 0 or other <= 0:
        return float("nan")
    return float(_dependence(first, second) / np.sqrt(own * other))


def _dependence(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The unbiased estimate of the Hilbert-Schmidt independence criterion; both diagonals are zero."""
    n = len(first)
    own, other = first.sum(axis=0), second.sum(axis=0)
    between = np.einsum("ij,ij->", first, second)
    between += own.sum() * other.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (own @ other)
    return float(between / (n * (n - 3)))


def overlaps(
    first: NDArray[np.integer[Any]], second: NDArray[np.integer[Any]], twin: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Share of each sample's nearest neighbours that are its twin's nearest neighbours too.

    Args:
        first: Neighbours of each of the first model's samples, shape (n, k).
        second: Of the second's, shape (m, k).
        twin: The second's sample that is the same image and point, shape (n,); -1 for none.

    Returns:
        Of each of the first's samples, shape (n,), 0 to 1; NaN of one without a twin.
    """
    found = np.full(len(first), np.nan)
    paired = np.flatnonzero(twin >= 0)
    for start in range(0, len(paired), BLOCK):
        rows = paired[start : start + BLOCK]
        carried = twin[first[rows]]  # (rows, k): the neighbours' twins, -1 for none
        same = carried[:, :, None] == second[twin[rows]][:, None, :]
        found[rows] = same.any(axis=2).mean(axis=1)
    return found


def mean_overlap(overlap: NDArray[np.float64], images: NDArray[np.integer[Any]]) -> Likeness | None:
    """The mean overlap of neighbours, each image counted once.

    Args:
        overlap: From `overlaps`, shape (n,).
        images: Image of each sample, shape (n,).

    Returns:
        None of fewer than 20 images.
    """
    known = np.isfinite(overlap)
    _, owner, times = np.unique(images[known], return_inverse=True, return_counts=True)
    if len(times) < LEAST_IMAGES:
        return None
    means = np.bincount(owner, overlap[known]) / times
    return Likeness.of(float(means.mean()), float(means.std(ddof=1) / np.sqrt(len(means))), len(means))
