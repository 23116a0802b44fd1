"""Two models on the same images: how often one is right where the other is wrong, and how surely that is a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEVIATIONS = 1.96


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of two models on the same images.

    Args:
        images: How many.
        old: Share that the old one gets right.
        new: Share that the new one gets right.
        lost: Images that only the old one gets right.
        won: Images that only the new one gets right.
        p: Of a difference so large by chance, two-sided (McNemar's exact test).
        low: Lower end of the 95 % interval of `new - old`.
        high: Its upper end.
    """

    images: int
    old: float
    new: float
    lost: int
    won: int
    p: float
    low: float
    high: float

    @property
    def change(self) -> float:
        """New less old."""
        return self.new - self.old


def compared(old: NDArray[np.bool_], new: NDArray[np.bool_]) -> Accuracy:
    """Compare two models on the same images.

    The interval is that of Agresti and Min, 2005, for matched pairs: half an image is added to each of the four ways
    in which the two can be right or wrong.

    Args:
        old: Whether the old model is right, shape (n,), at least one image.
        new: Whether the new one is, shape (n,).
    """
    n, lost, won = len(old), int((old & ~new).sum()), int((new & ~old).sum())
    moved, total = lost + won + 1, n + 2
    middle = (won - lost) / total
    half = DEVIATIONS * float(np.sqrt(moved - (won - lost) ** 2 / total)) / total
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return Accuracy(n, float(old.mean()), float(new.mean()), lost, won, mcnemar(lost, won), low, high)


def mcnemar(lost: int, won: int) -> float:
    """McNemar's exact test: p, two-sided, that images change for the worse and for the better equally often.

    Args:
        lost: Images that only the old model gets right.
        won: Images that only the new one does.
    """
    from scipy.stats import binom  # takes half a second to load

    if lost + won == 0:
        return 1.0
    return min(1.0, 2 * float(binom.cdf(min(lost, won), lost + won, 0.5)))
