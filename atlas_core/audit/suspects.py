"""Which cells an audit tests: what each speaks for most beyond the others, the strongest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEAST_SAMPLES = 10
"""Of a cell that is tested."""


@dataclass(frozen=True)
class Suspects:
    """Cells of a layer that are tested, the strongest first.

    Attributes:
        cell: Index in the level, shape (n,).
        target: The class that the cell adds to most beyond what all cells add to it on average, -1 where nobody knows,
            shape (n,).
        strongest: The class that it adds to most, likewise, shape (n,).
        strength: By how much more it adds to the target than cells on average do, shape (n,).
    """

    cell: NDArray[np.int64]
    target: NDArray[np.int64]
    strongest: NDArray[np.int64]
    strength: NDArray[np.float64]

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.cell)


def suspects(attribution: NDArray[np.floating], counts: NDArray[np.int64]) -> Suspects:
    """The cells of a level that hold enough samples to test; without attributions the largest first, of no class.

    Args:
        attribution: Mean attribution of each cell's samples to every class, shape (classes, m).
        counts: Samples of each cell, shape (m,).
    """
    if not len(attribution):
        kept = np.flatnonzero(counts >= LEAST_SAMPLES)
        kept = kept[np.argsort(-counts[kept], kind="stable")]
        return Suspects(kept, np.full(len(kept), -1), np.full(len(kept), -1), counts[kept].astype(np.float64))
    values = attribution.T.astype(np.float64)  # (m, classes)
    beyond = values - values.mean(axis=0)
    kept = np.flatnonzero(counts >= LEAST_SAMPLES)
    target = beyond[kept].argmax(axis=1)
    strength = beyond[kept, target]
    order = np.argsort(-strength, kind="stable")
    return Suspects(kept[order], target[order], values[kept].argmax(axis=1)[order], strength[order])


def interleaved(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Items of several lists in turn, the first of each before the second of any.

    Strengths of two layers are no measure of each other: each is summed over another number of positions.

    Args:
        lengths: Of the lists.

    Returns:
        Which list, and which of its items.
    """
    return [(which, item) for item in range(max(lengths, default=0)) for which, length in enumerate(lengths)
            if item < length]  # fmt: skip


def balanced(labels: NDArray[np.integer], most: int) -> NDArray[np.int64]:
    """The first of each class, then the second of each, and so on: places of at most so many, shape (n,).

    Args:
        labels: In the order in which images of a class are taken, shape (images,).
        most: Images at most.
    """
    by_class = np.argsort(labels, kind="stable")
    ordered = labels[by_class]
    rank = np.empty(len(labels), dtype=np.int64)
    rank[by_class] = np.arange(len(labels)) - np.searchsorted(ordered, ordered)
    return np.argsort(rank, kind="stable")[:most]
