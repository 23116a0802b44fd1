"""Which samples lie in the cells of a level, and sums over them while shards of samples pass by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

LEAST_COUNT = 3
MEDIAN_SHARE = 0.1
BLOCK = 4096


@dataclass(frozen=True)
class Members:
    """Which samples lie in the kept cells of a level."""

    side: int
    minimum: int
    place: NDArray[np.int64]  # row * side + column of each kept cell, (m,)
    count: NDArray[np.int64]  # (m,)
    cell: NDArray[np.int32]  # of each sample its cell's place in the level, (n,); -1 in none

    def __len__(self) -> int:
        return len(self.count)

    @property
    def order(self) -> NDArray[np.int64]:
        """Samples of kept cells, sorted by cell and then by index, shape (shown,)."""
        return np.argsort(self.cell, kind="stable")[int((self.cell < 0).sum()) :]


def members_of(cells: NDArray[np.int32], side: int) -> Members:
    """The members of a level's cells.

    Args:
        cells: Cell (column, row) of each sample, shape (n, 2).
        side: Cells a side.

    Returns:
        Of the cells with max(3, a tenth of the median of filled cells) samples or more.

    Raises:
        LayoutError: No cell holds enough samples.
    """
    places = cells[:, 1].astype(np.int64) * side + cells[:, 0]
    counts = np.bincount(places, minlength=side * side)
    minimum = max(LEAST_COUNT, int(np.ceil(MEDIAN_SHARE * np.median(counts[counts > 0])))) if len(places) else 0
    kept = np.flatnonzero(counts >= max(minimum, 1))
    if len(kept) == 0:
        raise LayoutError(f"no cell of a level of side {side} holds {minimum} samples; choose a coarser level")
    number = np.full(side * side, -1, dtype=np.int32)
    number[kept] = np.arange(len(kept))
    return Members(side=side, minimum=minimum, place=kept, count=counts[kept], cell=number[places])


class Reader:
    """Goes through shards of samples in blocks, counts their rows and tells of the progress.

    Args:
        layout: Points, shape (n, 2).
        images: Image of each sample, shape (n,), not negative.
        passes: How often samples are gone through in all.
        on_progress: Called with (rows read, rows to read); raising in it cancels.

    Attributes:
        groups: Number of each sample's image among those there are, shape (n,).

    Raises:
        LayoutError: The layout has other samples than the images.
    """

    def __init__(
        self, layout: NDArray[np.float32], images: NDArray[np.integer[Any]], passes: int,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:  # fmt: skip
        """Nothing is read yet."""
        self._rows = len(images)
        self._all = self._rows * passes
        self._read = 0
        self._report = on_progress or (lambda _done, _rows: None)
        if len(layout) != self._rows:
            raise self._mismatch(len(layout))
        self.groups: NDArray[np.int32] = np.unique(images, return_inverse=True)[1].astype(np.int32)

    def _mismatch(self, rows: int) -> LayoutError:
        return LayoutError("activations, attributions, layout and images need one row for each sample: there are "
                           f"{rows} rows or more for {self._rows} samples")  # fmt: skip

    def blocks(self, shards: Iterable[NDArray[np.floating[Any]]]) -> Iterator[tuple[int, NDArray[np.floating[Any]]]]:
        """Number of the first row, and rows; raises LayoutError where they are not one for each sample."""
        first = 0
        for shard in shards:
            for start in range(0, len(shard), BLOCK):
                rows = shard[start : start + BLOCK]
                if first + len(rows) > self._rows:
                    raise self._mismatch(first + len(rows))
                yield first, rows
                first += len(rows)
                self._read += len(rows)
                self._report(self._read, self._all)
        if first != self._rows:
            raise self._mismatch(first)


def _add(cell: Any, rows: Any, total: Any) -> None:
    for row in range(rows.shape[0]):
        if cell[row] >= 0:
            for column in range(rows.shape[1]):
                total[cell[row], column] += rows[row, column]


add_rows = compiled(_add)
"""Add each row to its cell's total (cell, rows, total); those in no cell to none."""


def distinct_pairs(
    cell: NDArray[np.integer[Any]], groups: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cell of each distinct pair (cell, image), and where the pair stands first."""
    width = int(groups.max(initial=0)) + 1
    pairs, first = np.unique(cell.astype(np.int64) * width + groups, return_index=True)
    return pairs // width, first
