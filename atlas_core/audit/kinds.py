"""What kind of thing a candidate of the shortcut audit is, and what it must do to count.

- `shared`: it is mostly of the class, and does the same cut from pictures of other classes: it goes with the class
  without being it. It must do more than crops of any pictures do, and so must those from other classes, which must do
  nearly as much as it does. Random crops of the class are no measure of it, for they show it too.
- `fixed`: it is mostly of the class, and always at one place near the border of its pictures, where what shows other
  classes is not: all things lie alike in some pictures, of faces say.
- `foreign`: it is not surely, by the interval of its share, mostly of the class, and yet it makes the model see the
  class. Clean networks have cells that look a little like a class, so it must do much more.
- `feature`: mostly of the class, here and there, and cut from pictures of other classes it does nothing of the kind: it
  may be what makes the class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from atlas_core.audit.screening import FOREIGN, HALF, LEAST_STRAYS, allowance
from atlas_core.statistics import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.verdicts import Thresholds

Kind = Literal["shared", "fixed", "foreign", "feature"]
ALIKE = 0.7
"""Share of what a cell does that crops of it from pictures of other classes must do to be the same thing."""
APART = 1 / 3
"""Of the usual spread of what shows other classes, under which a thing lies at one place as no thing usually does.

Parts of things that lie much alike had half of it in the pictures of clean networks, and marks in a corner a quarter.
"""
REDRAWS = 4000
WHY: Mapping[str, str] = {
    "shared": "cut from pictures of other classes it does the same, so it is no part of the class",
    "fixed": "it always lies at the same place of its pictures, as nothing in the world does",
    "foreign": "half of it, or near that, is not of the class at all",
    "feature": "only pictures of the class do it, so it may be what makes the class",
}


class Bar(NamedTuple):
    """Flips of so many pastes, and what the lower end of their interval must be above."""

    hits: int
    n: int
    above: float

    @property
    def slack(self) -> float:
        """By how much it is; below 0 it is not."""
        return float(wilson(self.hits, self.n)[0]) - self.above


def purity(value: Mapping[str, Any]) -> float:
    """Share of a cell's labelled samples that come from pictures of the class; 0 where nothing is labelled."""
    return float(value["own"] / value["labelled"]) if value["labelled"] else 0.0


def judged_as(value: Mapping[str, Any], control_high: float, general_high: float, thresholds: Thresholds
              ) -> tuple[Kind, list[Bar]]:  # fmt: skip
    """The kind of a candidate, and all that it must clear to count as one.

    Args:
        value: The candidate.
        control_high: Upper end of the flips by random crops of the class.
        general_high: Of those by random crops of any pictures.
        thresholds: The margin, and what is one place.
    """
    hits, n, margin = value["hits"], value["n"], thresholds.margin
    beyond = margin * allowance(value["share"])
    if wilson(value["own"], value["labelled"])[0] < HALF:
        return "foreign", [Bar(hits, n, control_high + FOREIGN * beyond)]
    strays = value["strays"]
    if strays["images"] >= LEAST_STRAYS and strays["hits"] / strays["n"] >= ALIKE * hits / max(1, n) > 0:
        return "shared", [Bar(hits, n, max(control_high, general_high + margin)),
                          Bar(strays["hits"], strays["n"], general_high + margin)]  # fmt: skip
    own = [Bar(hits, n, control_high + beyond)]
    return ("fixed" if _lies_fixed(value, thresholds.fixed) else "feature"), own


def _lies_fixed(value: Mapping[str, Any], fixed: float) -> bool:
    """Whether a candidate always lies at one place, and that is nothing usual."""
    spread, usual = value["spread"], value["usual_spread"]
    return spread is not None and spread < fixed and (usual is None or spread < APART * usual)


def again(bars: list[Bar], random: np.random.Generator) -> float:
    """How likely other pastes on other images clear the same bars: shares drawn as they may be, then pastes anew."""
    cleared = [wilson(redrawn(random, np.array([bar.hits]), np.array([bar.n])), bar.n)[0] > bar.above for bar in bars]
    return float(np.prod([one.mean() for one in cleared]))


def redrawn(random: np.random.Generator, hits: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hits of other pastes on other images, shape (4000, m)."""
    return random.binomial(n, random.beta(hits + 0.5, n - hits + 0.5, (REDRAWS, len(hits))))
