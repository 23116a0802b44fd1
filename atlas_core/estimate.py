"""What chunks cost on the machine that these constants were measured on, in a unit that makes them comparable.

The figures come from 20,000 samples of two layers of SqueezeNet at 227 px and of one of ResNet-20 at 32 px on a core of
a 2-core x86-64 machine. What another deployment needs is told by its own rates (`rates`): measured over these.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from atlas_core.batch import PART_IMAGES
from atlas_core.build import BESIDE_CELLS
from atlas_core.featurevis.recipes import THUMBNAIL_SIDE, at_layer, canvas_size, recipe_named
from atlas_core.lanes import axes_of
from atlas_core.mapping import STRONGEST, TILE_SIDE
from atlas_core.pooling import IMAGES, Watch, depths
from atlas_core.sampling import capacity

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan

VALUE_SECONDS = 2.4e-7
"""Of a forward pass for each value of its input, where the model was not measured; equal for both networks."""
BUSY = 1.5
"""Of a pass among other processes on all cores over that of an inspection, which runs alone."""
SHARE = 0.5
DECODE_SECONDS = 4e-8
"""For each pixel of the network's input: decoding runs beside the network."""
COLLECT_SECONDS = 0.1
SAMPLE_SECONDS = 5e-5
LOCAL_ABLATION = 0.15
"""Of the head's forward pass: only the window that a position reaches is computed again."""
ABLATION_SECONDS = 3e-4
JVP_PASSES = 3.0
EXACT_SAMPLES = 60_000
SEARCHED = 0.3
"""Of all pairs, where candidates come from inverted lists: .15 are compared, and each costs more."""
PAIR_SECONDS, PAIR_CHANNEL_SECONDS = 1.8e-9, 1.8e-11
EDGE_SECONDS = 8.5e-8
PLACED_AMONG = 15
UMAP_FACTOR, TWINS_FACTOR = 4.0, 1.75
CELLS_SECONDS, CELLS_VALUE_SECONDS = 0.15, 4.4e-8
INDEX_SECONDS, INDEX_VALUE_SECONDS = 2.2e-5, 2.2e-7
SPOIL_SECONDS, LEARN_SECONDS = 5e-8, 1.5e-9
STEP_PASSES, STEP_SECONDS = 1.6, 3.5e-4
MEASURING_STEPS = 4
COMPOSED_STEPS = 48
PIXEL_SECONDS = 3e-7
PUBLISH_SECONDS, PUBLISH_TILE_SECONDS = 0.02, 0.002

SAMPLE_BYTES, SAMPLE_ROW_BYTES = 8, 36
CELL_BYTES, CELL_JSON_BYTES, CLASSES_JSON_BYTES, ICON_JSON_BYTES = 290, 540, 390, 1090
CELL_THUMBNAILS = 10
"""What its icon starts from, of twice the bytes, and its exemplars."""
TILE_PIXEL_BYTES, POSTER_PIXEL_BYTES, METRIC_BYTES = 0.4, 2.1, 52
MANIFEST_BYTES, MANIFEST_TILE_BYTES = 3_000, 160
POSITIVE = 0.5
"""Of a class's attributions."""
INDEXED_BYTES = 6
CONFUSED_SECONDS, CONFUSIONS_BYTES = 3e-8, 20_000
PROJECTED_SECONDS, PROJECTED_BYTES = 0.02, 30_000
LANDING_SECONDS, LANDING_SAMPLE_SECONDS = 4e-4, 2e-8
PERMUTED_PAIR_SECONDS, DRIFT_BYTES = 1.5e-10, 30_000
MEASURED_BYTES = 100_000
VERSION_SECONDS, VERSION_SAMPLE_SECONDS, VERSION_BYTES = 2.0, 2e-4, 300_000
QUERIES = 3_000
"""Samples that a comparison of two models looks up among all, on the maps and in the layer."""


@dataclass(frozen=True)
class ModelCost:
    """What a model's forward pass takes, as its inspection measured it.

    Attributes:
        forward_seconds: Of an image, None where it was not measured.
        shares: Share of the pass that is over at each layer.
        closed: Layers whose attribution has a closed form.
    """

    forward_seconds: float | None = None
    shares: Mapping[str, float] = field(default_factory=dict)
    closed: tuple[str, ...] = ()

    @classmethod
    def of(cls, value: Mapping[str, Any] | None) -> ModelCost:
        """From a model's document; what it does not say is not known."""
        value = value or {}
        return cls(value.get("forward_seconds"), value.get("shares") or {}, tuple(value.get("closed") or ()))


@dataclass(frozen=True)
class Cost:
    """Seconds of one process, and bytes written to the store."""

    seconds: float
    bytes: float


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
        card = plan.model.card.input
        self._pixels = card.height * card.width
        measured = model.forward_seconds
        self._forward = VALUE_SECONDS * self._pixels * card.channels if measured is None else BUSY * measured
        self._thumbnail = 0 if plan.spec.strict else THUMBNAIL_SIDE**2 * card.channels
        self._classes = plan.model.classes or 0

    @cached_property
    def _images(self) -> int:
        """Of the atlas, not of a dataset that is compared with it."""
        others = {key for other in self._plan.others for key in other.keys} - self._plan.grounded
        return sum(self._images_of(chunk) for chunk in self._plan.find("collect") if chunk.key not in others)

    def _images_of(self, chunk: Chunk) -> int:
        if chunk.parameters.get("step") == "select":
            request = self._plan.request or {}
            return int(-(-request.get("images", 0) // max(1, len(self._plan.find("collect", step="select")))))
        return int(chunk.parameters["stop"] - chunk.parameters["start"])

    def _samples(self, images: int, layer: str) -> float:
        """Samples that so many images give of a layer."""
        places, request = capacity(self._plan.model.layer(layer)), self._plan.request or {}
        samples = request["samples"] if self._plan.apart else self._plan.spec.samples
        return min(images * places, samples * images / max(1, self._images))

    def _share(self, layer: str) -> float:
        return min(1.0, max(0.0, self._model.shares.get(layer, SHARE)))

    def cost(self, chunk: Chunk) -> Cost:
        """What a chunk costs; one that is about another model is taken to pass through it as fast as through this."""
        seen = self._plan.seen_by(chunk)
        if seen.model.id != self._plan.model.id:
            return Estimate(seen.model_copy(update={"others": ()}), self._model).cost(chunk)
        step = chunk.parameters.get("step")
        works = {
            "collect": self._collect, "attribute": self._attribute, "cells": self._cells,
            "select": self._select, "compare": self._compare,
            "classes": self._tell,
            "preview": self._preview, "render": self._render,
            "neighbours": self._neighbours, "optimise": self._optimise, "twins": self._twins, "index": self._index,
            "samples": self._tabulate, "quality": self._tabulate, "copies": self._copies, "novelty": self._learn,
            "confusions": self._confuse,
            "place": self._place, "join": self._join, "beside": self._beside, "level": self._level,
            "manifest": self._manifest, "pictures": self._pictures, "icons": self._sheet,
            "coupled": self._coupled, "version": self._version, "versions": self._versions,
            "pasted": self._pasted,
            "landings": self._landings, "drift": self._drift, "projected": self._projected, "projections": self._lines,
            "base": self._look,
        }  # fmt: skip
        return works.get(step or chunk.stage, self._measure)(chunk)

    def _collect(self, chunk: Chunk) -> Cost:
        images = self._images_of(chunk)
        seconds = COLLECT_SECONDS + images * (self._forward + DECODE_SECONDS * self._pixels)
        size = images * (8.0 + 4 * self._classes)
        size += min(images, IMAGES) * 2 * self._pooled
        for layer in chunk.parameters["layers"]:
            samples = self._samples(images, layer)
            seconds += samples * SAMPLE_SECONDS
            size += samples * (2 * self._channels(layer) + self._thumbnail + SAMPLE_BYTES)
            size += images * 2 * self._channels(layer)
        return Cost(seconds, size)

    def _select(self, chunk: Chunk) -> Cost:
        samples, channels = self._samples(self._images_of(chunk), chunk.parameters["layer"]), self._of_layer(chunk)[1]
        return Cost(
            COLLECT_SECONDS + samples * SAMPLE_SECONDS, samples * (2 * channels + self._thumbnail + SAMPLE_BYTES)
        )

    def _compare(self, chunk: Chunk) -> Cost:
        samples, channels = self._of_layer(chunk)
        edges = samples * chunk.parameters["neighbours"] * chunk.parameters["epochs"]
        return Cost(_pairs(samples, samples) * _pair_seconds(channels) + EDGE_SECONDS * edges, 22 * samples)

    def _confuse(self, chunk: Chunk) -> Cost:
        del chunk
        return Cost(PUBLISH_SECONDS + CONFUSED_SECONDS * self._images * self._classes, CONFUSIONS_BYTES)

    @cached_property
    def _watch(self) -> Watch:
        return Watch(tuple(depths(self._plan.model.layers)), self._images)

    @cached_property
    def _pooled(self) -> int:
        """Values that an image leaves for novelty."""
        channels = [self._channels(name) for name in self._watch.at]
        return 2 * sum(channels) + channels[-1] + channels[max(0, len(channels) - 2)]

    def _copies(self, chunk: Chunk) -> Cost:
        images = sum(self._images_of(self._plan.by_key[key]) for key in chunk.inputs
                     if self._plan.by_key[key].stage == "collect")  # fmt: skip
        share = images / max(1, self._images)
        copies = self._watch.copies * self._watch.copied * share
        seconds = COLLECT_SECONDS + self._watch.copied * share * DECODE_SECONDS * self._pixels
        seconds += copies * (self._forward + SPOIL_SECONDS * self._pixels)
        return Cost(seconds, copies * 2 * self._pooled)

    def _learn(self, chunk: Chunk) -> Cost:
        del chunk
        images, copies = min(self._images, IMAGES), self._watch.copies * self._watch.copied
        rows = min(images + copies, self._pooled)
        seconds = LEARN_SECONDS * (images + copies) * self._pooled * rows
        return Cost(seconds, 4.0 * images * self._pooled / 3)

    def _attribute(self, chunk: Chunk) -> Cost:
        layer, method = chunk.parameters["layer"], chunk.parameters["method"]
        shard = self._plan.by_key[chunk.inputs[0]]
        images = self._images_of(shard)
        samples = self._samples(images, layer)
        size = 2.0 * samples * self._classes
        if method == "auto" and layer in self._model.closed:
            return Cost(COLLECT_SECONDS + samples * 2e-9 * self._channels(layer) * self._classes, size)
        head = (1 - self._share(layer)) * self._forward
        each = JVP_PASSES * head if method == "jvp" else LOCAL_ABLATION * head
        return Cost(images * self._share(layer) * self._forward + samples * (ABLATION_SECONDS + each), size)

    def _channels(self, layer: str) -> int:
        return self._plan.model.layer(layer).shape[0]

    def _of_layer(self, chunk: Chunk) -> tuple[float, int]:
        """Samples and channels of a chunk's layer."""
        layer = chunk.parameters["layer"]
        return self._samples(self._images, layer), self._channels(layer)

    def _laid_out(self, chunk: Chunk) -> tuple[float, int]:
        """Samples of a chunk's layer that are laid out themselves, and channels."""
        samples, channels = self._of_layer(chunk)
        return min(samples, self._plan.spec.layout.landmarks), channels

    def _neighbours(self, chunk: Chunk) -> Cost:
        samples, channels = self._laid_out(chunk)
        size = 8 * samples * chunk.parameters["neighbours"]
        if "landmarks" in chunk.parameters:
            size += samples * (2 * channels + SAMPLE_BYTES)
        return Cost(_pairs(samples, samples) * _pair_seconds(channels), size)

    def _place(self, chunk: Chunk) -> Cost:
        landmarks, channels = self._laid_out(chunk)
        shards = [self._plan.by_key[key] for key in chunk.inputs]
        images = sum(self._images_of(shard) for shard in shards if shard.stage == "collect")
        samples = self._samples(images, chunk.parameters["layer"])
        seconds = SEARCHED * samples * landmarks * _pair_seconds(channels)
        seconds += EDGE_SECONDS * samples * PLACED_AMONG * chunk.parameters["epochs"]
        return Cost(seconds + samples * SAMPLE_SECONDS, 22 * samples)

    def _join(self, chunk: Chunk) -> Cost:
        samples, channels = self._of_layer(chunk)
        return Cost(samples * INDEX_VALUE_SECONDS * channels / 10, 22 * samples)

    def _optimise(self, chunk: Chunk) -> Cost:
        samples, _ = self._laid_out(chunk)
        edges = samples * self._plan.spec.layout.neighbours
        factor = UMAP_FACTOR if chunk.parameters["optimiser"] == "umap" else 1.0
        return Cost(factor * EDGE_SECONDS * edges * chunk.parameters["epochs"], 22 * samples)

    def _twins(self, chunk: Chunk) -> Cost:
        return Cost(TWINS_FACTOR * self._optimise(chunk).seconds, 0)

    def _coupled(self, chunk: Chunk) -> Cost:
        """Twice the samples of the layer whose neighbours are the first of its inputs."""
        layer = next(one.parameters["layer"] for one in map(self._plan.by_key.__getitem__, chunk.inputs)
                     if one.stage == "layout")  # fmt: skip
        samples = 2 * min(self._samples(self._images, layer), self._plan.spec.layout.landmarks)
        edges = samples * (self._plan.spec.layout.neighbours + 1)
        return Cost(EDGE_SECONDS * edges * chunk.parameters["epochs"], 8 * samples)

    def _version(self, chunk: Chunk) -> Cost:
        samples, channels = self._laid_out(chunk)
        seconds = VERSION_SECONDS + VERSION_SAMPLE_SECONDS * samples
        return Cost(seconds + QUERIES * samples * _pair_seconds(channels), 24 * samples + VERSION_BYTES)

    def _versions(self, chunk: Chunk) -> Cost:
        del chunk
        return Cost(PUBLISH_SECONDS, VERSION_BYTES)

    def _cells(self, chunk: Chunk) -> Cost:
        samples, channels = self._of_layer(chunk)
        levels = chunk.parameters["levels"]
        cells = _cells_in(levels)
        each = CELL_BYTES + CELL_JSON_BYTES + CELL_THUMBNAILS * self._thumbnail + 4 * channels
        seconds = CELLS_SECONDS + CELLS_VALUE_SECONDS * len(levels) * samples * channels
        seconds += samples * cells * _pair_seconds(channels)  # each cell looks for its icon's start among all
        return Cost(seconds, cells * each + 4 * channels**2)

    def _tell(self, chunk: Chunk) -> Cost:
        samples, levels = self._of_layer(chunk)[0], chunk.parameters["levels"]
        classes = self._classes if self._plan.spec.attribution != "none" else 0
        seconds = CELLS_SECONDS + CELLS_VALUE_SECONDS * len(levels) * samples * classes
        size = _cells_in(levels) * (CELL_JSON_BYTES + CLASSES_JSON_BYTES + 2 * classes)
        index = 4 * samples + INDEXED_BYTES * classes * min(samples * POSITIVE, STRONGEST) if classes else 0
        return Cost(seconds, size + index)

    def _index(self, chunk: Chunk) -> Cost:
        samples, channels = self._of_layer(chunk)
        size = samples * (2 * channels + 4 * axes_of(channels) + 36)
        return Cost(samples * (INDEX_SECONDS + INDEX_VALUE_SECONDS * channels), size)

    def _tabulate(self, chunk: Chunk) -> Cost:
        samples, channels = self._of_layer(chunk)
        return Cost(samples * INDEX_VALUE_SECONDS * channels / 10, SAMPLE_ROW_BYTES * samples)

    def _canvas(self, layer: str, recipe: str) -> int:
        plan = self._plan
        return canvas_size(recipe_named(recipe), plan.model.layer(layer), plan.model.card.input)

    def _preview(self, chunk: Chunk) -> Cost:
        return self._icons(chunk, measuring_steps=0, metric_bytes=0)

    def _render(self, chunk: Chunk) -> Cost:
        return self._icons(chunk, measuring_steps=MEASURING_STEPS, metric_bytes=METRIC_BYTES)

    def _icons(self, chunk: Chunk, *, measuring_steps: int, metric_bytes: int) -> Cost:
        parameters = chunk.parameters
        side, layer = parameters["side"], parameters["layer"]
        across = [min(TILE_SIDE, side - TILE_SIDE * parameters[axis]) for axis in ("x", "y")]
        icons = filled(side) * across[0] * across[1]
        canvas = self._canvas(layer, parameters["recipe"])
        trunk = self._forward * self._share(layer) * canvas**2 / self._pixels
        recipe = at_layer(
            recipe_named(parameters["recipe"]), self._plan.model.layer(layer), self._plan.model.card.input
        )
        steps = recipe.steps + measuring_steps
        seconds = icons * steps * (STEP_PASSES * trunk + STEP_SECONDS)
        return Cost(seconds, icons * (TILE_PIXEL_BYTES * canvas**2 + metric_bytes))

    def _beside(self, chunk: Chunk) -> Cost:
        """Two pictures of each cell are measured, and an image is read for one of them."""
        side, layer = chunk.parameters["side"], chunk.parameters["layer"]
        cells = min(BESIDE_CELLS, filled(side) * side**2)
        trunk = self._forward * self._share(layer) * self._canvas(layer, chunk.parameters["recipe"]) ** 2 / self._pixels
        measuring = 2 * MEASURING_STEPS * (STEP_PASSES * trunk + STEP_SECONDS)
        return Cost(cells * (measuring + DECODE_SECONDS * self._pixels), 2 * cells * METRIC_BYTES)

    def _pictures(self, chunk: Chunk) -> Cost:
        request, layer, count = chunk.parameters["request"], chunk.parameters["layer"], chunk.parameters["count"]
        if request["recipe"] is None or "size" in request:  # a dream, a composition: one picture, of about the input
            steps, pixels = request.get("steps", COMPOSED_STEPS), float(self._pixels)
        else:
            where = self._plan.model.layer(layer), self._plan.model.card.input
            recipe = recipe_named(request["recipe"])
            steps = at_layer(recipe, *where).steps + MEASURING_STEPS
            pixels = float(canvas_size(recipe, *where) ** 2)
        trunk = self._forward * self._share(layer) * pixels / self._pixels
        return Cost(count * steps * (STEP_PASSES * trunk + STEP_SECONDS), count * POSTER_PIXEL_BYTES * pixels)

    def _sheet(self, chunk: Chunk) -> Cost:
        inputs = (self._plan.by_key[key] for key in chunk.inputs)
        shown = [self._pictures(one).bytes for one in inputs if one.stage == "render"]
        return Cost(PUBLISH_SECONDS + PIXEL_SECONDS * sum(shown) / POSTER_PIXEL_BYTES, sum(shown))

    def _projected(self, chunk: Chunk) -> Cost:
        layers = len(chunk.parameters["layers"] or self._plan.spec.layers)
        seconds = self._forward + layers * PROJECTED_SECONDS
        return Cost(PART_IMAGES * seconds, PART_IMAGES * layers * PROJECTED_BYTES)

    def _lines(self, chunk: Chunk) -> Cost:
        return Cost(PUBLISH_SECONDS, PART_IMAGES * PROJECTED_BYTES * len(chunk.inputs))

    def _pasted(self, chunk: Chunk) -> Cost:
        request, of = chunk.parameters["request"], chunk.parameters["of"]
        each = {"patch": 4, "controls": 8, "rivals": 10}[of] * (1 if of == "rivals" else len(request["sizes"]))
        return Cost(COLLECT_SECONDS + each * request["images"] * self._forward, MEASURED_BYTES)

    def _landings(self, chunk: Chunk) -> Cost:
        landed = chunk.parameters["images"] * chunk.parameters["points"]
        return Cost(landed * (LANDING_SECONDS + LANDING_SAMPLE_SECONDS * self._of_layer(chunk)[0]), 22.0 * landed)

    def _drift(self, chunk: Chunk) -> Cost:
        request = chunk.parameters["request"]
        pairs = (2.0 * request["images"]) ** 2
        return Cost(len(request["layers"]) * (1 + PERMUTED_PAIR_SECONDS * pairs * request["permutations"]), DRIFT_BYTES)

    def _look(self, chunk: Chunk) -> Cost:
        images = self._images_of(chunk)
        seconds = COLLECT_SECONDS + images * (self._forward + DECODE_SECONDS * self._pixels)
        return Cost(seconds, images * (8.0 + 4 * self._classes))

    def _measure(self, chunk: Chunk) -> Cost:
        """A part of what a check of an audit measures, in as many passes; or what puts the parts together."""
        parts = chunk.parameters.get("parts")
        passes = chunk.parameters.get("passes", 0) / parts if parts else 0
        return Cost(PUBLISH_SECONDS + passes * self._forward, MEASURED_BYTES)

    def _level(self, chunk: Chunk) -> Cost:
        side = chunk.parameters["side"]
        if not self._plan.spec.rendered:
            return Cost(PUBLISH_SECONDS, filled(side) * side**2 * (CELL_JSON_BYTES + CLASSES_JSON_BYTES))
        canvas = self._canvas(chunk.parameters["layer"], self._plan.spec.recipe)
        icons, pixels = filled(side) * side**2, canvas**2
        size = icons * (ICON_JSON_BYTES + POSTER_PIXEL_BYTES * pixels)
        return Cost(PUBLISH_SECONDS + PIXEL_SECONDS * icons * pixels, size)

    def _manifest(self, chunk: Chunk) -> Cost:
        del chunk
        tiles = self._plan.totals["render"]
        size = MANIFEST_BYTES + MANIFEST_TILE_BYTES * tiles + 16 * self._classes
        return Cost(PUBLISH_SECONDS + PUBLISH_TILE_SECONDS * tiles, size)


def _pairs(samples: float, others: float) -> float:
    """Pairs that a search compares, in those of a full one."""
    return samples * others * (1.0 if others <= EXACT_SAMPLES else SEARCHED)


def _pair_seconds(channels: int) -> float:
    return PAIR_SECONDS + PAIR_CHANNEL_SECONDS * channels


def _cells_in(levels: Sequence[int]) -> float:
    """Cells that layouts fill of some levels, by their sides."""
    return sum(filled(side) * side**2 for side in levels)


def filled(side: int) -> float:
    """Share of a level's cells that layouts fill: about .6, and nearly all of a very coarse level."""
    return float(0.6 + 0.4 * 2 ** (-side / 4))
