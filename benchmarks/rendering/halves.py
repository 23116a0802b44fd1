"""Cells of a real layout, made from one half of the images, with the other half kept for whoever judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.cells import Level, levels
from atlas_core.sampling import by_hash
from atlas_core.whitening import SHRINKAGE, Moments, Whitening, whitening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.tables import Table

LEAST_JUDGED = 3
"""Samples of a cell in the other half."""
SHOWN = 9
"""Patches of a cell that a reader sees."""


@dataclass(frozen=True)
class Halves:
    """Cells by one half of the images.

    Args:
        level: The cells.
        kept: Which of them the other half has at least three samples of, shape (m,).
        whitening: Of the first half.
        inverse: Of its second moment, shrunk, shape (channels, channels).
        first: The samples of the first half, shape (a,).
        second: The samples of the other half, shape (b,).
        cell: Of each of these its place in `kept`, -1 in none, shape (b,).
    """

    level: Level
    kept: NDArray[np.int64]
    whitening: Whitening
    inverse: NDArray[np.float32]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    cell: NDArray[np.int64]


def halve(names: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Whether each image is in the first half, by its hashed id, shape (images,)."""
    first = np.zeros(len(names), dtype=bool)
    first[by_hash(names, seed)[::2]] = True
    return first


def cells_by_halves(samples: Table, layout: NDArray[np.float32], first_half: NDArray[np.bool_], side: int) -> Halves:
    """Average the first half's samples in the cells of a layout of all.

    Args:
        samples: `activations` (n, channels) and `image` (n,).
        layout: Points in the unit square, shape (n, 2).
        first_half: Whether each image is in the first half.
        side: Cells a side.
    """
    first = np.flatnonzero(first_half[samples["image"]])
    second = np.flatnonzero(~first_half[samples["image"]])
    activations = samples["activations"][first]
    moments = Moments(activations.shape[1])
    moments.add(activations)
    white = whitening(moments)
    (level,) = levels([activations], layout[first], samples["image"][first], [side], white)
    places = assign_cells(layout[second], side)
    number = np.full((side, side), -1, dtype=np.int64)
    number[level.row, level.column] = np.arange(len(level))
    cell = number[places[:, 1], places[:, 0]]
    counts = np.bincount(cell[cell >= 0], minlength=len(level))
    kept = np.flatnonzero(counts >= LEAST_JUDGED)
    renumbered = np.full(len(level) + 1, -1, dtype=np.int64)  # the last is where -1 leads
    renumbered[kept] = np.arange(len(kept))
    return Halves(level, kept, white, shrunk_inverse(moments), first, second, renumbered[cell])


def shrunk_inverse(moments: Moments) -> NDArray[np.float32]:
    """Inverse of the uncentred second moment with .02 of its mean diagonal added.

    The notebooks add nothing, and one dead channel makes theirs singular.
    """
    second = moments.second / moments.n
    ridge = SHRINKAGE * float(np.trace(second)) / len(second)
    return np.asarray(np.linalg.inv(second + ridge * np.eye(len(second))), dtype=np.float32)


def nearest_others(samples: Table, halves: Halves, cell: int, count: int = SHOWN) -> NDArray[np.int64]:
    """The other half's samples of a cell nearest to its mean by whitened cosine, at most one an image.

    Args:
        samples: `activations` and `image` of all samples.
        halves: Cells by halves.
        cell: Place in `kept`.
        count: How many at most.

    Returns:
        Samples, nearest first, shape (count or fewer,).
    """
    inside = halves.second[halves.cell == cell]
    target = halves.whitening.directions(halves.level.mean[halves.kept[cell]][None])[0]
    cosine = halves.whitening.directions(samples["activations"][inside]) @ target
    ranked = inside[np.argsort(-cosine, kind="stable")]
    _, best = np.unique(samples["image"][ranked], return_index=True)
    nearest: NDArray[np.int64] = ranked[np.sort(best)][:count]
    return nearest
