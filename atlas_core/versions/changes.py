"""Cells that are born, lost and moved from one half of a coupled map to the other, beyond what noise does.

A sample is astray where it lies farther from its twin than nearly every sample does from its own on the floor: the same
map of the old model and itself. Cells are tested by their images, because samples of one image hang together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.statistics import adjusted, fisher_greater

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_IMAGES = 10
"""Of a cell that is told."""
RARE = 0.2
"""Of the images on one side, as many on the other at most, where a cell is only the one side's."""
HALF = 0.5
FLOOR = 0.999
"""Share of the floor's twins that lie within reach."""
STEPS = 1.5
"""Cells that a sample must be astray at least: what is next door has not moved."""


@dataclass(frozen=True)
class Half:
    """One half of a coupled map.

    Args:
        layout: Points in the unit square, shape (n, 2).
        image: Image of each sample, shape (n,).
        twin: The other half's sample of the same image and point, shape (n,); -1 for none.
        distance: To the twin, in sides of the map, shape (n,); NaN without one.
    """

    layout: NDArray[np.float32]
    image: NDArray[np.integer]
    twin: NDArray[np.int64]
    distance: NDArray[np.float64]

    def cells(self, side: int) -> NDArray[np.int64]:
        """Row times side plus column of each sample's cell, shape (n,)."""
        place = assign_cells(self.layout, side).astype(np.int64)
        return np.asarray(place[:, 1] * side + place[:, 0])


@dataclass(frozen=True)
class Change:
    """A cell of one half whose samples are astray, and those samples.

    Args:
        cell: Row times side plus column.
        images: Images of its own half in it.
        others: Images of the other half in it.
        astray: Images of those samples.
        samples: Those samples, of its own half, ascending.
        q: p by Fisher's exact test, adjusted for the number of cells (Benjamini and Hochberg).
        origin: Where their twins stand together on the other half, as `cell`; None where they do not.
    """

    cell: int
    images: int
    others: int
    astray: int
    samples: NDArray[np.int64]
    q: float
    origin: int | None = None


@dataclass(frozen=True)
class Changes:
    """What changed between the halves of a map.

    Args:
        reach: Distance of twins beyond which a sample is astray, in sides of the map.
        astray: Share of the old half's samples that are.
        floor: The same share on the floor.
        filled: Cells with any sample of the old half, and of the new one.
        born: Of the new half, where the old one has next to nothing.
        lost: Of the old half, where the new one has next to nothing.
        moved: Groups of the new half that stand together on the old one, too, but elsewhere.
    """

    reach: float
    astray: float
    floor: float
    filled: tuple[int, int]
    born: list[Change]
    lost: list[Change]
    moved: list[Change]


def halves(
    old: NDArray[np.float32],
    old_image: NDArray[np.integer],
    new: NDArray[np.float32],
    new_image: NDArray[np.integer],
    twin: NDArray[np.int64],
) -> tuple[Half, Half]:
    """Both halves of a map, each with its twins in the other.

    Args:
        old: Points of the old half, shape (n, 2).
        old_image: Their images, shape (n,).
        new: Points of the new half, shape (m, 2).
        new_image: Their images, shape (m,).
        twin: The new half's sample that is the same image and point, shape (n,); -1 for none.
    """
    paired = np.flatnonzero(twin >= 0)
    back = np.full(len(new), -1, dtype=np.int64)
    back[twin[paired]] = paired
    apart = np.hypot(*(old[paired].astype(np.float64) - new[twin[paired]]).T)
    there, here = np.full(len(old), np.nan), np.full(len(new), np.nan)
    there[paired], here[twin[paired]] = apart, apart
    return Half(old, old_image, twin, there), Half(new, new_image, back, here)


def changes(old: Half, new: Half, floor: NDArray[np.float64], side: int, alpha: float) -> Changes:
    """Find the cells that were born, lost and moved.

    Args:
        old: The old half.
        new: The new half, of the same images.
        floor: Distances of twins where there is no difference, shape (f,).
        side: Cells a side.
        alpha: Of the adjusted p under which a change is told.
    """
    reach = max(STEPS / side, float(np.quantile(floor, FLOOR)))
    beyond = int((floor > reach).sum()), len(floor)
    arrived, left = _astray(new, old, side, reach, beyond), _astray(old, new, side, reach, beyond)
    moved = [change for change in arrived if change.origin is not None and change.q <= alpha]
    gone = {change.origin for change in moved} | {change.cell for change in moved}
    born, lost = (_only(found, alpha, gone) for found in (arrived, left))
    filled = len(np.unique(old.cells(side))), len(np.unique(new.cells(side)))
    known = old.distance[np.isfinite(old.distance)]
    return Changes(reach, float((known > reach).mean()), beyond[0] / beyond[1], filled, born, lost, moved)


def _only(found: list[Change], alpha: float, gone: set[int | None]) -> list[Change]:
    """Cells that are one half's alone, and no part of what moved."""
    return [change for change in found
            if change.origin is None and change.q <= alpha and change.others <= RARE * change.images
            and change.cell not in gone]  # fmt: skip


def _astray(own: Half, other: Half, side: int, reach: float, beyond: tuple[int, int]) -> list[Change]:
    """Every cell of a half with enough images, and how surely its samples are astray; the surest first."""
    cells, theirs = own.cells(side), other.cells(side)
    others = _images(theirs, other.image, side)
    far = np.nan_to_num(own.distance, nan=0.0) > reach
    images, astray = _images(cells, own.image, side), _images(cells[far], own.image[far], side)
    kept = np.flatnonzero(images >= LEAST_IMAGES)
    if len(kept) == 0:
        return []
    q = adjusted(fisher_greater(astray[kept], images[kept], *beyond))
    found = []
    for cell, own_q in zip(kept.tolist(), q.tolist(), strict=True):
        samples = np.flatnonzero(far & (cells == cell))
        if astray[cell] < max(LEAST_IMAGES, HALF * images[cell]):
            continue
        origin = _together(theirs[own.twin[samples]], own.image[samples], cell, side)
        found.append(Change(cell, int(images[cell]), int(others[cell]), int(astray[cell]), samples, own_q, origin))
    return sorted(found, key=lambda change: (change.q, -change.astray))


def _images(cells: NDArray[np.int64], image: NDArray[np.integer], side: int) -> NDArray[np.int64]:
    """Distinct images of each cell, shape (side²,)."""
    pairs = np.unique(np.stack([cells, image.astype(np.int64)], axis=1), axis=0)
    return np.bincount(pairs[:, 0], minlength=side**2)


def _together(places: NDArray[np.int64], image: NDArray[np.integer], cell: int, side: int) -> int | None:
    """The cell in whose middle most of some twins stand together on the other half; none where they scatter.

    Together are those in a cell and its eight neighbours: half of them, and enough images.
    """
    counts = np.zeros((side + 2, side + 2), dtype=np.int64)
    np.add.at(counts, (places // side + 1, places % side + 1), 1)
    around = np.sum([counts[y : y + side, x : x + side] for y in range(3) for x in range(3)], axis=0)
    row, column = divmod(int(np.argmax(around)), side)
    near = (np.abs(places // side - row) <= 1) & (np.abs(places % side - column) <= 1)
    if near.sum() < HALF * len(places) or len(np.unique(image[near])) < LEAST_IMAGES:
        return None
    middle = int(np.bincount(places[near]).argmax())
    return middle if middle != cell else None
