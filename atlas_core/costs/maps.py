"""What chunks cost that make a map: samples, attributions, layouts, cells, indexes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.costs.quantities import (
    CELL_BYTES,
    CELL_JSON_BYTES,
    CLASSES_JSON_BYTES,
    COLLECT_SECONDS,
    DECODE_SECONDS,
    EDGE_SECONDS,
    PUBLISH_SECONDS,
    SEARCHED,
    Cost,
    cells_in,
    pair_seconds,
    pairs,
)
from atlas_core.lanes import axes_of
from atlas_core.mapping import STRONGEST
from atlas_core.pooling import IMAGES

if TYPE_CHECKING:
    from atlas_core.costs.quantities import Quantities, Works
    from atlas_core.plan import Chunk

SAMPLE_SECONDS = 5e-5
LOCAL_ABLATION = 0.15
"""Of the head's forward pass: only the window that a position reaches is computed again."""
ABLATION_SECONDS = 3e-4
JVP_PASSES = 3.0
PLACED_AMONG = 15
UMAP_FACTOR, TWINS_FACTOR = 4.0, 1.75
CELLS_SECONDS, CELLS_VALUE_SECONDS = 0.15, 4.4e-8
INDEX_SECONDS, INDEX_VALUE_SECONDS = 2.2e-5, 2.2e-7
SPOIL_SECONDS, LEARN_SECONDS = 5e-8, 1.5e-9
SAMPLE_BYTES, SAMPLE_ROW_BYTES = 8, 36
CELL_THUMBNAILS = 10
"""What its icon starts from, of twice the bytes, and its exemplars."""
POSITIVE = 0.5
"""Of a class's attributions."""
INDEXED_BYTES = 6
CONFUSED_SECONDS, CONFUSIONS_BYTES = 3e-8, 20_000


def _collect(of: Quantities, chunk: Chunk) -> Cost:
    images = of.images_of(chunk)
    seconds = COLLECT_SECONDS + images * (of.forward + DECODE_SECONDS * of.pixels)
    size = images * (8.0 + 4 * of.classes)
    size += min(images, IMAGES) * 2 * of.pooled
    for layer in chunk.parameters["layers"]:
        samples = of.samples(images, layer)
        seconds += samples * SAMPLE_SECONDS
        size += samples * (2 * of.channels(layer) + of.thumbnail + SAMPLE_BYTES)
        size += images * 2 * of.channels(layer)
    return Cost(seconds, size)


def _select(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.samples(of.images_of(chunk), chunk.parameters["layer"]), of.of_layer(chunk)[1]
    return Cost(COLLECT_SECONDS + samples * SAMPLE_SECONDS, samples * (2 * channels + of.thumbnail + SAMPLE_BYTES))


def _compare(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.of_layer(chunk)
    edges = samples * chunk.parameters["neighbours"] * chunk.parameters["epochs"]
    return Cost(pairs(samples, samples) * pair_seconds(channels) + EDGE_SECONDS * edges, 22 * samples)


def _confuse(of: Quantities, chunk: Chunk) -> Cost:
    del chunk
    return Cost(PUBLISH_SECONDS + CONFUSED_SECONDS * of.images * of.classes, CONFUSIONS_BYTES)


def _copies(of: Quantities, chunk: Chunk) -> Cost:
    images = sum(of.images_of(of.plan.by_key[key]) for key in chunk.inputs
                 if of.plan.by_key[key].stage == "collect")  # fmt: skip
    share = images / max(1, of.images)
    copies = of.watch.copies * of.watch.copied * share
    seconds = COLLECT_SECONDS + of.watch.copied * share * DECODE_SECONDS * of.pixels
    seconds += copies * (of.forward + SPOIL_SECONDS * of.pixels)
    return Cost(seconds, copies * 2 * of.pooled)


def _learn(of: Quantities, chunk: Chunk) -> Cost:
    del chunk
    images, copies = min(of.images, IMAGES), of.watch.copies * of.watch.copied
    rows = min(images + copies, of.pooled)
    seconds = LEARN_SECONDS * (images + copies) * of.pooled * rows
    return Cost(seconds, 4.0 * images * of.pooled / 3)


def _attribute(of: Quantities, chunk: Chunk) -> Cost:
    layer, method = chunk.parameters["layer"], chunk.parameters["method"]
    shard = of.plan.by_key[chunk.inputs[0]]
    images = of.images_of(shard)
    samples = of.samples(images, layer)
    size = 2.0 * samples * of.classes
    if method == "auto" and layer in of.model.closed:
        return Cost(COLLECT_SECONDS + samples * 2e-9 * of.channels(layer) * of.classes, size)
    head = (1 - of.share(layer)) * of.forward
    each = JVP_PASSES * head if method == "jvp" else LOCAL_ABLATION * head
    return Cost(images * of.share(layer) * of.forward + samples * (ABLATION_SECONDS + each), size)


def _neighbours(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.laid_out(chunk)
    size = 8 * samples * chunk.parameters["neighbours"]
    if "landmarks" in chunk.parameters:
        size += samples * (2 * channels + SAMPLE_BYTES)
    return Cost(pairs(samples, samples) * pair_seconds(channels), size)


def _place(of: Quantities, chunk: Chunk) -> Cost:
    landmarks, channels = of.laid_out(chunk)
    shards = [of.plan.by_key[key] for key in chunk.inputs]
    images = sum(of.images_of(shard) for shard in shards if shard.stage == "collect")
    samples = of.samples(images, chunk.parameters["layer"])
    seconds = SEARCHED * samples * landmarks * pair_seconds(channels)
    seconds += EDGE_SECONDS * samples * PLACED_AMONG * chunk.parameters["epochs"]
    return Cost(seconds + samples * SAMPLE_SECONDS, 22 * samples)


def _join(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.of_layer(chunk)
    return Cost(samples * INDEX_VALUE_SECONDS * channels / 10, 22 * samples)


def _optimise(of: Quantities, chunk: Chunk) -> Cost:
    samples, _ = of.laid_out(chunk)
    edges = samples * of.plan.spec.layout.neighbours
    factor = UMAP_FACTOR if chunk.parameters["optimiser"] == "umap" else 1.0
    return Cost(factor * EDGE_SECONDS * edges * chunk.parameters["epochs"], 22 * samples)


def _twins(of: Quantities, chunk: Chunk) -> Cost:
    return Cost(TWINS_FACTOR * _optimise(of, chunk).seconds, 0)


def _cells(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.of_layer(chunk)
    levels = chunk.parameters["levels"]
    cells = cells_in(levels)
    each = CELL_BYTES + CELL_JSON_BYTES + CELL_THUMBNAILS * of.thumbnail + 4 * channels
    seconds = CELLS_SECONDS + CELLS_VALUE_SECONDS * len(levels) * samples * channels
    seconds += samples * cells * pair_seconds(channels)  # each cell looks for its icon's start among all
    return Cost(seconds, cells * each + 4 * channels**2)


def _tell(of: Quantities, chunk: Chunk) -> Cost:
    samples, levels = of.of_layer(chunk)[0], chunk.parameters["levels"]
    classes = of.classes if of.plan.spec.attribution != "none" else 0
    seconds = CELLS_SECONDS + CELLS_VALUE_SECONDS * len(levels) * samples * classes
    size = cells_in(levels) * (CELL_JSON_BYTES + CLASSES_JSON_BYTES + 2 * classes)
    index = 4 * samples + INDEXED_BYTES * classes * min(samples * POSITIVE, STRONGEST) if classes else 0
    return Cost(seconds, size + index)


def _index(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.of_layer(chunk)
    size = samples * (2 * channels + 4 * axes_of(channels) + 36)
    return Cost(samples * (INDEX_SECONDS + INDEX_VALUE_SECONDS * channels), size)


def _tabulate(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.of_layer(chunk)
    return Cost(samples * INDEX_VALUE_SECONDS * channels / 10, SAMPLE_ROW_BYTES * samples)


WORKS: Works = {
    "collect": _collect, "attribute": _attribute, "cells": _cells, "select": _select, "compare": _compare,
    "classes": _tell, "neighbours": _neighbours, "optimise": _optimise, "twins": _twins, "index": _index,
    "samples": _tabulate, "quality": _tabulate, "copies": _copies, "novelty": _learn, "confusions": _confuse,
    "place": _place, "join": _join,
}  # fmt: skip
