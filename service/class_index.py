"""Which samples speak for which class, as an atlas has published it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.class_index import ClassIndex

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from service.artifacts import Artifacts


def class_index(artifacts: Artifacts, plan: Plan, layer: str) -> ClassIndex | None:
    """The class index of a layer; None where an earlier version made its classes."""
    record = artifacts.record(plan.classes_of(layer))
    blob = (record or {"blobs": {}})["blobs"].get("index")
    return None if blob is None else ClassIndex.from_tables(artifacts.table(blob))
