"""The statistics that gates stand on: shares with intervals, one share against another, many tests at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def wilson(hits: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of a share (Wilson 1927), which holds for shares near 0 and 1 and for few trials too.

    Args:
        hits: Successes, any shape.
        n: Trials, same shape; of none nothing is known.
        confidence: Of the two-sided interval, in (0, 1).

    Returns:
        Its lower and upper end, each in [0, 1]; 0 and 1 where n is 0.
    """
    from statistics import NormalDist

    hits, n = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(n, np.float64))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    known = np.maximum(n, 1)
    share = hits / known
    middle = (share + z**2 / (2 * known)) / (1 + z**2 / known)
    half = z / (1 + z**2 / known) * np.sqrt(share * (1 - share) / known + z**2 / (4 * known**2))
    low, high = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    # At the ends the formula gives them but for rounding.
    return np.where((n == 0) | (hits == 0), 0.0, low), np.where((n == 0) | (hits == n), 1.0, high)


def fisher_greater(hits: ArrayLike, n: ArrayLike, control_hits: ArrayLike, control_n: ArrayLike) -> NDArray[np.float64]:
    """Fisher's exact test, one-sided: how likely so many hits or more are, if both shares are one.

    Args:
        hits: Successes, any shape.
        n: Trials.
        control_hits: Successes of the control.
        control_n: Trials of the control.

    Returns:
        p, of the shape of all arguments together; 1 where either has no trials.
    """
    from scipy.stats import hypergeom  # slow to load, and the API does without

    hits, n, control_hits, control_n = np.broadcast_arrays(
        *(np.asarray(one) for one in (hits, n, control_hits, control_n))
    )
    p = hypergeom.sf(hits - 1, n + control_n, hits + control_hits, n)
    return np.where((n == 0) | (control_n == 0), 1.0, np.clip(p, 0, 1))


def paired_loss(
    lost: ArrayLike, won: ArrayLike, n: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interval of the difference of two shares of the same trials, Wald's with a half more in each cell.

    Of Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions".

    Args:
        lost: Trials that succeeded and no longer do, any shape.
        won: Trials that did not and now do, same shape.
        n: All trials, same shape.
        confidence: Of the two-sided interval, in (0, 1).

    Returns:
        Lower and upper end of the share lost less the share won, each in [-1, 1].
    """
    from statistics import NormalDist

    lost, won, n = (np.asarray(one, np.float64) for one in (lost, won, n))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (lost - won) / (n + 2)
    half = z * np.sqrt((lost + won + 1) - (lost - won) ** 2 / (n + 2)) / (n + 2)
    return np.maximum(middle - half, -1), np.minimum(middle + half, 1)


def mcnemar_greater(lost: ArrayLike, won: ArrayLike) -> NDArray[np.float64]:
    """McNemar's exact test, one-sided: how likely so many are lost or more, if as many are won as lost.

    Args:
        lost: Trials that succeeded and no longer do, any shape.
        won: Trials that did not and now do, same shape.

    Returns:
        p, of the same shape; 1 where none changed.
    """
    from scipy.stats import binom  # slow to load

    lost, won = (np.asarray(one, np.float64) for one in (lost, won))
    return np.where(lost + won > 0, binom.sf(lost - 1, lost + won, 0.5), 1.0)


def adjusted(p: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Benjamini and Hochberg's adjusted p-values: those under q hold a share of false ones of at most q."""
    n = len(p)
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p, np.float64)[order] * n / np.arange(1, n + 1)
    found = np.empty(n)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return found


class Together:
    """Everything that was looked at together, so that any one's p can be adjusted for all of it.

    Args:
        p: Of each thing, shape (n,).
    """

    def __init__(self, p: NDArray[np.floating[Any]]) -> None:
        self._p = np.sort(np.asarray(p, np.float64))
        self._q = adjusted(self._p)

    def q(self, p: float) -> float:
        """Benjamini and Hochberg's adjusted p of one of them."""
        return float(self._q[np.searchsorted(self._p, p)])


def probabilities(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Softmax over classes, shape (n, classes)."""
    wide = logits.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
