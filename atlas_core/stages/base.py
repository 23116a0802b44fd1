"""What a model says of an audit's base images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from atlas_core import tables
from atlas_core.activations import collect_shard
from atlas_core.audit.base import NAME, held_out
from atlas_core.stages.step import Output, Step, marked

if TYPE_CHECKING:
    from collections.abc import Sequence


def look_at_base(step: Step) -> Output:
    """Run the model over some base images: image (place in the listing), label and logits of those that can be read."""
    parameters = step.parameters
    plan = step.plan.seen_as(NAME)
    places = held_out(step.runtime, step.plan, parameters["seed"])[parameters["start"] : parameters["stop"]]
    made = collect_shard(step.runtime.model(step.plan.model.card), step.runtime.dataset(plan), places.tolist(), [],
                         [1] * len(places), parameters["seed"], on_progress=step.on_progress)  # fmt: skip
    blobs = {"base": tables.pack(made.images)} if made.images else {}
    return Output(blobs, {"images": len(made.images.get("image", ())), "skipped": len(made.skipped),
                          **marked(made.halved)})  # fmt: skip


def base_of(step: Step, keys: Sequence[str]) -> tables.Table:
    """What a model says of all base images, in the order of their hashed ids.

    Args:
        step: Any of the audit.
        keys: Of the chunks that looked at them.

    Returns:
        image, label (-1 where unknown) and logits (float32, of a model that has them), n rows; empty without images.
    """
    records = [step.runtime.record(step.plan, key) for key in keys]
    parts = [step.table(record, "base") for record in records if "base" in record["blobs"]]
    if not parts:
        return {"image": np.zeros(0, np.int32), "label": np.zeros(0, np.int32)}
    return tables.concatenate(parts)
