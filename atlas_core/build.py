"""The method on one screen: which chunks make an atlas, in the order in which they should run.

A chunk is short, idempotent and done when its record exists; its key says what it does, with which parameters, from
which other chunks. `atlas_core.stages` holds what each one does.
"""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import Field

from atlas_core.cards import Card, LayerInfo, ModelCard
from atlas_core.errors import SpecError, UnknownLayerError, UnsupportedOperatorError
from atlas_core.featurevis.recipes import recipe_named
from atlas_core.keys import record_key
from atlas_core.spec import AtlasSpec, job_id, resolve_levels

STAGES = ("collect", "attribute", "layout", "cells", "preview", "render", "publish")
VERSIONS = {**dict.fromkeys(STAGES, 1), "layout": 2, "cells": 2, "render": 2, "publish": 2}
DROPPED_STAGES = ("attribute", "preview")
"""What chunks of these made is of no use once all that depends on it is done, and dropped with the atlas's success."""
KEPT_SAMPLES = ("attribute",)
"""Those of them that `keep: samples` keeps."""
PREVIEW = "fast"
"""The recipe of previews."""
SHARD_PIXELS = 4_000_000
SHARD_IMAGES = 1_000
SHARD_SAMPLES = 2_000
"""Samples of a layer in one shard: what a collecting process keeps besides its batch does not grow with the job."""
LEAST_SHARD = 8
TILE_SIDE = 10
BESIDE_CELLS = 64
"""Cells of a layer's coarsest level that starts and real patches are measured on: a few seconds, and a mean to .02."""
PLACED_SAMPLES = 50_000
"""Samples that a chunk places among landmarks, more or less."""
PLACED_EPOCHS = 30
INDEX_PATH = "index.safetensors"


class ModelFacts(Card):
    """What a plan knows of a model once it is inspected; `unconvertible` says why there are no gradients, if so."""

    id: str
    card: ModelCard
    layers: list[LayerInfo]
    classes: int | None
    unconvertible: list[str] = Field(default_factory=list)

    def layer(self, name: str) -> LayerInfo:
        """The layer of this name.

        Raises:
            UnknownLayerError: The model has none; names the nearest.
        """
        names = [layer.name for layer in self.layers]
        if name in names:
            return self.layers[names.index(name)]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names[-3:]
        raise UnknownLayerError(
            f"the model {self.card.name!r} has no layer {name!r}; the nearest are {', '.join(near)}", pointer="/layers"
        )

    def unattributed(self, name: str) -> str | None:
        """Why no activation of a layer adds to any class; None where it does.

        Raises:
            UnknownLayerError: The model has no such layer.
        """
        if self.classes is None:
            return f"the model {self.card.name!r} has no logits"
        if self.unconvertible:
            return f"the model {self.card.name!r} has no gradients: {'; '.join(self.unconvertible)}"
        if self.layer(name).silent:
            return f"the logits of {self.card.name!r} do not depend on the layer {name!r}"
        return None


class DatasetFacts(Card):
    """What a plan knows of a dataset once it is listed.

    `digest` is of the listing (paths, bytes, classes), `listing` the blob that holds it.
    """

    id: str
    digest: str
    name: str
    listing: str
    images: int
    classes: list[str] | None
    class_counts: dict[str, int] | None = None

    def sampled(self, spec: AtlasSpec) -> int:
        """How many images a request samples.

        Raises:
            SpecError: It asks for so many a class, and nothing is labelled.
        """
        from atlas_core.sampling import capped_images  # loads numpy, which the command line's help does without

        return capped_images(self.images, self.class_counts, spec.caps)


class AnchorLayer(Card):
    """A published layer that new samples are laid out against: its channels and the keys of its records."""

    channels: int
    neighbours: str
    layout: str


class AnchorFacts(Card):
    """What a plan knows of the atlas whose points stay fixed.

    `dataset` is the digest of its listing, `collected` the keys of its shards.
    """

    id: str
    model: str
    dataset: str
    seed: int
    collected: list[str]
    layers: dict[str, AnchorLayer]


class Chunk(Card):
    """The unit that a worker runs."""

    stage: str
    key: str
    parameters: dict[str, Any]
    inputs: tuple[str, ...]

    @property
    def is_tile(self) -> bool:
        """Whether it renders a tile, or a preview of one."""
        return self.stage in ("preview", "render") and "step" not in self.parameters


class Plan(Card):
    """Every chunk of a job, in order of priority; inputs come before what needs them.

    A plan of an atlas has no `request`; that of icons has one, and the id of their `atlas`, whose spec it shares.
    """

    id: str
    spec: AtlasSpec
    model: ModelFacts
    dataset: DatasetFacts
    chunks: tuple[Chunk, ...]
    anchor: AnchorFacts | None = None
    atlas: str | None = None
    request: dict[str, Any] | None = None

    @property
    def kind(self) -> str:
        """Kind of the job."""
        return "atlas" if self.request is None else "icons"

    def brings(self, chunk: Chunk) -> bool:
        """Whether a chunk is this job's own: all of an atlas's are; of icons' those that are not the atlas's."""
        return self.request is None or "request" in chunk.parameters

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
        return (self.find("layout", layer=layer, step="join") or self.find("layout", layer=layer, step="optimise"))[0]

    def tiles(self, layer: str, side: int, stage: str = "render") -> list[Chunk]:
        """The chunks that render the tiles of a level, or with `preview` their previews, row by row."""
        return [chunk for chunk in self.find(stage, layer=layer, side=side) if chunk.is_tile]

    def unattributed(self, layer: str) -> str | None:
        """Why the cells of a layer speak for no class; None where they do."""
        if self.spec.attribution == "none" and self.model.unattributed(layer) is None:
            return "the atlas was made with attribution `none`; one made with `auto` has classes"
        return self.model.unattributed(layer)

    def find(self, stage: str, **parameters: Any) -> list[Chunk]:
        """Chunks of a stage that have these parameters, in order."""
        return [
            chunk
            for chunk in self.chunks
            if chunk.stage == stage and all(chunk.parameters.get(name) == value for name, value in parameters.items())
        ]


def lacking(plan: Plan, done: Set[str]) -> list[Chunk]:
    """Chunks that have to run, in order: not done, and of use to one that is not done either.

    So samples' attributions that were dropped once the cells were published are not made again for the cells' sake.
    """
    wanted = {plan.chunks[-1].key}
    for chunk in reversed(plan.chunks):
        if chunk.key in wanted and chunk.key not in done:
            wanted.update(chunk.inputs)
    return [chunk for chunk in plan.chunks if chunk.key in wanted and chunk.key not in done]


@dataclass(frozen=True)
class Shard:
    """A run of the images that are sampled, in the listing's order, that one chunk collects: [start, stop)."""

    start: int
    stop: int


def resolve_spec(
    spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, anchor: AnchorFacts | None = None
) -> AtlasSpec:
    """A request with ids for names and its levels fixed, checked against the model, the dataset and the anchor.

    Raises:
        UnknownLayerError: The model has no such layer.
        UnsupportedOperatorError: The model has no gradients, without which nothing can be rendered or attributed.
        SpecError: A layer is too small, or a level too fine for the samples.
    """
    _check_gradients(spec, model)
    if spec.strict and spec.rendered and recipe_named(spec.recipe).seeded:
        raise SpecError(f"icons of the recipe {spec.recipe!r} start from pictures of the dataset, of which privacy "
                        "`strict` keeps none; ask for `pure`, or for `none`", pointer="/recipe")  # fmt: skip
    for name in spec.layers:
        _, height, width = model.layer(name).shape
        interior = max(height - 2, 0) * max(width - 2, 0)
        if interior < 1:
            raise SpecError(f"the layer {name!r} has {height} x {width} positions, none inside its border; take an "
                            "earlier layer", pointer="/layers")  # fmt: skip
    if anchor is not None:
        _check_anchor(spec, model, dataset, anchor)
    available = min(samples_of(spec, model, dataset, name) for name in spec.layers)
    levels = resolve_levels(spec.levels, available, allow_sparse=spec.allow_sparse)
    return spec.model_copy(
        update={"model": model.id, "dataset": dataset.id, "levels": levels, "attribution": _attribution(spec, model),
                "preview": _preview(spec), "anchor": None if anchor is None else anchor.id}
    )  # fmt: skip


def _preview(spec: AtlasSpec) -> str:
    """The previews that there can be: none of what is fast itself or has no icons, nor where no data may be seen."""
    previewed = spec.rendered and spec.recipe != PREVIEW and recipe_named(spec.recipe).seeded and not spec.strict
    return spec.preview if previewed else "none"


def dropped_stages(keep: str) -> tuple[str, ...]:
    """The stages whose chunks' work is dropped with an atlas's success.

    Args:
        keep: The spec's.
    """
    return tuple(stage for stage in DROPPED_STAGES if keep != "samples" or stage not in KEPT_SAMPLES)


def _attribution(spec: AtlasSpec, model: ModelFacts) -> str:
    """The attribution that can be made; `auto` leaves out what has no logits to speak of."""
    reasons = [found for name in spec.layers if (found := model.unattributed(name))]
    if spec.attribution in ("ablation", "jvp") and reasons:
        raise SpecError(f"attribution `{spec.attribution}` cannot be made: {reasons[0]}; ask for `auto`, which leaves "
                        "it out there, or for `none`", pointer="/attribution")  # fmt: skip
    return "none" if len(reasons) == len(spec.layers) else spec.attribution


def _check_gradients(spec: AtlasSpec, model: ModelFacts) -> None:
    reasons = "; ".join(model.unconvertible)
    if reasons and spec.rendered:
        raise UnsupportedOperatorError(
            f"icons of the model {model.card.name!r} cannot be rendered: {reasons}; ask for the recipe `none`: a map "
            "with real patches and without icons, on which new images can be placed",
            pointer="/recipe",
        )
    if reasons and spec.attribution not in ("auto", "none"):
        raise UnsupportedOperatorError(
            f"attributions of the model {model.card.name!r} cannot be computed: {reasons}; ask for the attribution "
            "`none`",
            pointer="/attribution",
        )


def _check_anchor(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, anchor: AnchorFacts) -> None:
    for name in spec.layers:
        channels = model.layer(name).shape[0]
        if name not in anchor.layers:
            raise SpecError(f"the anchor {anchor.id} has no layer {name!r}; it has {', '.join(anchor.layers)}",
                            pointer="/layers")  # fmt: skip
        if anchor.layers[name].channels != channels:
            raise SpecError(f"the layer {name!r} has {channels} channels, in the anchor {anchor.id} it has "
                            f"{anchor.layers[name].channels}", pointer="/anchor")  # fmt: skip
    if model.id != anchor.model and (dataset.digest, spec.seed) != (anchor.dataset, anchor.seed):
        raise SpecError(
            f"the anchor {anchor.id} is of another model, so only samples of the same images and points tie the two "
            f"maps: ask for its dataset and its seed {anchor.seed}",
            pointer="/anchor",
        )
    if spec.layout.optimiser != "batch":
        raise SpecError("only the optimiser `batch` lays samples out against an anchor", pointer="/layout/optimiser")


def shards(images: int, samples: int, model: ModelFacts) -> list[Shard]:
    """Cut a listing into runs of about the same work, bounded in images, pixels and samples."""
    pixels = model.card.input.height * model.card.input.width
    size = max(LEAST_SHARD, min(SHARD_IMAGES, SHARD_PIXELS // pixels, SHARD_SAMPLES * images // samples))
    count = -(-images // size)
    return [Shard(start, stop) for start, stop in _runs(images, count)]


def samples_of(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, layer: str) -> int:
    """The most samples that a layer can have."""
    from atlas_core.sampling import capacity  # loads numpy, which the command line's help does without

    return min(spec.samples, dataset.sampled(spec) * capacity(model.layer(layer)))


def _runs(total: int, count: int) -> Iterable[tuple[int, int]]:
    """So many runs of about the same length."""
    return itertools.pairwise(total * index // count for index in range(count + 1))


def plan(spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, anchor: AnchorFacts | None = None) -> Plan:
    """Plan an atlas.

    Args:
        spec: A request, as asked or resolved.
        model: The model, inspected.
        dataset: The dataset, listed.
        anchor: The published atlas that the request names as its anchor.

    Raises:
        UnknownLayerError: The model has no such layer.
        SpecError: The atlas cannot be made as asked.
    """
    spec = resolve_spec(spec, model, dataset, anchor)
    chunks: list[Chunk] = []

    def add(stage: str, inputs: Iterable[str] = (), after: Iterable[str] = (), /, **parameters: Any) -> str:
        """Add a chunk; what it only comes `after` is no part of what it makes."""
        inputs = tuple(inputs)
        key = record_key(stage, VERSIONS[stage], parameters, inputs)
        chunks.append(Chunk(stage=stage, key=key, parameters=parameters, inputs=(*inputs, *after)))
        return key

    source: dict[str, Any] = {"model": model.id, "dataset": dataset.digest, "samples": spec.samples, "seed": spec.seed}
    limits = {name: value for name, value in spec.caps._asdict().items() if value is not None}
    limits |= {"privacy": spec.privacy} if spec.strict else {}
    parts = shards(dataset.sampled(spec), spec.samples, model)

    # Run the network over the images; keep a few interior positions of each, with where they came from.
    collected = [add("collect", layers=spec.layers, start=part.start, stop=part.stop, **source, **limits)
                 for part in parts]  # fmt: skip

    cells: dict[str, str] = {}
    indexes = []
    compared = []
    previous: list[str] = []
    for layer in spec.layers:
        # Lay the activations out in the plane so that similar ones lie together; a layer starts from the one before,
        # or is laid out against the anchor's points. How far twins lie apart says how far the maps compare.
        # Of very many samples only some are laid out, and the others placed among these.
        samples = samples_of(spec, model, dataset, layer)
        many = samples > spec.layout.landmarks
        chosen = {"landmarks": spec.layout.landmarks} if many else {}
        neighbours = add("layout", collected, step="neighbours", layer=layer, neighbours=spec.layout.neighbours,
                         seed=spec.seed, **chosen)  # fmt: skip
        options = {"layer": layer, "epochs": spec.layout.epochs, "minimum_distance": spec.layout.minimum_distance,
                   "optimiser": spec.layout.optimiser, "seed": spec.seed,
                   "anchor": anchor and anchor.layers[layer].layout}  # fmt: skip
        layout = add("layout", [neighbours, *previous], step="optimise", **options)
        if previous or anchor:
            compared.append(add("layout", [neighbours, layout, *previous], step="twins", **options))
        if many:
            count = min(-(-samples // PLACED_SAMPLES), len(collected))
            placed = [add("layout", [neighbours, layout, *collected[start:stop]], step="place", layer=layer,
                          epochs=PLACED_EPOCHS) for start, stop in _runs(len(collected), count)]  # fmt: skip
            layout = add("layout", [neighbours, layout, *placed, *collected], step="join", layer=layer, seed=spec.seed)
        previous = [] if anchor else [layout]
        # What each sample adds to each class.
        attributed = []
        if spec.attribution != "none" and model.unattributed(layer) is None:
            attributed = [add("attribute", [key], layer=layer, method=spec.attribution, model=model.id)
                          for key in collected]  # fmt: skip
        # Average activations and attributions in the cells of every level.
        cells[layer] = add("cells", [layout, *collected, *attributed], layer=layer, levels=spec.levels)
        indexes.append(add("publish", [layout, *collected], step="index", layer=layer, levels=spec.levels))

    # Render for each cell the picture that excites the layer in the cell's direction, coarse levels first.
    levels = _add_levels(add, spec, model, dataset, cells)
    atlas = job_id(spec)
    add("publish", [*levels, *indexes, *compared], step="manifest", atlas=atlas)
    return Plan(id=atlas, spec=spec, model=model, dataset=dataset, chunks=tuple(chunks), anchor=anchor)


def _stages_of_levels(spec: AtlasSpec) -> Iterable[tuple[str, int]]:
    """Stage and side of what is rendered, in order.

    A level's previews come right ahead of the final tiles of the level before it, which take about as long.
    """
    sides = spec.levels or []
    previews: list[tuple[str, int]] = [] if spec.preview == "none" else [("preview", side) for side in sides]
    yield from previews[:1]
    for place, side in enumerate(sides):
        yield from previews[place + 1 : place + 2]
        yield "render", side


def _add_levels(
    add: Callable[..., str], spec: AtlasSpec, model: ModelFacts, dataset: DatasetFacts, cells: Mapping[str, str]
) -> list[str]:
    """Add the chunks that render and publish the levels of every layer; returns the keys of the publishing ones."""
    levels = []
    previews: dict[tuple[int, str], list[str]] = {}
    for (stage, side), layer in itertools.product(_stages_of_levels(spec), spec.layers):
        pictures = []
        if spec.rendered:
            recipe = PREVIEW if stage == "preview" else spec.recipe
            options = {"layer": layer, "side": side, "recipe": recipe, "version": recipe_named(recipe).version,
                       "model": model.id}  # fmt: skip
            places = [(x, y) for y in range(-(-side // TILE_SIDE)) for x in range(-(-side // TILE_SIDE))]
            before = [[key] for key in previews.get((side, layer), ())] or [[]] * len(places)
            pictures = [add(stage, [cells[layer]], after, x=x, y=y, **options)
                        for (x, y), after in zip(places, before, strict=True)]  # fmt: skip
            if stage == "render" and not spec.strict and side == min(spec.levels or ()):
                # What the icons are told beside: their starts alone, and real patches.
                pictures.append(add(stage, [cells[layer]], step="beside", dataset=dataset.digest, **options))
        if stage == "preview":
            previews[side, layer] = pictures
        else:
            levels.append(add("publish", [cells[layer], *pictures], step="level", layer=layer, side=side))
    return levels
