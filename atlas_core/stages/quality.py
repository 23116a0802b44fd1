"""How right the model is in every cell, published beside the levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.quality import Answers, quality_of_cells
from atlas_core.stages.step import Output, Step, significant

if TYPE_CHECKING:
    from atlas_core.plan import Plan


def unjudged(plan: Plan) -> str | None:
    """Why nobody can tell how right a model is on a dataset; None where it can be told."""
    if plan.model.classes is None:
        return f"the model {plan.model.card.name!r} has no logits"
    if plan.dataset.classes is None:
        return f"the images of {plan.dataset.name!r} have no labels"
    return None


def publish_quality(step: Step) -> Output:
    """Error, confidence and calibration of the cells of every level, with the images behind them."""
    reason = unjudged(step.plan)
    if reason is not None:
        return Output({}, {"reason": reason})
    answers = answers_of(step, step.inputs("collect"))
    if len(answers) == 0:
        return Output({}, {"reason": f"no image of {step.plan.dataset.name!r} that is sampled has a label"})
    (layout,) = step.layouts()
    blobs: dict[str, bytes] = {}
    for side in step.parameters["levels"]:
        found = quality_of_cells(answers, layout["image"], layout["layout"], side)
        blobs[f"quality-{side}"] = tables.pack(found.to_tables())
    return Output(blobs, told(answers))


def answers_of(step: Step, records: list[dict[str, Any]]) -> Answers:
    """What the model made of the labelled images of collected shards."""
    shards = [step.table(record, "images") for record in records if "images" in record["blobs"]]
    columns = tables.concatenate([{name: shard[name] for name in ("image", "label", "logits")} for shard in shards])
    return Answers.of(columns["image"], columns["label"], columns["logits"])


def told(answers: Answers) -> dict[str, Any]:
    """How right the model is on all labelled images."""
    return {
        "images": len(answers),
        "error": significant(answers.wrong.mean()),
        "confidence": significant(np.mean(answers.confidence, dtype=np.float64)),
        "calibration": significant(answers.calibration),
    }
