"""Levels of cells: which samples fall together, and what they have in common.

Activations and attributions pass by in shards, for all levels at once: what is held grows with the cells and by a few
numbers a sample, and no cell ever scans all samples. Sums are taken sample by sample, so shards do not show in them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError
from atlas_core.nearest import Nearest, offer_rows, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from atlas_core.whitening import Whitening

LEAST_COUNT = 3
MEDIAN_SHARE = 0.1
FEW_IMAGES = 3
EXEMPLARS = 8
TOP_CLASSES = 5
BLOCK = 4096
MISMATCH = "activations, layout, images and attributions need one row for each sample"


def assign_cells(layout: NDArray[np.float32], side: int) -> NDArray[np.int32]:
    """Assign every point of a layout to one cell of a square level.

    Args:
        layout: Points (x, y) in the unit square, y up, shape (n, 2).
        side: Cells a side, at least 1.

    Returns:
        Cell (column, row) of each point, shape (n, 2), each in [0, side). Row 0 is the top row. Bins are half-open in x
        and y; the last edge belongs to the last cell.

    Raises:
        LayoutError: A coordinate is not finite or lies outside [0, 1], or the side is below 1.
    """
    if layout.ndim != 2 or layout.shape[1] != 2 or side < 1:
        raise LayoutError(f"cells need points of the shape (n, 2) and a side of at least 1, got {layout.shape}, {side}")
    if not ((layout >= 0) & (layout <= 1)).all():
        raise LayoutError("a point of the layout is not finite or lies outside the unit square")
    place = np.minimum(np.floor(layout.astype(np.float64) * side).astype(np.int32), side - 1)
    place[:, 1] = side - 1 - place[:, 1]
    return place


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
        attribution: Mean attribution of the cell's samples to every class, shape (classes, m) float32.
        top_class: The classes of greatest mean attribution, shape (m, 5 or fewer) int64.
        top_attribution: That mean, same shape, float32.
        top_share: Share of the cell's samples whose own strongest attribution is that class, same shape, float32.
        top_images: Distinct images behind those samples, same shape, int64.
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
    attribution: NDArray[np.float32]
    top_class: NDArray[np.int64]
    top_attribution: NDArray[np.float32]
    top_share: NDArray[np.float32]
    top_images: NDArray[np.int64]

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


@dataclass(frozen=True)
class _Members:
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


def levels(
    activations: Iterable[NDArray[np.floating[Any]]],
    layout: NDArray[np.float32],
    images: NDArray[np.integer[Any]],
    sides: Sequence[int],
    whitening: Whitening,
    attributions: Iterable[NDArray[np.floating[Any]]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Level]:
    """Bin a layout at some densities and describe every cell that holds enough samples.

    Args:
        activations: Shards of rows in order, each of shape (some, channels), n in all; gone through twice.
        layout: Points in the unit square, shape (n, 2).
        images: Image of each sample, shape (n,), not negative.
        sides: Cells a side of each level.
        whitening: Of the layer.
        attributions: Of each sample to each class, in shards of shape (some, classes), or None where there are no
            logits; gone through once.
        on_progress: Called with (rows read, rows to read); raising in it cancels.

    Returns:
        The levels. A cell is kept from max(3, a tenth of the median of filled cells) samples on.

    Raises:
        LayoutError: Shapes do not fit, or no cell of a level holds enough samples.
    """
    if len(layout) != len(images):
        raise LayoutError(MISMATCH)
    members = [_members(assign_cells(layout, side), side) for side in sides]
    _, groups = np.unique(images, return_inverse=True)
    groups = groups.astype(np.int32)
    reader = _Reader(len(images), 2 if attributions is None else 3, on_progress or (lambda _done, _rows: None))
    means = _means(reader.blocks(activations), members)
    pictures = _pictures(reader.blocks(activations), groups, members, [mean for mean, _ in means], whitening)
    classes = _classes(() if attributions is None else reader.blocks(attributions), groups, members)
    return [_level(*parts, groups) for parts in zip(members, means, pictures, classes, strict=True)]


def _level(
    members: _Members,
    means: tuple[NDArray[np.float32], NDArray[np.float64]],
    pictures: tuple[NDArray[np.int64], NDArray[np.int64]],
    classes: dict[str, NDArray[Any]],
    groups: NDArray[np.int32],
) -> Level:
    order, (mean, resultant), (exemplars, seeds) = members.order, means, pictures
    distinct = np.bincount(_distinct(members.cell[order], groups[order])[0], minlength=len(members))
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
        **classes,
    )


class _Reader:
    """Goes through shards in blocks, counts their rows and tells of the progress."""

    def __init__(self, rows: int, passes: int, report: Callable[[int, int], None]) -> None:
        self._rows = rows
        self._all = rows * passes
        self._read = 0
        self._report = report

    def blocks(self, shards: Iterable[NDArray[np.floating[Any]]]) -> Iterator[tuple[int, NDArray[np.floating[Any]]]]:
        """Number of the first row, and rows."""
        first = 0
        for shard in shards:
            for start in range(0, len(shard), BLOCK):
                rows = shard[start : start + BLOCK]
                if first + len(rows) > self._rows:
                    raise LayoutError(MISMATCH)
                yield first, rows
                first += len(rows)
                self._read += len(rows)
                self._report(self._read, self._all)
        if first != self._rows:
            raise LayoutError(MISMATCH)


def _members(cells: NDArray[np.int32], side: int) -> _Members:
    places = cells[:, 1].astype(np.int64) * side + cells[:, 0]
    counts = np.bincount(places, minlength=side * side)
    minimum = max(LEAST_COUNT, int(np.ceil(MEDIAN_SHARE * np.median(counts[counts > 0])))) if len(places) else 0
    kept = np.flatnonzero(counts >= max(minimum, 1))
    if len(kept) == 0:
        raise LayoutError(f"no cell of a level of side {side} holds {minimum} samples; choose a coarser level")
    number = np.full(side * side, -1, dtype=np.int32)
    number[kept] = np.arange(len(kept))
    return _Members(side=side, minimum=minimum, place=kept, count=counts[kept], cell=number[places])


def _add_rows(cell: Any, rows: Any, total: Any) -> None:
    for row in range(rows.shape[0]):
        if cell[row] >= 0:
            for column in range(rows.shape[1]):
                total[cell[row], column] += rows[row, column]


_add = compiled(_add_rows)


def _means(
    blocks: Iterable[tuple[int, NDArray[np.floating[Any]]]], members: Sequence[_Members]
) -> list[tuple[NDArray[np.float32], NDArray[np.float64]]]:
    """Mean of each cell's rows, shape (m, channels), and length of the mean of its unit rows, (m,), by level."""
    totals: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for first, rows in blocks:
        if not totals:
            totals = [(np.zeros((len(some), rows.shape[1])), np.zeros((len(some), rows.shape[1]))) for some in members]
        wide, unit = rows.astype(np.float64), unit_rows(rows)
        for some, (total, unit_total) in zip(members, totals, strict=True):
            cell = some.cell[first : first + len(rows)]
            _add(cell, wide, total)
            _add(cell, unit, unit_total)
    counts = [some.count[:, None] for some in members]
    return [
        ((total / count).astype(np.float32), np.linalg.norm(unit_total / count, axis=1))
        for count, (total, unit_total) in zip(counts, totals, strict=True)
    ]


def _pictures(
    blocks: Iterable[tuple[int, NDArray[np.floating[Any]]]],
    groups: NDArray[np.int32],
    members: Sequence[_Members],
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


def _distinct(cell: NDArray[np.integer[Any]], groups: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cell of each distinct pair (cell, image), and where the pair stands first."""
    width = int(groups.max(initial=0)) + 1
    pairs, first = np.unique(cell.astype(np.int64) * width + groups, return_index=True)
    return pairs // width, first


def _exemplars(cosine: NDArray[np.float32], groups: NDArray[np.int32], members: _Members) -> NDArray[np.int64]:
    order = members.order
    ranked = order[np.lexsort((order, -cosine[order], members.cell[order]))]
    # The first of each (cell, image) is that image's best; they are numbered within their cell.
    _, first = _distinct(members.cell[ranked], groups[ranked])
    best = ranked[np.sort(first)]
    cell = members.cell[best]
    place = np.arange(len(best)) - np.searchsorted(cell, cell)
    chosen = place < EXEMPLARS
    exemplars = np.full((len(members), EXEMPLARS), -1, dtype=np.int64)
    exemplars[cell[chosen], place[chosen]] = best[chosen]
    return exemplars


def _classes(
    blocks: Iterable[tuple[int, NDArray[np.floating[Any]]]], groups: NDArray[np.int32], members: Sequence[_Members]
) -> list[dict[str, NDArray[Any]]]:
    """What each level says of classes; of none where there are no attributions."""
    totals = [np.zeros((len(some), 0)) for some in members]
    strongest = np.zeros(len(groups), dtype=np.int64)
    for first, rows in blocks:
        if first == 0:
            totals = [np.zeros((len(some), rows.shape[1])) for some in members]
        wide = rows.astype(np.float64)
        for some, total in zip(members, totals, strict=True):
            _add(some.cell[first : first + len(rows)], wide, total)
        if rows.shape[1]:
            strongest[first : first + len(rows)] = np.argmax(rows, axis=1)
    return [_class_fields(total, strongest, groups, some) for total, some in zip(totals, members, strict=True)]


def _class_fields(
    total: NDArray[np.float64], strongest: NDArray[np.int64], groups: NDArray[np.int32], members: _Members
) -> dict[str, NDArray[Any]]:
    m, width = total.shape
    mean = total / members.count[:, None]
    top = np.empty((m, min(TOP_CLASSES, width)), dtype=np.int64)
    for first in range(0, m, BLOCK):
        top[first : first + BLOCK] = np.argsort(-mean[first : first + BLOCK], axis=1, kind="stable")[:, :TOP_CLASSES]
    order = members.order
    speaks = members.cell[order].astype(np.int64) * max(width, 1) + strongest[order]  # (cell, class) as one number
    wanted = np.arange(m)[:, None] * width + top
    return {
        "attribution": np.ascontiguousarray(mean.T, dtype=np.float32),
        "top_class": top,
        "top_attribution": np.take_along_axis(mean, top, axis=1).astype(np.float32),
        "top_share": (_counted(speaks, wanted) / members.count[:, None]).astype(np.float32),
        "top_images": _counted(_distinct(speaks, groups[order])[0], wanted),
    }


def _counted(values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each wanted number stands among some values."""
    ascending = np.sort(values)
    return np.searchsorted(ascending, wanted, side="right") - np.searchsorted(ascending, wanted, side="left")
