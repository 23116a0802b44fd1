"""A selection of an atlas's samples, or two of its classes to compare, from what is asked to the plan of its map."""

from __future__ import annotations

from atlas_core.errors import ConflictError
from atlas_core.plan import Plan
from atlas_core.selection_plan import plan_selection, resolve, sized
from atlas_core.selections import Chosen, speaks
from service.artifacts import Artifacts
from service.class_index import class_index
from service.samples import Samples


def selected(artifacts: Artifacts, atlas: str, request: Chosen) -> Plan:
    """The plan of the map that a request means.

    Args:
        artifacts: What reads the atlas.
        atlas: Its id.
        request: As asked.

    Raises:
        NotFoundError: There is no such atlas.
        ConflictError: It has not succeeded, or is of a version that kept no index.
        InputError: The request cannot be met; see `resolve` and `sized`.
    """
    state = artifacts.job(atlas, "atlas")["state"]
    if state != "succeeded":
        raise ConflictError(f"the atlas {atlas} is {state}; select from it once it has succeeded")
    plan = artifacts.plan(atlas)
    resolved = resolve(request, plan)
    layer = str(resolved.layer)
    index = class_index(artifacts, plan, layer) if speaks(resolved) else None
    return plan_selection(plan, resolved, sized(resolved, plan, Samples(artifacts, plan, layer).table, index))
