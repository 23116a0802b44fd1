"""What the first stage of the shortcut audit says: which cells to look at closely, at which size, for which class."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FEWEST_KEPT = 12
NO_CLASS = -1
HALF = 0.5
MARGIN, LAST = 0.2, -10.0
"""Flips beyond the control's that are usually asked for; where tests stand that flipped nothing, by their gain."""
USUAL = 0.25
"""Of the shorter side: the size of patches that margins are meant for."""
LEAST_STRAYS, LEAST_CLASSES = 3, 3
"""Pictures of other classes, and these classes, that must show a thing that is shared with them; or all classes, where
there are fewer. One lucky picture is no concept, and what one other class alone shows is what the two look alike in."""
FOREIGN = 2.5
"""Times the margin, for a cell of which less than half is of the class: clean networks have cells that look a little
like a class and turn up to half of all pictures into it."""


def allowance(share: float) -> float:
    """How many times the margin a patch must clear: by its area, for the more of a thing it shows, the more it may do.

    In the pictures of a clean network of 32 pixels, crops of .4 of the side turned up to .57 of others, of .25 up to
    .31.

    Args:
        share: The patch's side over the shorter side of the input.
    """
    return max(1.0, (share / USUAL) ** 2)


class Candidate(NamedTuple):
    """A cell that is looked at closely: its place among the suspects, the place of its size, and the class."""

    suspect: int
    size: int
    target: int


@dataclass(frozen=True)
class Screened:
    """Tests of the first stage, a row each.

    Attributes:
        suspect: Place among the suspects, shape (t,).
        size: Place among the sizes, shape (t,).
        target: Class that the cell speaks for, -1 where nobody knows, shape (t,).
        label: Class of the image that each paste was on, shape (t, pastes).
        predicted: Class that it was given with the paste, shape (t, pastes).
        gain: Mean change of the target's logit, shape (t,).
    """

    suspect: NDArray[np.int64]
    size: NDArray[np.int64]
    target: NDArray[np.int64]
    label: NDArray[np.int64]
    predicted: NDArray[np.int64]
    gain: NDArray[np.float64]


def candidates(
    found: Screened, classes: int, keep: float, most: int, shares: Sequence[float], purity: NDArray[np.floating],
    strays: NDArray[np.integer],
) -> list[Candidate]:  # fmt: skip
    """The cells that turned most images into some class, beyond what pasting anything of that size does.

    A cell may turn images into another class than it was thought to speak for: what is confirmed on fresh images may
    have been chosen by any means.

    Args:
        found: What the first stage found.
        classes: Of the model.
        keep: Share of the cells that are kept, at least 12.
        most: Cells that are kept at most.
        shares: Sides of patches over the shorter side of the input.
        purity: Share of each suspect's samples that come from each class's pictures, shape (suspects, classes).
        strays: Pictures of other classes than each that each suspect's samples come from, shape (suspects, classes).

    Returns:
        One for each cell that is kept, at the size at which it clears most of what the kind that it may be must
        (`atlas_core.audit.kinds`), the strongest first; and a second one where a cell that may be shared with other
        classes would, as a thing of its class, be clearer at another size.
    """
    if not len(found.suspect):
        return []
    # By how much each clears what it must, in the end: of what other classes show too no more at a larger size.
    allowed = MARGIN * np.array([allowance(share) for share in shares])[found.size][:, None]
    foreign = purity[found.suspect] < HALF
    shared = ~foreign & (strays[found.suspect] >= LEAST_STRAYS)
    excess = _excess(found, classes)
    own = excess - allowed * np.where(foreign, FOREIGN, 1)  # (t, classes)
    score = np.where(shared, excess - MARGIN, own)
    rows = np.arange(len(score))
    best = score.argmax(axis=1)
    known = found.target != NO_CLASS
    same = known & (score[rows, np.maximum(found.target, 0)] >= score[rows, best])
    hit = (found.predicted != found.label).any(axis=1)
    target = np.where(same | (known & ~hit), found.target, best)
    order = np.lexsort((rows, -found.gain, -np.where(hit, score[rows, best], LAST)))
    _, first = np.unique(found.suspect[order], return_index=True)
    chosen = order[np.sort(first)]
    kept: list[Candidate] = []
    for row in chosen[: max(FEWEST_KEPT, math.ceil(keep * len(chosen)))].tolist():
        mine = np.flatnonzero((found.suspect == found.suspect[row]) & (target == target[row]))
        clearer = int(mine[own[mine, target[row]].argmax()])
        both = [row] if clearer == row or own[clearer, target[row]] <= 0 else [row, clearer]
        kept += [Candidate(int(found.suspect[one]), int(found.size[one]), int(target[one])) for one in both]
    return kept[:most]


def _excess(found: Screened, classes: int) -> NDArray[np.float64]:
    """By test and class, the share of images of other classes turned into it, less that of all tests of its size."""
    tests, pastes = found.predicted.shape
    row = np.repeat(np.arange(tests), pastes)
    turned = (found.predicted != found.label).ravel()
    hits = _table(row[turned], found.predicted.ravel()[turned], (tests, classes))
    trials = pastes - _table(row, found.label.ravel(), (tests, classes))
    share = hits / np.maximum(trials, 1)
    for size in np.unique(found.size):
        mine = found.size == size
        share[mine] -= hits[mine].sum(axis=0) / np.maximum(trials[mine].sum(axis=0), 1)
    return np.asarray(share)


def _table(row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]) -> NDArray[np.float64]:
    counts = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1])
    return np.asarray(counts.reshape(shape), dtype=np.float64)
