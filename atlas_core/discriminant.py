"""Telling images from copies of them that are spoiled in one of several ways.

Linear discriminant analysis with a shrunk covariance that all share: each kind of copy has a direction in which it
differs from the images, and how much an image resembles any of them is one number. The directions are found on some
images and looked at on others (`folds`), because there are often more channels than images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHRINKAGE = 0.2
"""Of the covariance towards the identity: what is added to its diagonal, of the diagonal's mean."""
SOFTNESS = 5.0
"""Scores of kinds are joined as if they were so much less sure; they take channels for more certain than they are."""
LEAST_DEVIATION = 0.01
"""Of the mean deviation: channels that hardly ever move are not stretched beyond measure."""


@dataclass(frozen=True)
class Discriminant:
    """Directions of the kinds.

    Args:
        weights: Shape (values, kinds) float32.
        offset: Shape (kinds,) float32.
    """

    weights: NDArray[np.float32]
    offset: NDArray[np.float32]

    @classmethod
    def fit(
        cls, images: NDArray[np.floating], copies: NDArray[np.floating], kinds: NDArray[np.integer]
    ) -> Discriminant:
        """Find the directions.

        Args:
            images: Shape (n, values), two or more.
            copies: Shape (m, values).
            kinds: Kind of each copy, shape (m,); kinds without copies are left out.
        """
        images, copies = images.astype(np.float64), copies.astype(np.float64)
        mean, scale = images.mean(axis=0), deviation(images)
        images, copies = (images - mean) / scale, (copies - mean) / scale
        groups = [copies[kinds == kind] for kind in np.unique(kinds)]
        centres = np.stack([group.mean(axis=0) for group in groups], axis=1)  # (values, kinds); images are at 0
        centred = [(group - group.mean(axis=0)) / np.sqrt(2 * len(groups) * len(group)) for group in groups]
        rows = np.concatenate([images / np.sqrt(2 * len(images)), *centred])
        directions = _solve(rows, centres)
        offset = -0.5 * np.einsum("vk,vk->k", directions, centres) - mean / scale @ directions
        return cls((directions / scale[:, None]).astype(np.float32), offset.astype(np.float32))

    def score(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """How much each row resembles any kind of copy, shape (n,): the more, the likelier it is one."""
        scores = (values.astype(np.float32) @ self.weights + self.offset).astype(np.float64) / SOFTNESS
        most = scores.max(axis=1)
        joined: NDArray[np.float64] = most + np.log(np.exp(scores - most[:, None]).sum(axis=1))
        return joined


def deviation(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standard deviation of each column, at least a hundredth of their mean, and 1 where nothing moves at all."""
    found = rows.astype(np.float64).std(axis=0)
    least = LEAST_DEVIATION * found.mean()
    return np.where(found > least, found, least if least > 0 else 1.0)


def _solve(rows: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rowsᵀ rows + λ)⁻¹ centres, by whichever of both sides is shorter."""
    count, values = rows.shape
    ridge = SHRINKAGE * np.einsum("nv,nv->", rows, rows) / values
    if ridge == 0:
        return centres
    if count >= values:
        found: NDArray[np.float64] = np.linalg.solve(rows.T @ rows + ridge * np.eye(values), centres)
        return found
    inner = np.linalg.solve(rows @ rows.T + ridge * np.eye(count), rows @ centres)
    outer: NDArray[np.float64] = (centres - rows.T @ inner) / ridge
    return outer
