"""What the chunks of a plan cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.costs import comparisons, maps, pictures
from atlas_core.costs.quantities import Cost, ModelCost, Quantities

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan

WORKS = {**maps.WORKS, **pictures.WORKS, **comparisons.WORKS}


class Estimate:
    """The costs of a plan's chunks.

    Args:
        plan: The plan.
        model: What its model's forward pass takes.
    """

    def __init__(self, plan: Plan, model: ModelCost) -> None:
        """Nothing is computed yet."""
        self._plan = plan
        self._model = model
        self._quantities = Quantities(plan, model)

    def cost(self, chunk: Chunk) -> Cost:
        """What a chunk costs; one that is about another model is taken to pass through it as fast as through this."""
        seen = self._plan.seen_by(chunk)
        if seen.model.id != self._plan.model.id:
            return Estimate(seen.model_copy(update={"others": ()}), self._model).cost(chunk)
        work = WORKS.get(chunk.parameters.get("step") or chunk.stage, comparisons.measure)
        return work(self._quantities, chunk)
