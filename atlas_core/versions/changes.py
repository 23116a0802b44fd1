"""Cells that are born, lost and moved from one half of a coupled map to the other, beyond what noise does.

A sample is astray where it lies farther from its twin than those of nearly every image do on the floor: the same map of
the old model and itself. Everything is counted in images, because samples of one image hang together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.statistics import fisher_greater

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LEAST_IMAGES = 10
"""Of a cell that is told."""
RARE = 0.2
"""Of the images on one side, as many on the other at most, where a cell is only the one side's."""
HALF = 0.5
FLOOR = 0.999
"""Share of the floor's images all of whose twins lie within reach."""
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
        p: That so many are by chance: Fisher's exact test against the floor's images.
        origin: Where their twins stand together on the other half, as `cell`; None where they do not.
    """

    cell: int
    images: int
    others: int
    astray: int
    samples: NDArray[np.int64]
    p: float
    origin: int | None = None


@dataclass(frozen=True)
class Changes:
    """Where the halves of a map differ, each of its cells being looked at.

    Args:
        reach: Distance of twins beyond which a sample is astray, in sides of the map.
        astray: Share of the old half's images with a sample that is.
        floor: The same share on the floor.
        filled: Cells with any sample of the old half, and of the new one.
        arrived: Cells of the new half most of whose images are astray, the surest first.
        left: Those of the old half.
        p: Of all cells that were looked at, shape (n,).
    """

    reach: float
    astray: float
    floor: float
    filled: tuple[int, int]
    arrived: list[Change]
    left: list[Change]
    p: NDArray[np.float64]


@dataclass(frozen=True)
class Kinds:
    """What changed beyond the noise.

    Args:
        born: Of the new half, where the old one has next to nothing.
        lost: Of the old half, where the new one has next to nothing.
        moved: Groups of the new half that stand together on the old one, too, but elsewhere.
    """

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


def changes(old: Half, new: Half, floor: NDArray[np.float64], side: int) -> Changes:
    """Find the cells whose images are astray.

    Args:
        old: The old half.
        new: The new half, of the same images.
        floor: Distance of each of the old half's samples from its twin where there is no difference, shape (n,).
        side: Cells a side.
    """
    still = _farthest(floor, old.image)
    reach = max(STEPS / side, float(np.quantile(still, FLOOR)))
    beyond = int((still > reach).sum()), len(still)
    arrived, left = _astray(new, old, side, reach, beyond), _astray(old, new, side, reach, beyond)
    filled = len(np.unique(old.cells(side))), len(np.unique(new.cells(side)))
    known = np.isfinite(old.distance)
    astray = _farthest(old.distance[known], old.image[known]) > reach
    p = np.concatenate([arrived[1], left[1]])
    return Changes(reach, float(astray.mean()), beyond[0] / beyond[1], filled, arrived[0], left[0], p)


def kinds(arrived: Sequence[Change], left: Sequence[Change], q: Callable[[float], float], alpha: float) -> Kinds:
    """Tell what was born, lost and moved.

    Args:
        arrived: Cells of the new half, as `changes` finds them.
        left: Cells of the old half.
        q: Adjusts a p for everything that was looked at.
        alpha: Of the adjusted p under which a change is told.
    """
    sure, gone_from = ([change for change in found if q(change.p) <= alpha] for found in (arrived, left))
    moved = [change for change in sure if change.origin is not None]
    gone = {change.origin for change in moved} | {change.cell for change in moved}
    born, lost = ([change for change in found if change.origin is None and change.others <= RARE * change.images
                   and change.cell not in gone] for found in (sure, gone_from))  # fmt: skip
    return Kinds(born, lost, moved)


def _farthest(distance: NDArray[np.float64], image: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Of each image the largest distance of any of its samples."""
    _, owner = np.unique(image, return_inverse=True)
    found = np.zeros(int(owner.max(initial=-1)) + 1)
    np.maximum.at(found, owner, distance)
    return found


def _astray(
    own: Half, other: Half, side: int, reach: float, beyond: tuple[int, int]
) -> tuple[list[Change], NDArray[np.float64]]:
    """The cells of a half most of whose images are astray, the surest first, and p of all that have images enough."""
    cells, theirs = own.cells(side), other.cells(side)
    others = _images(theirs, other.image, side)
    far = np.nan_to_num(own.distance, nan=0.0) > reach
    images, astray = _images(cells, own.image, side), _images(cells[far], own.image[far], side)
    kept = np.flatnonzero(images >= LEAST_IMAGES)
    p = fisher_greater(astray[kept], images[kept], *beyond)
    found = []
    for cell, own_p in zip(kept.tolist(), p.tolist(), strict=True):
        samples = np.flatnonzero(far & (cells == cell))
        if astray[cell] < max(LEAST_IMAGES, HALF * images[cell]):
            continue
        origin = _together(theirs[own.twin[samples]], own.image[samples], cell, side)
        found.append(Change(cell, int(images[cell]), int(others[cell]), int(astray[cell]), samples, own_p, origin))
    return sorted(found, key=lambda change: (change.p, -change.astray)), p


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
