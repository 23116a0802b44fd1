"""From a request to compare two models to a plan: checked, and cut into chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from atlas_core import build
from atlas_core.errors import SpecError
from atlas_core.keys import digest
from atlas_core.plan import Chunk, Other, Plan
from atlas_core.spec import HEALTHY_SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas_core.facts import ModelFacts
    from atlas_core.versions.request import VersionsRequest

NEW = "new"
"""How a comparison's plan calls the other model."""
VERSION = 3
"""Raised whenever the same request would give another answer."""
SIDE = 20
"""Cells a side, where there are samples enough."""
FLOOR_SEED = 1
"""Added to the seed for the map of the old model and itself."""


class Pair(NamedTuple):
    """A layer of the old model, and the layer of the new one that stands beside it."""

    old: str
    new: str


def resolve(request: VersionsRequest, old: Plan, model: ModelFacts) -> VersionsRequest:
    """A request with everything filled in that it leaves out, checked against both models.

    Args:
        request: As asked.
        old: The plan of the old model's atlas, or of what would be one.
        model: The new model.

    Raises:
        UnknownLayerError: A model has no such layer.
        SpecError: It compares a layer with itself in one model, or the layers are no pairs.
    """
    layers = request.layers or old.spec.layers
    for number, layer in enumerate(layers):
        old.check_layer(layer, f"/layers/{number}")
    beside = request.other_layers or layers
    if len(beside) != len(layers):
        raise SpecError(f"{len(layers)} layers are compared with {len(beside)}; name as many `layers`",
                        pointer="/other_layers")  # fmt: skip
    for layer in beside:
        model.layer(layer)
    named = {} if request.atlas is not None else {"model": old.model.id, "dataset": old.dataset.id}
    named |= {"atlas": old.id} if request.atlas is not None else {}
    return request.model_copy(update={"layers": layers, "other_layers": beside, "other": model.id, **named})


def plan_versions(old: Plan, request: VersionsRequest, model: ModelFacts) -> Plan:
    """Plan a comparison: the chunks of both models' atlases that it needs, and its own.

    The new model is collected as for an atlas of it by the old one's request, so what was collected once serves again.

    Args:
        old: The plan of the old model's atlas, or of what would be one.
        request: From `resolve`.
        model: The new model.
    """
    pairs = [Pair(*pair) for pair in zip(request.layers or [], request.other_layers or [], strict=True)]
    new = sibling(old, pairs, model)
    needed = _needed(old, [pair.old for pair in pairs])
    known = {chunk.key for chunk in needed}
    others = [chunk for chunk in _needed(new, [pair.new for pair in pairs]) if chunk.key not in known]
    own = versions_chunks(old, new, pairs, weight=request.weight, side=request.side, alpha=request.alpha)
    content = request.model_dump(mode="json", exclude_none=True)
    ground = len(needed) if request.atlas is not None else 0
    return Plan(id=digest(["comparison", VERSION, old.spec.identity, content])[:24], kind="comparison", spec=old.spec,
                model=old.model, dataset=old.dataset, chunks=(*needed, *others, *own), anchor=old.anchor,
                atlas=request.atlas, request=content, ground=ground,
                others=(Other(name=NEW, spec=new.spec, model=new.model, dataset=new.dataset,
                              keys=[chunk.key for chunk in others]),))  # fmt: skip


def sibling(old: Plan, pairs: Sequence[Pair], model: ModelFacts) -> Plan:
    """The plan of an atlas of the new model by the old one's request: its dataset, samples and seed.

    Layers are the old request's under their names in the new model, as many of them as it has; of one model that maps
    all of them already, nothing has to be collected again.
    """
    beside = dict(pairs)
    if model.id == old.model.id and set(beside.values()) <= set(old.spec.layers):
        return old
    has = {layer.name for layer in model.layers}
    renamed = dict.fromkeys(beside.get(layer, layer) for layer in old.spec.layers)
    layers = [layer for layer in renamed if layer in has]
    spec = old.spec.model_copy(
        update={"model": model.id, "layers": layers, "levels": None, "recipe": "none", "attribution": "none",
                "preview": "none", "anchor": None}
    )  # fmt: skip
    return build.plan(spec, model, old.dataset)


def _needed(atlas: Plan, layers: Sequence[str]) -> tuple[Chunk, ...]:
    """The chunks that collect a model's samples, and find their neighbours."""
    return atlas.needed([*(chunk.key for chunk in atlas.find("collect")), *(_neighbours(atlas, one) for one in layers)])


def _neighbours(atlas: Plan, layer: str) -> str:
    return atlas.find("layout", layer=layer, step="neighbours")[0].key


def versions_chunks(
    old: Plan, new: Plan, pairs: Sequence[Pair], *, weight: float, side: int | None, alpha: float
) -> list[Chunk]:
    """The chunks that compare two models whose samples are collected, the last of which says what was found.

    Args:
        old: The plan of the old model's atlas.
        new: Of the new one's, of the same dataset, samples and seed.
        pairs: Layers that stand beside each other.
        weight: Of the edges between twins.
        side: Of the map's cells, by default as many as the samples allow.
        alpha: Of what is told.
    """
    shards = [[chunk.key for chunk in plan.find("collect")] for plan in (old, new)]
    chunks: list[Chunk] = []
    told: list[str] = []
    for pair in pairs:
        near = _neighbours(old, pair.old), _neighbours(new, pair.new)
        floor = (near[0], near[0])
        maps = [_coupled(old, both, [shards[0], other], weight, seed)
                for both, other, seed in ((near, shards[1], 0), (floor, shards[0], FLOOR_SEED))]  # fmt: skip
        options: dict[str, Any] = {"side": side or _side(old, new, pair), "alpha": alpha}
        layer = Chunk.of("publish", {"step": "version", "layer": pair.old, "other": pair.new, "version": VERSION,
                                     **options},
                         [*(chunk.key for chunk in maps), *dict.fromkeys([*near, *shards[0], *shards[1]])])  # fmt: skip
        chunks += [*maps, layer]
        told.append(layer.key)
    options = {"old": old.model.id, "new": new.model.id, "alpha": alpha, "weight": weight}
    last = Chunk.of("publish", {"step": "versions", "version": VERSION, **options},
                    [*told, *dict.fromkeys([*shards[0], *shards[1]])])  # fmt: skip
    return list({chunk.key: chunk for chunk in (*chunks, last)}.values())


def _coupled(old: Plan, near: tuple[str, str], shards: Sequence[list[str]], weight: float, more: int) -> Chunk:
    options = {"epochs": old.spec.layout.epochs, "minimum_distance": old.spec.layout.minimum_distance,
               "seed": old.spec.seed + more, "weight": weight}  # fmt: skip
    return Chunk.of("layout", {"step": "coupled", **options}, dict.fromkeys([*near, *shards[0], *shards[1]]))


def _side(old: Plan, new: Plan, pair: Pair) -> int:
    """Cells a side, so that a mean filled cell holds a dozen samples of either half."""
    samples = min(build.samples_of(old.spec, old.model, old.dataset, pair.old),
                  build.samples_of(new.spec, new.model, new.dataset, pair.new))  # fmt: skip
    return max(2, min(SIDE, int((samples / HEALTHY_SAMPLES) ** 0.5)))
