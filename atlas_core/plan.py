"""What a plan is made of: its chunks, and how they are found in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from functools import cached_property
from typing import Any, Literal

from atlas_core.cards import Card
from atlas_core.errors import ConflictError, UnknownLayerError
from atlas_core.facts import AnchorFacts, DatasetFacts, ModelFacts
from atlas_core.keys import digest, record_key
from atlas_core.spec import AtlasSpec

STAGES = ("collect", "attribute", "layout", "cells", "preview", "render", "publish")
VERSIONS = {**dict.fromkeys(STAGES, 1), "collect": 4, "layout": 2, "cells": 4, "render": 2, "publish": 2}
DROPPED_STAGES = ("attribute", "preview")
"""What chunks of these made is of no use once all that depends on it is done, and dropped with the atlas's success."""
KEPT_SAMPLES = ("attribute",)
"""Those of them that `keep: samples` keeps."""


class Chunk(Card):
    """The unit that a worker runs, made by a version of its stage."""

    stage: str
    version: int
    key: str
    parameters: dict[str, Any]
    inputs: tuple[str, ...]

    @classmethod
    def of(cls, stage: str, parameters: dict[str, Any], inputs: Iterable[str] = (), after: Iterable[str] = ()) -> Chunk:
        """A chunk under its key; what it only comes `after` is no part of what it makes."""
        inputs = tuple(inputs)
        key = record_key(stage, VERSIONS[stage], parameters, inputs)
        return cls(stage=stage, version=VERSIONS[stage], key=key, parameters=parameters, inputs=(*inputs, *after))

    @property
    def called(self) -> str:
        """Its stage and, where the stage has several, its step: `publish audit`."""
        return f"{self.stage} {self.parameters.get('step', '')}".strip()

    @property
    def is_tile(self) -> bool:
        """Whether it renders a tile, or a preview of one."""
        return self.stage in ("preview", "render") and "step" not in self.parameters


Kind = Literal["atlas", "icons", "drift", "projections", "selection", "comparison", "patches", "audit"]


class Other(Card):
    """What some chunks of a plan are about in place of the plan's own spec, model and dataset, and their keys.

    `name` is how the job calls it: the `dataset` of a drift, the `base` images or the `baseline` of an audit.
    """

    name: str
    spec: AtlasSpec
    model: ModelFacts
    dataset: DatasetFacts
    keys: list[str]


class Plan(Card):
    """Every chunk of a job, in order of priority; inputs come before what needs them.

    A plan of an atlas has no `request`; that of what is asked of an `atlas` has one, and shares its spec: the first
    `ground` chunks are the atlas's. Chunks that are about another dataset or model say so in `others`.
    """

    id: str
    kind: Kind = "atlas"
    spec: AtlasSpec
    model: ModelFacts
    dataset: DatasetFacts
    chunks: tuple[Chunk, ...]
    anchor: AnchorFacts | None = None
    atlas: str | None = None
    request: dict[str, Any] | None = None
    ground: int = 0
    others: tuple[Other, ...] = ()

    @property
    def apart(self) -> bool:
        """Whether it is a map of its own of some of an atlas's samples: a selection, or two classes compared."""
        compares = self.kind == "comparison" and (self.request or {}).get("kind") == "classes"
        return self.kind == "selection" or compares

    def brings(self, chunk: Chunk) -> bool:
        """Whether a chunk is this job's own: all of an atlas's are; of another's those that are not the atlas's."""
        return chunk.key not in self.grounded

    @cached_property
    def grounded(self) -> Set[str]:
        """Keys of the chunks that are the atlas's."""
        return {chunk.key for chunk in self.chunks[: self.ground]}

    def owned_by(self, owner: str, atlas: str | None = None) -> Plan:
        """The same work as somebody's own job: under an id of its own, with a last chunk that says so.

        All other chunks, and what they make, are shared with whoever asks for the same.

        Args:
            owner: Whose; the empty one is everybody's, whose job has the plan's own id.
            atlas: The owner's id of the atlas that it is asked of, where that is planned anew with it.
        """
        if not owner:
            return self
        name, last = digest([owner, self.id])[:24], self.chunks[-1]
        named = {field: name for field in ("atlas", "id") if last.parameters.get(field) == self.id}
        if named:
            last = Chunk.of(last.stage, last.parameters | named, last.inputs)
        update = {"id": name, "chunks": (*self.chunks[:-1], last), "atlas": atlas or self.atlas}
        return Plan(**{field: getattr(self, field) for field in Plan.model_fields} | update)

    def needed(self, keys: Iterable[str]) -> tuple[Chunk, ...]:
        """The chunks of these keys with all that they are made of, in order."""
        wanted = set(keys)
        for chunk in reversed(self.chunks):
            if chunk.key in wanted:
                wanted.update(chunk.inputs)
        return tuple(chunk for chunk in self.chunks if chunk.key in wanted)

    def other(self, name: str) -> Other | None:
        """What a job calls by this name, None where that is the plan's own."""
        return next((other for other in self.others if other.name == name), None)

    def seen_as(self, name: str) -> Plan:
        """This plan with the spec, model and dataset of what a job calls by this name; itself where that is its own."""
        return self._as(self.other(name))

    def seen_by(self, chunk: Chunk) -> Plan:
        """This plan, with the spec, model and dataset that a chunk is about."""
        return self._as(next((other for other in self.others if chunk.key in other.keys), None))

    def _as(self, other: Other | None) -> Plan:
        if other is None:
            return self
        update: dict[str, Any] = {"spec": other.spec, "model": other.model, "dataset": other.dataset}
        if other.model.id != self.model.id:  # an atlas of its own, whose layouts and cells are found by layer and side
            update["chunks"] = tuple(chunk for chunk in self.chunks if chunk.key in other.keys)
        return self.model_copy(update=update)

    @cached_property
    def own(self) -> list[Chunk]:
        """The chunks that this job brings along, of which its progress is told."""
        return [chunk for chunk in self.chunks if self.brings(chunk)]

    @cached_property
    def by_key(self) -> dict[str, Chunk]:
        """Chunks by their key."""
        return {chunk.key: chunk for chunk in self.chunks}

    @cached_property
    def totals(self) -> Counter[str]:
        """Number of the job's own chunks of each stage."""
        return Counter(chunk.stage for chunk in self.own)

    def layout_of(self, layer: str) -> Chunk:
        """The chunk whose record holds the layout of all samples of a layer."""
        steps = ("join", "compare", "optimise")  # the last of those there are
        return next(found[0] for step in steps if (found := self.find("layout", layer=layer, step=step)))

    def cells_of(self, layer: str) -> Chunk:
        """The chunk that makes the cells of a layer, without what they say of classes."""
        return self.find("cells", layer=layer, step=None)[0]

    def classes_of(self, layer: str) -> Chunk:
        """The chunk that tells the classes of a layer's cells; of none where they speak for none.

        Raises:
            ConflictError: The plan is of a version that had no such chunks.
        """
        return self._of_newer("cells", layer, "classes")

    def samples_of(self, layer: str) -> Chunk:
        """The chunk that puts the samples of a layer in the order of the map.

        Raises:
            ConflictError: The plan is of a version that had no such chunks.
        """
        return self._of_newer("publish", layer, "samples")

    def quality_of(self, layer: str) -> Chunk:
        """The chunk that tells how right the model is in a layer's cells; or why nobody can.

        Raises:
            ConflictError: The plan is of a version that had no such chunks.
        """
        return self._of_newer("publish", layer, "quality")

    def _of_newer(self, stage: str, layer: str, step: str) -> Chunk:
        """A chunk that plans of earlier versions lack."""
        found = self.find(stage, layer=layer, step=step)
        if not found:
            raise ConflictError(f"the atlas {self.id} was planned by an earlier version; delete it and ask for it "
                                "again, or ask under another seed")  # fmt: skip
        return found[0]

    def tiles(self, layer: str, side: int, stage: str = "render") -> list[Chunk]:
        """The chunks that render the tiles of a level, or with `preview` their previews, row by row."""
        return [chunk for chunk in self.find(stage, layer=layer, side=side) if chunk.is_tile]

    def unattributed(self, layer: str) -> str | None:
        """Why the cells of a layer speak for no class; None where they do."""
        if self.spec.attribution == "none" and self.model.unattributed(layer) is None:
            return "the atlas was made with attribution `none`; one made with `auto` has classes"
        return self.model.unattributed(layer)

    def check_layer(self, name: str, pointer: str | None = None) -> None:
        """Refuse a layer that the atlas does not map.

        Args:
            name: Of the layer.
            pointer: To where it was named.

        Raises:
            UnknownLayerError: It is none of the atlas's; names these.
        """
        if name not in self.spec.layers:
            raise UnknownLayerError(f"the atlas has no layer {name!r}; it has {', '.join(self.spec.layers)}",
                                    pointer=pointer)  # fmt: skip

    def find(self, stage: str, **parameters: Any) -> list[Chunk]:
        """Chunks of a stage that have these parameters, in order; of a map apart only its own."""
        return [
            chunk
            for chunk in (self.own if self.apart else self.chunks)
            if chunk.stage == stage and all(chunk.parameters.get(name) == value for name, value in parameters.items())
        ]


def dropped_stages(keep: str) -> tuple[str, ...]:
    """The stages whose chunks' work is dropped with an atlas's success.

    Args:
        keep: The spec's.
    """
    return tuple(stage for stage in DROPPED_STAGES if keep != "samples" or stage not in KEPT_SAMPLES)


def lacking(plan: Plan, done: Set[str]) -> list[Chunk]:
    """Chunks that have to run, in order: not done, and of use to one that is not done either.

    So samples' attributions that were dropped once the cells were published are not made again for the cells' sake.
    """
    wanted = {plan.chunks[-1].key}
    for chunk in reversed(plan.chunks):
        if chunk.key in wanted and chunk.key not in done:
            wanted.update(chunk.inputs)
    return [chunk for chunk in plan.chunks if chunk.key in wanted and chunk.key not in done]
