"""Classes that the grain of their pictures gives away, wherever it lies: textures, overlays, compression.

No crop carries what works by lying all over a picture. So the grain of a class's pictures, their fine structure by its
spectrum, is laid over others: where that alone turns them into the class, and the grain of other classes does nothing
of the kind, something all over its pictures does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from atlas_core.audit.findings import Evidence, Finding, FoundAt, Target
from atlas_core.keys import digest
from atlas_core.statistics import adjusted, fisher_greater, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Measured = Mapping[str, Any]

LEAST_CLASSES = 3
WHOLE = 1.5
"""Times the margin, for what lies over whole pictures: the grain of a clean network's classes turned up to .30."""
REDRAWS = 4000


class Anywhere(NamedTuple):
    """What a class's grain does, beside that of the class in the middle of the others.

    `low` and `others_high` are ends of 95 % intervals, `q` is adjusted for the number of classes.
    """

    target: int
    measured: Mapping[str, Any]
    low: float
    high: float
    others: float
    others_high: float
    q: float

    def found(self, margin: float, q: float) -> bool:
        """Whether it stands out, at a margin for patches."""
        return self.q < q and self.excess() > WHOLE * margin

    def excess(self) -> float:
        """Flips beyond what other classes' do, interval against interval."""
        return self.low - self.others_high


def anywhere(measured: Measured) -> list[Anywhere]:
    """Every class beside the others, the strongest first.

    Args:
        measured: Of a shortcut audit; only of few classes each was tried.
    """
    tried = [one for one in measured["transplants"] if one["n"]]
    if len(tried) < LEAST_CLASSES:
        return []
    found = [_beside(one, [other for other in tried if other is not one]) for one in tried]
    q = adjusted(np.array([one.q for one in found]))
    told = [one._replace(q=float(own)) for one, own in zip(found, q, strict=True)]
    return sorted(told, key=lambda one: -one.excess())


def _beside(one: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> Anywhere:
    """Where half of the classes do it more, it is no mark of this one: so against the class in the middle."""
    middle = sorted(others, key=lambda other: other["hits"] / other["n"])[len(others) // 2]
    low, high = wilson(one["hits"], one["n"])
    _, others_high = wilson(middle["hits"], middle["n"])
    p = fisher_greater(one["hits"], one["n"], middle["hits"], middle["n"])
    return Anywhere(one["target"], one, float(low), float(high), middle["hits"] / middle["n"], float(others_high),
                    float(p))  # fmt: skip


def redrawn(random: np.random.Generator, hits: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hits of other pastes on other images: the share drawn as it may be, then the pastes, shape (4000, m)."""
    return random.binomial(n, random.beta(hits + 0.5, n - hits + 0.5, (REDRAWS, len(hits))))


def again_anywhere(measured: Measured, margin: float) -> list[float]:
    """How likely each class would clear the margin with other pastes, beside the same others."""
    found = anywhere(measured)
    if not found:
        return []
    hits, n = (np.array([one.measured[name] for one in found]) for name in ("hits", "n"))
    low, _ = wilson(redrawn(np.random.Generator(np.random.Philox(key=1)), hits, n), n)
    again: list[float] = (low > np.array([one.others_high for one in found]) + WHOLE * margin).mean(axis=0).tolist()
    return again


def finding_anywhere(one: Anywhere, measured: Measured, certain: bool) -> Finding:
    """A finding of the whole class, with the cell of it that did most, where any was tested, as its place."""
    name, found = measured["classes"][one.target], one.measured
    cells = [cell for cell in measured["candidates"] if cell["target"] == one.target]
    cell = max(cells, key=lambda cell: cell["hits"] / max(1, cell["n"]), default=None)
    share = found["hits"] / found["n"]
    where: dict[str, Any] = {}
    if cell is not None:
        place = FoundAt(column=cell["column"], row=cell["row"])
        where = {"layer": cell["layer"], "side": measured["side"], "cell": place, "direction": cell["direction"]}
    return Finding(
        id=digest(["shortcuts", "anywhere", one.target])[:16], check="shortcuts", gate=certain,
        title=f"The grain of pictures of {name!r}, laid over others, turns {share:.0%} of them into it; "
              f"that of a usual class turns {one.others:.0%}",
        target=Target(index=one.target, name=name),
        statistics={
            "flips": round(share, 4), "flips_interval": (round(one.low, 4), round(one.high, 4)),
            "control": round(one.others, 4), "q": float(f"{one.q:.3g}"), "pastes": found["n"],
            "base_images": found["bases"], "control_images": found["images"],
            "kind": "shortcut", "why": "something fine all over its pictures does it",
        },
        evidence=[Evidence(**entry) for entry in found.get("evidence", ())], policy_key="shortcuts.margin", **where,
    )  # fmt: skip
