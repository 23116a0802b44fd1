"""When one way of reading a model is clearly better than another on the same images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# standard deviations of the difference, as in McNemar's test on the images where only one of the two is right
DEVIATIONS = 3.0


def clearly_better(right: NDArray[np.bool_], own: NDArray[np.bool_], margin: float) -> bool:
    """Whether a way that is right on these images beats the card's own by a margin that is no accident.

    Args:
        right: Whether the other way is right, shape (n,).
        own: Whether the card's way is right on the same images, shape (n,).
        margin: Least difference of the two shares.
    """
    wins, losses = int((right & ~own).sum()), int((own & ~right).sum())
    gain = wins - losses
    return gain >= margin * len(own) and gain > DEVIATIONS * float(np.sqrt(wins + losses))


def near_chance(right: NDArray[np.bool_], classes: int) -> bool:
    """Whether the number of right answers is within three deviations of guessing."""
    expected = len(right) / classes
    return bool(right.sum() <= expected + DEVIATIONS * np.sqrt(expected))


def percent(right: NDArray[np.bool_]) -> str:
    """Share of true values as a percentage."""
    return f"{100 * right.mean():.1f} %"
