"""What chunks cost that render, and that publish what was rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.build import BESIDE_CELLS
from atlas_core.costs.quantities import (
    CELL_JSON_BYTES,
    CLASSES_JSON_BYTES,
    DECODE_SECONDS,
    ICON_JSON_BYTES,
    PUBLISH_SECONDS,
    PUBLISH_TILE_SECONDS,
    Cost,
    filled,
)
from atlas_core.featurevis.recipes import at_layer, canvas_size, recipe_named
from atlas_core.mapping import TILE_SIDE

if TYPE_CHECKING:
    from atlas_core.costs.quantities import Quantities, Works
    from atlas_core.plan import Chunk

STEP_PASSES, STEP_SECONDS = 1.6, 3.5e-4
MEASURING_STEPS = 4
COMPOSED_STEPS = 48
PIXEL_SECONDS = 3e-7
TILE_PIXEL_BYTES, POSTER_PIXEL_BYTES, METRIC_BYTES = 0.4, 2.1, 52
MANIFEST_BYTES, MANIFEST_TILE_BYTES = 3_000, 160


def _preview(of: Quantities, chunk: Chunk) -> Cost:
    return _icons(of, chunk, measuring_steps=0, metric_bytes=0)


def _render(of: Quantities, chunk: Chunk) -> Cost:
    return _icons(of, chunk, measuring_steps=MEASURING_STEPS, metric_bytes=METRIC_BYTES)


def _icons(of: Quantities, chunk: Chunk, *, measuring_steps: int, metric_bytes: int) -> Cost:
    parameters = chunk.parameters
    side, layer = parameters["side"], parameters["layer"]
    across = [min(TILE_SIDE, side - TILE_SIDE * parameters[axis]) for axis in ("x", "y")]
    icons = filled(side) * across[0] * across[1]
    canvas = of.canvas(layer, parameters["recipe"])
    trunk = of.forward * of.share(layer) * canvas**2 / of.pixels
    recipe = at_layer(recipe_named(parameters["recipe"]), of.plan.model.layer(layer), of.plan.model.card.input)
    steps = recipe.steps + measuring_steps
    seconds = icons * steps * (STEP_PASSES * trunk + STEP_SECONDS)
    return Cost(seconds, icons * (TILE_PIXEL_BYTES * canvas**2 + metric_bytes))


def _beside(of: Quantities, chunk: Chunk) -> Cost:
    """Two pictures of each cell are measured, and an image is read for one of them."""
    side, layer = chunk.parameters["side"], chunk.parameters["layer"]
    cells = min(BESIDE_CELLS, filled(side) * side**2)
    trunk = of.forward * of.share(layer) * of.canvas(layer, chunk.parameters["recipe"]) ** 2 / of.pixels
    measuring = 2 * MEASURING_STEPS * (STEP_PASSES * trunk + STEP_SECONDS)
    return Cost(cells * (measuring + DECODE_SECONDS * of.pixels), 2 * cells * METRIC_BYTES)


def _pictures(of: Quantities, chunk: Chunk) -> Cost:
    request, layer, count = chunk.parameters["request"], chunk.parameters["layer"], chunk.parameters["count"]
    if request["recipe"] is None or "size" in request:  # a dream, a composition: one picture, of about the input
        steps, pixels = request.get("steps", COMPOSED_STEPS), float(of.pixels)
    else:
        where = of.plan.model.layer(layer), of.plan.model.card.input
        recipe = recipe_named(request["recipe"])
        steps = at_layer(recipe, *where).steps + MEASURING_STEPS
        pixels = float(canvas_size(recipe, *where) ** 2)
    trunk = of.forward * of.share(layer) * pixels / of.pixels
    return Cost(count * steps * (STEP_PASSES * trunk + STEP_SECONDS), count * POSTER_PIXEL_BYTES * pixels)


def _sheet(of: Quantities, chunk: Chunk) -> Cost:
    inputs = (of.plan.by_key[key] for key in chunk.inputs)
    shown = [_pictures(of, one).bytes for one in inputs if one.stage == "render"]
    return Cost(PUBLISH_SECONDS + PIXEL_SECONDS * sum(shown) / POSTER_PIXEL_BYTES, sum(shown))


def _level(of: Quantities, chunk: Chunk) -> Cost:
    side = chunk.parameters["side"]
    if not of.plan.spec.rendered:
        return Cost(PUBLISH_SECONDS, filled(side) * side**2 * (CELL_JSON_BYTES + CLASSES_JSON_BYTES))
    canvas = of.canvas(chunk.parameters["layer"], of.plan.spec.recipe)
    icons, pixels = filled(side) * side**2, canvas**2
    size = icons * (ICON_JSON_BYTES + POSTER_PIXEL_BYTES * pixels)
    return Cost(PUBLISH_SECONDS + PIXEL_SECONDS * icons * pixels, size)


def _manifest(of: Quantities, chunk: Chunk) -> Cost:
    del chunk
    tiles = of.plan.totals["render"]
    size = MANIFEST_BYTES + MANIFEST_TILE_BYTES * tiles + 16 * of.classes
    return Cost(PUBLISH_SECONDS + PUBLISH_TILE_SECONDS * tiles, size)


WORKS: Works = {
    "preview": _preview, "render": _render, "beside": _beside, "pictures": _pictures, "icons": _sheet,
    "level": _level, "manifest": _manifest,
}  # fmt: skip
