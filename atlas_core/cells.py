"""Levels of cells: which samples fall together, and what they have in common.

Activations pass by in shards, for all levels at once: what is held grows with the cells and by a few numbers a sample,
and no cell ever scans all samples. Sums are taken sample by sample, so shards do not show in them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.members import Members, Reader, add_rows, distinct_pairs, members_of
from atlas_core.nearest import Nearest, offer_rows, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from atlas_core.whitening import Whitening

FEW_IMAGES = 3
EXEMPLARS = 8


@dataclass(frozen=True)
class Level:
    """One grid density of an atlas: its kept cells, sorted by row, then by column.

    Args:
        side: Cells a side, shape (1,).
        minimum_count: Samples from which a cell is kept, shape (1,).
        shown: Share of all samples that lie in kept cells, shape (1,) float64.
        column: Shape (m,) int32.
        row: Shape (m,) int32; 0 is the top row.
        count: Samples of each cell, shape (m,) int64.
        images: Distinct images behind them, shape (m,) int64.
        few_images: Fewer than 3 of them, shape (m,) bool.
        mean: Mean activation, shape (m, channels) float32.
        coherence: Mean resultant length R of the unit activations, 0 to 1, shape (m,) float32.
        pair_cosine: Unbiased mean cosine of two of the cell's samples, (n R² - 1) / (n - 1), shape (m,) float32.
        exemplars: The cell's samples nearest to its mean by whitened cosine, at most one an image, shape (m, 8) int64;
            -1 where there are fewer.
        seeds: The same over all samples of the layer, shape (m, 8) int64: where the icon starts.
    """

    side: NDArray[np.int64]
    minimum_count: NDArray[np.int64]
    shown: NDArray[np.float64]
    column: NDArray[np.int32]
    row: NDArray[np.int32]
    count: NDArray[np.int64]
    images: NDArray[np.int64]
    few_images: NDArray[np.bool_]
    mean: NDArray[np.float32]
    coherence: NDArray[np.float32]
    pair_cosine: NDArray[np.float32]
    exemplars: NDArray[np.int64]
    seeds: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of cells."""
        return len(self.column)

    @property
    def median_images(self) -> float:
        """Median number of distinct images a cell; 8 or more is healthy."""
        return float(np.median(self.images)) if len(self) else 0.0

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> Level:
        """The inverse of `to_tables`."""
        return cls(**{field.name: tables[field.name] for field in fields(cls)})


def levels(
    activations: Iterable[NDArray[np.floating[Any]]],
    layout: NDArray[np.float32],
    images: NDArray[np.integer[Any]],
    sides: Sequence[int],
    whitening: Whitening,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Level]:
    """Bin a layout at some densities and describe every cell that holds enough samples.

    Args:
        activations: Shards of rows in order, each of shape (some, channels), n in all; gone through twice.
        layout: Points in the unit square, shape (n, 2).
        images: Image of each sample, shape (n,), not negative.
        sides: Cells a side of each level.
        whitening: Of the layer.
        on_progress: Called with (rows read, rows to read); raising in it cancels.

    Returns:
        The levels. A cell is kept from max(3, a tenth of the median of filled cells) samples on.

    Raises:
        LayoutError: Shapes do not fit, or no cell of a level holds enough samples.
    """
    members = [members_of(assign_cells(layout, side), side) for side in sides]
    reader = Reader(layout, images, 2, on_progress)
    means = _means(reader.blocks(activations), members)
    pictures = _pictures(reader.blocks(activations), reader.groups, members, [mean for mean, _ in means], whitening)
    return [_level(*parts, reader.groups) for parts in zip(members, means, pictures, strict=True)]


def _level(
    members: Members,
    means: tuple[NDArray[np.float32], NDArray[np.float64]],
    pictures: tuple[NDArray[np.int64], NDArray[np.int64]],
    groups: NDArray[np.int32],
) -> Level:
    order, (mean, resultant), (exemplars, seeds) = members.order, means, pictures
    distinct = np.bincount(distinct_pairs(members.cell[order], groups[order])[0], minlength=len(members))
    return Level(
        side=np.array([members.side]),
        minimum_count=np.array([members.minimum]),
        shown=np.array([len(order) / len(groups)]),
        column=(members.place % members.side).astype(np.int32),
        row=(members.place // members.side).astype(np.int32),
        count=members.count,
        images=distinct,
        few_images=distinct < FEW_IMAGES,
        mean=mean,
        coherence=resultant.astype(np.float32),
        pair_cosine=((members.count * resultant**2 - 1) / (members.count - 1)).astype(np.float32),
        exemplars=exemplars,
        seeds=seeds,
    )


def _means(
    blocks: Iterable[tuple[int, NDArray[np.floating[Any]]]], members: Sequence[Members]
) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Mean of each cell's rows, shape (m, channels), and length of the mean of its unit rows, (m,), by level."""
    totals: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for first, rows in blocks:
        if not totals:
            totals = [(np.zeros((len(some), rows.shape[1])), np.zeros((len(some), rows.shape[1]))) for some in members]
        wide, unit = rows.astype(np.float64), unit_rows(rows)
        for some, (total, unit_total) in zip(members, totals, strict=True):
            cell = some.cell[first : first + len(rows)]
            add_rows(cell, wide, total)
            add_rows(cell, unit, unit_total)
    counts = [some.count[:, None] for some in members]
    return [
        ((total / count).astype(np.float32), np.linalg.norm(unit_total / count, axis=1))
        for count, (total, unit_total) in zip(counts, totals, strict=True)
    ]


def _pictures(
    blocks: Iterable[tuple[int, NDArray[np.floating[Any]]]],
    groups: NDArray[np.int32],
    members: Sequence[Members],
    means: Sequence[NDArray[np.float32]],
    whitening: Whitening,
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Of each level, the exemplars of each cell and the samples that its icon starts from."""
    targets = [whitening.directions(mean) for mean in means]
    cosines = [np.full(len(groups), -np.inf, dtype=np.float32) for _ in members]
    nearest = [Nearest.empty(len(some), EXEMPLARS) for some in members]
    for first, rows in blocks:
        directions = whitening.directions(rows)
        for some, target, cosine, best in zip(members, targets, cosines, nearest, strict=True):
            cell = some.cell[first : first + len(rows)]
            inside = np.flatnonzero(cell >= 0)
            cosine[first + inside] = np.einsum("ij,ij->i", directions[inside], target[cell[inside]])
            offer_rows(best, target, directions, first, groups[first : first + len(rows)].astype(np.int64))
    return [(_exemplars(cosine, groups, some), best.index)
            for cosine, some, best in zip(cosines, members, nearest, strict=True)]  # fmt: skip


def _exemplars(cosine: NDArray[np.float32], groups: NDArray[np.int32], members: Members) -> NDArray[np.int64]:
    order = members.order
    ranked = order[np.lexsort((order, -cosine[order], members.cell[order]))]
    # The first of each (cell, image) is that image's best; they are numbered within their cell.
    _, first = distinct_pairs(members.cell[ranked], groups[ranked])
    best = ranked[np.sort(first)]
    cell = members.cell[best]
    place = np.arange(len(best)) - np.searchsorted(cell, cell)
    chosen = place < EXEMPLARS
    exemplars = np.full((len(members), EXEMPLARS), -1, dtype=np.int64)
    exemplars[cell[chosen], place[chosen]] = best[chosen]
    return exemplars
