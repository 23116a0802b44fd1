"""The two models of a comparison, each as its own atlas would see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.class_names import class_name
from atlas_core.layout.neighbours import Neighbours
from atlas_core.layout.twins import twins
from atlas_core.stages.landmarks import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core import tables
    from atlas_core.cards import LayerInfo
    from atlas_core.facts import ModelFacts
    from atlas_core.plan import Plan
    from atlas_core.stages.step import Step


@dataclass(frozen=True)
class Seen:
    """One of two models at a layer.

    Args:
        step: As what found the layer's neighbours for an atlas of this model.
    """

    step: Step

    @property
    def plan(self) -> Plan:
        """The plan, of this model."""
        return self.step.plan

    @property
    def layer(self) -> LayerInfo:
        """The layer."""
        return self.step.layer

    @cached_property
    def _near(self) -> dict[str, Any]:
        return self.step.runtime.record(self.plan, self.step.chunk.key)

    @cached_property
    def found(self) -> Neighbours:
        """Neighbours of the layer's samples, of its landmarks where there are such."""
        table = self.step.table(self._near, "neighbours")
        return Neighbours(index=table["index"], distance=table["distance"])

    @cached_property
    def samples(self) -> tables.Table:
        """Activations, image and point of those samples."""
        if "landmarks" in self._near["blobs"]:
            return {name: self.step.table(self._near, "landmarks")[name] for name in SAMPLE}
        return self.step.samples(*SAMPLE)

    @cached_property
    def places(self) -> tables.Table:
        """Row and column of each of those samples in the layer's grid."""
        everyone = self.step.samples("image", "point", "row", "column")
        own = twins(self.samples["image"], self.samples["point"], everyone["image"], everyone["point"])
        return {name: everyone[name][own] for name in ("row", "column")}


def models_at_layer(step: Step) -> tuple[Seen, Seen]:
    """The old and the new model at the layers that a step compares; the same where a model is compared with itself."""
    near = _views(step, "layout", "neighbours")
    return Seen(near[0]), Seen(near[-1])


def facts_of(step: Step, model: str) -> ModelFacts:
    """What a step's plan knows of a model whose shards are among its inputs."""
    return next(view.plan.model for view in _views(step, "collect", None) if view.parameters["model"] == model)


def told_of_images(step: Step, model: str) -> dict[str, NDArray[np.int64]]:
    """What is known of each image of a model's shards: `label`, and `top`, the strongest class where there are logits.

    Args:
        step: A step whose inputs hold the shards.
        model: Id of the model.

    Returns:
        By place in the listing, -1 where it is not known; `read` is 1 of those that could be read.
    """
    views = [view for view in _views(step, "collect", None) if view.parameters["model"] == model]
    found = {name: np.full(step.plan.dataset.images, -1, dtype=np.int64) for name in ("label", "top", "read")}
    for view in views:
        record = step.runtime.record(step.plan, view.chunk.key)
        if "images" not in record["blobs"]:
            continue
        table = step.table(record, "images")
        found["label"][table["image"]] = table["label"]
        found["read"][table["image"]] = 1
        if "logits" in table:
            found["top"][table["image"]] = table["logits"].argmax(axis=1)
    return found


def classes_of(known: dict[str, NDArray[np.int64]], plan: Plan) -> tuple[NDArray[np.int64], Sequence[str]]:
    """Class of each image, its label or without labels what the old model takes it for, and what classes are called.

    Args:
        known: Of the old model, from `told_of_images`.
        plan: Of the old model.
    """
    if (known["label"] >= 0).any():
        return known["label"], plan.dataset.classes or []
    names = plan.model.class_names
    return known["top"], [class_name(index, names) for index in range(int(known["top"].max(initial=-1)) + 1)]


def _views(step: Step, stage: str, of: str | None) -> list[Step]:
    """Those of a step's inputs that are of a stage, each as a step of the plan that it is about."""
    chunks = [step.plan.by_key[key] for key in step.chunk.inputs]
    return [replace(step, plan=step.plan.seen_by(chunk), chunk=chunk)
            for chunk in chunks if chunk.stage == stage and chunk.parameters.get("step") == of]  # fmt: skip
