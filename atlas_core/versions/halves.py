"""One half of a coupled map by its cells: how full they are, what their images are of, what two models get right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core.binning import assign_cells

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Indices = NDArray[np.integer[Any]]

NONE = -1
"""Class of an image that has no label, or of a network without logits."""


class Answers(NamedTuple):
    """What is known of every image, by its place in the listing: its label, and what each model takes it for."""

    label: Indices
    old: Indices
    new: Indices


class HalfCells(NamedTuple):
    """The filled cells of one half, row by row; each array has shape (cells,).

    Attributes:
        column: From the left.
        row: From the top.
        samples: How many of the half.
        images: Images that they are of.
        common: The class that most of these images are of, NONE where no class is known.
        share: Of the images that are of it.
        old: Share of the labelled images that the old model gets right; NaN where nobody can tell.
        new: The same for the new model.
    """

    column: NDArray[np.int64]
    row: NDArray[np.int64]
    samples: NDArray[np.int64]
    images: NDArray[np.int64]
    common: NDArray[np.int64]
    share: NDArray[np.float64]
    old: NDArray[np.float64]
    new: NDArray[np.float64]


def half_cells(layout: NDArray[np.float32], image: Indices, side: int, answers: Answers) -> HalfCells:
    """Tell the cells of one half.

    An image counts once in a cell, however many of its samples lie there.

    Args:
        layout: Points in the unit square, shape (n, 2).
        image: Image of each, shape (n,).
        side: Cells a side.
        answers: Of every image; its classes are those of the labels, or what the old model takes images for.
    """
    place = assign_cells(layout, side).astype(np.int64)
    cells, owner, count = np.unique(place[:, 1] * side + place[:, 0], return_inverse=True, return_counts=True)
    pairs = np.unique(np.stack([owner.reshape(-1), image.astype(np.int64)], axis=1), axis=0)
    own, of = pairs[:, 0], pairs[:, 1]
    images = np.bincount(own, minlength=len(cells))
    classes = answers.label if (answers.label != NONE).any() else answers.old
    common, times = _most_common(own, classes[of], len(cells))
    judged = (answers.label[of] != NONE) & (answers.old[of] != NONE) & (answers.new[of] != NONE)
    right = [_share(own[judged], (top == answers.label)[of[judged]], len(cells)) for top in (answers.old, answers.new)]
    return HalfCells(cells % side, cells // side, count, images, common, times / np.maximum(images, 1), *right)


def _most_common(owner: Indices, classes: Indices, cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The most frequent class of each cell, the first of equals, and how often it occurs."""
    known = classes != NONE
    pairs, times = np.unique(np.stack([owner[known], classes[known]], axis=1), axis=0, return_counts=True)
    common, most = np.full(cells, NONE, np.int64), np.zeros(cells, np.int64)
    order = np.lexsort((-pairs[:, 1], times))  # the last one written counts
    common[pairs[order, 0]], most[pairs[order, 0]] = pairs[order, 1], times[order]
    return common, most


def _share(owner: Indices, right: NDArray[np.bool_], cells: int) -> NDArray[np.float64]:
    """Share of the images of each cell that are right, NaN where there are none."""
    total = np.bincount(owner, minlength=cells).astype(np.float64)
    total[total == 0] = np.nan
    return np.asarray(np.bincount(owner, right, minlength=cells) / total)
