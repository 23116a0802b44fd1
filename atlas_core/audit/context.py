"""What a check of an audit is given to plan with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atlas_core.plan import Chunk

if TYPE_CHECKING:
    from atlas_core.facts import DatasetFacts
    from atlas_core.plan import Plan

PASSES_A_PART = 2_500


@dataclass(frozen=True)
class Context:
    """An audit while it is planned.

    Args:
        atlas: Plan of the atlas of the model that is audited.
        base: Keys of the chunks that hold what the model says of the base images, held out of the atlas.
        layers: That are looked at.
        side: Of the level whose cells are looked at.
        seed: Of all that is drawn by chance.
        passes: Forward passes that the check may take.
        baseline: The same of the model that it is compared with, on the same images; None without one.
        drift: A dataset that is compared with the atlas's own; None without one.
    """

    atlas: Plan
    base: tuple[str, ...]
    layers: tuple[str, ...]
    side: int
    seed: int
    passes: int
    baseline: Context | None = None
    drift: DatasetFacts | None = None


def parts_of(step: str, passes: float, most: int, common: dict[str, Any], inputs: list[str]) -> list[Chunk]:
    """The parts that workers share of a stage that pastes or gives.

    Args:
        step: The stage.
        passes: Forward passes that it takes at most.
        most: Parts at most.
        common: Parameters of every part.
        inputs: Keys that every part stands on.
    """
    parts = max(1, min(most, round(passes / PASSES_A_PART)))
    return [Chunk.of("publish", {"step": step, "part": part, "parts": parts, **common}, inputs)
            for part in range(parts)]  # fmt: skip
