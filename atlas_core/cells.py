"""Levels of cells: which samples fall together, and what they have in common.

All sums run over samples sorted by cell, in blocks, so that memory does not grow with the number of cells and no cell
ever scans all samples.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.errors import LayoutError
from atlas_core.nearest import nearest_samples, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from atlas_core.whitening import Whitening

LEAST_COUNT = 3
MEDIAN_SHARE = 0.1
FEW_IMAGES = 3
EXEMPLARS = 8
TOP_CLASSES = 5
STEPS = 4
BLOCK = 4096


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
    """Samples of kept cells, sorted by cell and then by index."""

    order: NDArray[np.int64]  # samples, (shown,)
    cell: NDArray[np.int64]  # their cell's place in the level, (shown,), ascending
    place: NDArray[np.int64]  # row * side + column of each kept cell, (m,)
    count: NDArray[np.int64]  # (m,)
    minimum: int

    def blocks(self) -> Iterator[slice]:
        for first in range(0, len(self.order), BLOCK):
            yield slice(first, first + BLOCK)


def level(
    activations: NDArray[np.floating[Any]],
    layout: NDArray[np.float32],
    images: NDArray[np.integer[Any]],
    side: int,
    whitening: Whitening,
    attributions: NDArray[np.floating[Any]] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Level:
    """Bin a layout and describe every cell that holds enough samples.

    Args:
        activations: Shape (n, channels).
        layout: Points in the unit square, shape (n, 2).
        images: Image of each sample, shape (n,), not negative.
        side: Cells a side.
        whitening: Of the layer.
        attributions: Of each sample to each class, shape (n, classes), or None where there are no logits.
        on_progress: Called with (steps done, steps); raising in it cancels.

    Returns:
        The level. A cell is kept from max(3, a tenth of the median of filled cells) samples on.

    Raises:
        LayoutError: Shapes do not fit, or no cell holds enough samples.
    """
    if not len(activations) == len(layout) == len(images) or (
        attributions is not None and len(attributions) != len(images)
    ):
        raise LayoutError("activations, layout, images and attributions need one row for each sample")
    step = on_progress or (lambda _done, _steps: None)
    members = _members(assign_cells(layout, side), side)
    _, groups = np.unique(images, return_inverse=True)
    mean = _mean(activations, members).astype(np.float32)
    resultant = np.linalg.norm(_mean(activations, members, unit=True), axis=1)
    step(1, STEPS)
    exemplars = _exemplars(activations, groups, members, mean, whitening)
    step(2, STEPS)
    seeds = nearest_samples(activations, images, mean, whitening, EXEMPLARS)
    step(3, STEPS)
    classes = _classes(attributions, groups, members)
    step(4, STEPS)
    distinct = np.bincount(_distinct(members.cell, groups[members.order])[0], minlength=len(members.count))
    return Level(
        side=np.array([side]),
        minimum_count=np.array([members.minimum]),
        shown=np.array([len(members.order) / len(images)]),
        column=(members.place % side).astype(np.int32),
        row=(members.place // side).astype(np.int32),
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


def _members(cells: NDArray[np.int32], side: int) -> _Members:
    places = cells[:, 1].astype(np.int64) * side + cells[:, 0]
    counts = np.bincount(places, minlength=side * side)
    minimum = max(LEAST_COUNT, int(np.ceil(MEDIAN_SHARE * np.median(counts[counts > 0])))) if len(places) else 0
    kept = np.flatnonzero(counts >= max(minimum, 1))
    if len(kept) == 0:
        raise LayoutError(f"no cell of a level of side {side} holds {minimum} samples; choose a coarser level")
    number = np.full(side * side, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    cell = number[places]
    order = np.argsort(cell, kind="stable")[int((cell < 0).sum()) :]
    return _Members(order=order, cell=cell[order], place=kept, count=counts[kept], minimum=minimum)


def _mean(values: NDArray[np.floating[Any]], members: _Members, *, unit: bool = False) -> NDArray[np.float64]:
    """Mean of each cell's rows (or unit rows) in float64, shape (m, width)."""
    total = np.zeros((len(members.count), values.shape[1]))
    for block in members.blocks():
        rows = values[members.order[block]]
        filled, starts = np.unique(members.cell[block], return_index=True)
        total[filled] += np.add.reduceat((unit_rows(rows) if unit else rows).astype(np.float64), starts, axis=0)
    return total / members.count[:, None]


def _distinct(cell: NDArray[np.int64], groups: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cell of each distinct pair (cell, image), and where the pair stands first."""
    width = int(groups.max(initial=0)) + 1
    pairs, first = np.unique(cell * width + groups, return_index=True)
    return pairs // width, first


def _exemplars(
    activations: NDArray[np.floating[Any]],
    groups: NDArray[np.int64],
    members: _Members,
    mean: NDArray[np.float32],
    whitening: Whitening,
) -> NDArray[np.int64]:
    targets = whitening.directions(mean)
    cosine = np.empty(len(members.order), dtype=np.float32)
    for block in members.blocks():
        rows = whitening.directions(activations[members.order[block]])
        cosine[block] = np.einsum("ij,ij->i", rows, targets[members.cell[block]])
    ranked = np.lexsort((members.order, -cosine, members.cell))
    # The first of each (cell, image) is that image's best; they are numbered within their cell.
    cell, first = _distinct(members.cell[ranked], groups[members.order[ranked]])
    best = np.sort(first)
    cell = members.cell[ranked[best]]
    place = np.arange(len(best)) - np.searchsorted(cell, cell)
    chosen = place < EXEMPLARS
    exemplars = np.full((len(members.count), EXEMPLARS), -1, dtype=np.int64)
    exemplars[cell[chosen], place[chosen]] = members.order[ranked[best[chosen]]]
    return exemplars


def _classes(
    attributions: NDArray[np.floating[Any]] | None, groups: NDArray[np.int64], members: _Members
) -> dict[str, NDArray[Any]]:
    m = len(members.count)
    width = 0 if attributions is None else attributions.shape[1]
    if attributions is None or width == 0:
        attributions = np.zeros((len(groups), 0), dtype=np.float16)
    mean = _mean(attributions, members)  # (m, classes)
    top = np.argsort(-mean, axis=1, kind="stable")[:, :TOP_CLASSES]
    strongest = np.zeros(len(members.order), dtype=np.int64)
    for block in members.blocks():
        if width:
            strongest[block] = np.argmax(attributions[members.order[block]], axis=1)
    speaks = members.cell * max(width, 1) + strongest  # (cell, class) as one number
    samples = np.bincount(speaks, minlength=m * width)
    distinct = np.bincount(_distinct(speaks, groups[members.order])[0], minlength=m * width)
    wanted = np.arange(m)[:, None] * width + top
    return {
        "attribution": np.ascontiguousarray(mean.T, dtype=np.float32),
        "top_class": top,
        "top_attribution": np.take_along_axis(mean, top, axis=1).astype(np.float32),
        "top_share": (samples[wanted] / members.count[:, None]).astype(np.float32),
        "top_images": distinct[wanted],
    }
