"""What an atlas knows of its images that tells new ones from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.copies import pool_copies
from atlas_core.novelty import Novelty
from atlas_core.pooling import ITSELF, LEAST_IMAGES, Watch, depths
from atlas_core.spoiled import KINDS
from atlas_core.stages.step import Output, Step, marked

if TYPE_CHECKING:
    from atlas_core.plan import Plan


def watch_of(plan: Plan, images: int) -> Watch:
    """What collecting keeps for novelty of a plan's images."""
    return Watch(tuple(depths(plan.model.layers)), images)


def pass_copies(step: Step) -> Output:
    """Pass spoiled copies of some collected images through the network, for what tells copies from images."""
    plan = step.plan
    _, points = step.runtime.sampled(plan)
    collected = [step.table(record, "novelty") for record in step.inputs("collect") if "novelty" in record["blobs"]]
    kept, halved = pool_copies(
        step.runtime.model(plan.model.card), step.runtime.dataset(plan),
        [image for table in collected for image in table["image"].tolist()],
        watch_of(plan, int((points > 0).sum())), step.on_progress,
    )  # fmt: skip
    return Output({"copies": tables.pack(kept)} if kept else {}, marked(halved))


def learn_novelty(step: Step) -> Output:
    """Calibrate novelty on the atlas's own images; says why where there are too few."""
    made = [("novelty", step.inputs("collect")), ("copies", step.inputs("publish", step="copies"))]
    parts = [step.table(record, name) for name, records in made for record in records if name in record["blobs"]]
    kept = tables.concatenate(parts) if parts else {"kind": np.zeros(0, np.int8)}
    own = kept["kind"] == ITSELF
    info: dict[str, Any] = {"n": int(own.sum()), "layers": depths(step.plan.model.layers), "reason": None}
    if own.sum() < LEAST_IMAGES:
        return Output(info=info | {"reason": f"novelty needs an atlas of {LEAST_IMAGES} images or more that can be "
                                             f"read; this one has {own.sum()}"})  # fmt: skip
    found = Novelty.learnt(kept, step.on_progress)
    seen = {kind: round(value, 4) for kind, value in zip(KINDS, found.seen.tolist(), strict=True) if value == value}
    return Output({"novelty": tables.pack(found.to_table())}, {**info, "seen": seen})
