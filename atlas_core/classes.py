"""What the cells of a level add to each class: means of their samples' attributions, and the classes they speak for.

Attributions pass by in shards, once for all levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.class_names import TOP_CLASSES
from atlas_core.members import BLOCK, Members, Reader, add_rows, distinct_pairs, members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class CellClasses:
    """What the kept cells of a level say of classes, cells in the level's order.

    Args:
        attribution: Mean attribution of the cell's samples to every class, shape (classes, m) float32.
        top_class: The classes of greatest mean attribution, shape (m, 5 or fewer) int64.
        top_attribution: That mean, same shape, float32.
        top_share: Share of the cell's samples whose own strongest attribution is that class, same shape, float32.
        top_images: Distinct images behind those samples, same shape, int64.
    """

    attribution: NDArray[np.float32]
    top_class: NDArray[np.int64]
    top_attribution: NDArray[np.float32]
    top_share: NDArray[np.float32]
    top_images: NDArray[np.int64]


def classes_of_cells(
    attributions: Iterable[NDArray[np.floating[Any]]] | None,
    layout: NDArray[np.float32],
    images: NDArray[np.integer[Any]],
    sides: Sequence[int],
    on_progress: Callable[[int, int], None] | None = None,
) -> list[CellClasses]:
    """What the cells of some levels say of classes.

    Args:
        attributions: Of each sample to each class, in shards of shape (some, classes) in order, n rows in all, gone
            through once; None where there are none.
        layout: Points in the unit square, shape (n, 2).
        images: Image of each sample, shape (n,), not negative.
        sides: Cells a side of each level.
        on_progress: Called with (rows read, rows to read); raising in it cancels.

    Returns:
        Of each level; of no class where there are no attributions.

    Raises:
        LayoutError: Shapes do not fit, or no cell of a level holds enough samples.
    """
    members = [members_of(assign_cells(layout, side), side) for side in sides]
    reader = Reader(layout, images, 1, on_progress)
    totals = [np.zeros((len(some), 0)) for some in members]
    strongest = np.zeros(len(images), dtype=np.int64)
    for first, rows in () if attributions is None else reader.blocks(attributions):
        if first == 0:
            totals = [np.zeros((len(some), rows.shape[1])) for some in members]
        wide = rows.astype(np.float64)
        for some, total in zip(members, totals, strict=True):
            add_rows(some.cell[first : first + len(rows)], wide, total)
        if rows.shape[1]:
            strongest[first : first + len(rows)] = np.argmax(rows, axis=1)
    return [_told(total, strongest, reader.groups, some) for total, some in zip(totals, members, strict=True)]


def _told(
    total: NDArray[np.float64], strongest: NDArray[np.int64], groups: NDArray[np.int32], members: Members
) -> CellClasses:
    m, width = total.shape
    mean = total / members.count[:, None]
    top = np.empty((m, min(TOP_CLASSES, width)), dtype=np.int64)
    for first in range(0, m, BLOCK):
        top[first : first + BLOCK] = np.argsort(-mean[first : first + BLOCK], axis=1, kind="stable")[:, :TOP_CLASSES]
    order = members.order
    speaks = members.cell[order].astype(np.int64) * max(width, 1) + strongest[order]  # (cell, class) as one number
    wanted = np.arange(m)[:, None] * width + top
    return CellClasses(
        attribution=np.ascontiguousarray(mean.T, dtype=np.float32),
        top_class=top,
        top_attribution=np.take_along_axis(mean, top, axis=1).astype(np.float32),
        top_share=(_counted(speaks, wanted) / members.count[:, None]).astype(np.float32),
        top_images=_counted(distinct_pairs(speaks, groups[order])[0], wanted),
    )


def _counted(values: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each wanted number stands among some values."""
    ascending = np.sort(values)
    return np.searchsorted(ascending, wanted, side="right") - np.searchsorted(ascending, wanted, side="left")
