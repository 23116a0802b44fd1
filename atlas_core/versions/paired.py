"""Two models on the same images: how often one is right where the other is wrong, and how surely that is a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas_core.statistics import mcnemar_greater, paired_loss

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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

    Args:
        old: Whether the old model is right, shape (n,), at least one image.
        new: Whether the new one is, shape (n,).
    """
    n, lost, won = len(old), int((old & ~new).sum()), int((new & ~old).sum())
    low, high = map(float, paired_loss(won, lost, n))
    return Accuracy(n, float(old.mean()), float(new.mean()), lost, won, mcnemar(lost, won), low, high)


def mcnemar(lost: int, won: int) -> float:
    """McNemar's exact test: p, two-sided, that images change for the worse and for the better equally often.

    Args:
        lost: Images that only the old model gets right.
        won: Images that only the new one does.
    """
    return min(1.0, 2 * float(mcnemar_greater(max(lost, won), min(lost, won))))
