"""How far a check's verdict rests on chance: what was counted drawn anew, as another seed would count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from numpy.typing import ArrayLike, NDArray

    from atlas_core.audit.findings import Verdict

REDRAWS = 4000


def anew(random: np.random.Generator, hits: ArrayLike, n: ArrayLike) -> NDArray[np.float64]:
    """Hits of as many trials anew, 4,000 times: the share is drawn as it may be (Jeffreys), then the trials.

    Args:
        random: Draws.
        hits: Of each draw, or of all.
        n: Trials likewise, whole numbers.

    Returns:
        Shape (4000,).
    """
    hits, n = (np.broadcast_to(np.asarray(one, np.float64), REDRAWS) for one in (hits, n))
    shares = random.beta(hits + 0.5, n - hits + 0.5)
    return np.asarray(random.binomial(n.astype(np.int64), shares), dtype=np.float64)


def another_verdict(verdict: Verdict, again: Iterable[tuple[Hashable, float]]) -> float:
    """How likely an audit with another seed fails where this one does not, or does not where this one fails.

    Args:
        verdict: Of the check.
        again: Name, and probability of being held to fail with another seed, of everything that was looked at. What
            has a name in common is one thing measured several times, of which the surest counts.
    """
    surest: dict[Hashable, float] = {}
    for name, probability in again:
        surest[name] = max(probability, surest.get(name, 0.0))
    nothing = float(np.prod([1 - probability for probability in surest.values()]))
    return round(nothing if verdict == "fail" else 1 - nothing, 4)
