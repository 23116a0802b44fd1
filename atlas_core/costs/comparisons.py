"""What chunks cost that project, compare and audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.batch import PART_IMAGES
from atlas_core.costs.quantities import (
    COLLECT_SECONDS,
    DECODE_SECONDS,
    EDGE_SECONDS,
    PUBLISH_SECONDS,
    Cost,
    pair_seconds,
)

if TYPE_CHECKING:
    from atlas_core.costs.quantities import Quantities, Works
    from atlas_core.plan import Chunk

PROJECTED_SECONDS, PROJECTED_BYTES = 0.02, 30_000
LANDING_SECONDS, LANDING_SAMPLE_SECONDS = 4e-4, 2e-8
PERMUTED_PAIR_SECONDS, DRIFT_BYTES = 1.5e-10, 30_000
MEASURED_BYTES = 100_000
VERSION_SECONDS, VERSION_SAMPLE_SECONDS, VERSION_BYTES = 2.0, 2e-4, 300_000
QUERIES = 3_000
"""Samples that a comparison of two models looks up among all, on the maps and in the layer."""


def _coupled(of: Quantities, chunk: Chunk) -> Cost:
    """Twice the samples of the layer whose neighbours are the first of its inputs."""
    layer = next(one.parameters["layer"] for one in map(of.plan.by_key.__getitem__, chunk.inputs)
                 if one.stage == "layout")  # fmt: skip
    samples = 2 * min(of.samples(of.images, layer), of.plan.spec.layout.landmarks)
    edges = samples * (of.plan.spec.layout.neighbours + 1)
    return Cost(EDGE_SECONDS * edges * chunk.parameters["epochs"], 8 * samples)


def _version(of: Quantities, chunk: Chunk) -> Cost:
    samples, channels = of.laid_out(chunk)
    seconds = VERSION_SECONDS + VERSION_SAMPLE_SECONDS * samples
    return Cost(seconds + QUERIES * samples * pair_seconds(channels), 24 * samples + VERSION_BYTES)


def _versions(of: Quantities, chunk: Chunk) -> Cost:
    del chunk
    return Cost(PUBLISH_SECONDS, VERSION_BYTES)


def _projected(of: Quantities, chunk: Chunk) -> Cost:
    layers = len(chunk.parameters["layers"] or of.plan.spec.layers)
    seconds = of.forward + layers * PROJECTED_SECONDS
    return Cost(PART_IMAGES * seconds, PART_IMAGES * layers * PROJECTED_BYTES)


def _lines(of: Quantities, chunk: Chunk) -> Cost:
    return Cost(PUBLISH_SECONDS, PART_IMAGES * PROJECTED_BYTES * len(chunk.inputs))


def _pasted(of: Quantities, chunk: Chunk) -> Cost:
    request, which = chunk.parameters["request"], chunk.parameters["of"]
    each = {"patch": 4, "controls": 8, "rivals": 10}[which] * (1 if which == "rivals" else len(request["sizes"]))
    return Cost(COLLECT_SECONDS + each * request["images"] * of.forward, MEASURED_BYTES)


def _landings(of: Quantities, chunk: Chunk) -> Cost:
    landed = chunk.parameters["images"] * chunk.parameters["points"]
    return Cost(landed * (LANDING_SECONDS + LANDING_SAMPLE_SECONDS * of.of_layer(chunk)[0]), 22.0 * landed)


def _drift(of: Quantities, chunk: Chunk) -> Cost:
    request = chunk.parameters["request"]
    pairs = (2.0 * request["images"]) ** 2
    return Cost(len(request["layers"]) * (1 + PERMUTED_PAIR_SECONDS * pairs * request["permutations"]), DRIFT_BYTES)


def _look(of: Quantities, chunk: Chunk) -> Cost:
    images = of.images_of(chunk)
    seconds = COLLECT_SECONDS + images * (of.forward + DECODE_SECONDS * of.pixels)
    return Cost(seconds, images * (8.0 + 4 * of.classes))


def measure(of: Quantities, chunk: Chunk) -> Cost:
    """A part of what a check of an audit measures, in as many passes; or what puts the parts together."""
    parts = chunk.parameters.get("parts")
    passes = chunk.parameters.get("passes", 0) / parts if parts else 0
    return Cost(PUBLISH_SECONDS + passes * of.forward, MEASURED_BYTES)


WORKS: Works = {
    "coupled": _coupled, "version": _version, "versions": _versions, "pasted": _pasted, "landings": _landings,
    "drift": _drift, "projected": _projected, "projections": _lines, "base": _look,
}  # fmt: skip
