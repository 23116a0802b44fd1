"""From directions to icons: render a tile, then publish levels and the manifest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.build import TILE_SIDE
from atlas_core.featurevis.recipes import canvas_size, recipe_named
from atlas_core.fidelity import low_contrast, measure
from atlas_core.keys import canonical_json
from atlas_core.manifest import artifact, assemble, level_folder
from atlas_core.pyramid import (
    compose_counts,
    compose_poster,
    compose_tile,
    cut_icons,
    decode_tile,
    displayed,
    tile_shape,
    undisplayed,
)
from atlas_core.stages.step import Output, Step, gather, marked
from atlas_core.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.featurevis.render import Renderer
    from atlas_core.memory import Batches

METRICS = ("whitened_cosine", "robust", "retrieval_rank", "contrast", "high_frequency", "low_contrast")


def icon_key(layer: str, side: int, column: int, row: int, recipe: str, version: int) -> int:
    """The number from which all randomness of an icon comes."""
    name = f"{layer}/{side}/{column}-{row}/{recipe}/{version}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class _Drawn:
    """The icons of a tile, and what they were made from."""

    within: NDArray[np.int64]  # their cells, (m,)
    cells: tables.Table  # of the level
    places: NDArray[np.int32]  # column and row of each within the tile, (m, 2)
    icons: NDArray[np.uint8]  # (m, canvas, canvas, channels)
    tile: bytes
    renderer: Renderer
    batches: Batches

    def info(self, canvas: int) -> dict[str, Any]:
        return {"icons": len(self.within), "size": canvas, **marked(self.batches.size if self.batches.halved else None)}


def preview_tile(step: Step) -> Output:
    """Render the icons of a tile to be seen until its own are there; nobody reads what they would measure."""
    canvas = _canvas(step)
    drawn = _draw(step, canvas)
    if drawn is None:
        return Output({}, {"icons": 0, "size": canvas})
    return Output({"tile": drawn.tile}, drawn.info(canvas))


def render_tile(step: Step) -> Output:
    """Render the icons of a tile and measure them on the tile as served."""
    canvas, card = _canvas(step), step.plan.model.card.input
    drawn = _draw(step, canvas)
    if drawn is None:
        return Output({}, {"icons": 0, "size": canvas})
    (record,) = step.inputs("cells")
    within, mean = drawn.within, drawn.cells["mean"]
    served = cut_icons(decode_tile(drawn.tile), drawn.places, canvas)
    measured = measure(
        drawn.renderer.trunk, undisplayed(served, drawn.icons, card.visible), mean[within], mean, within,
        Whitening.from_tables(step.table(record, "whitening")), canvas, input=card, layer=step.layer,
        device=drawn.renderer.device, batches=drawn.batches,
    )  # fmt: skip
    measured["low_contrast"] = low_contrast(measured["contrast"], drawn.cells["exemplar_contrast"][within])
    return Output({"tile": drawn.tile, "metrics": tables.pack({"cell": within, **measured})}, drawn.info(canvas))


def _canvas(step: Step) -> int:
    return canvas_size(recipe_named(step.parameters["recipe"]), step.layer, step.plan.model.card.input)


def _draw(step: Step, canvas: int) -> _Drawn | None:
    """Render and compose a tile in the chunk's recipe; None where it has no cell."""
    parameters, layer, card = step.parameters, step.layer, step.plan.model.card
    side, x, y = parameters["side"], parameters["x"], parameters["y"]
    recipe = recipe_named(parameters["recipe"])
    (record,) = step.inputs("cells")
    cells = step.table(record, f"level-{side}")
    within = np.flatnonzero((cells["column"] // TILE_SIDE == x) & (cells["row"] // TILE_SIDE == y))
    if len(within) == 0:
        return None
    renderer = step.runtime.renderer(card, layer, recipe, canvas, record["blobs"]["whitening"])
    places = np.stack([cells["column"][within] % TILE_SIDE, cells["row"][within] % TILE_SIDE], axis=1)
    keys = [
        icon_key(layer.name, side, int(cells["column"][cell]), int(cells["row"][cell]), recipe.name, recipe.version)
        for cell in within
    ]
    batches = renderer.batches()
    seeds = cells["seed"][within].astype(np.float32) if recipe.seeded else None
    icons = renderer(cells["mean"][within], seeds, keys, step.on_progress, batches)
    tile = compose_tile(displayed(icons, card.input.visible), places, *tile_shape(side, x, y))
    return _Drawn(within, cells, places, icons, tile, renderer, batches)


def publish_level(step: Step) -> Output:
    """Put a level's tiles, cells and qualities together; without icons the poster shows how many samples there are."""
    side = step.parameters["side"]
    (cells_record,) = step.inputs("cells")
    tiles = [(step.plan.by_key[key].parameters, step.runtime.record(step.plan, key)) for key in step.chunk.inputs[1:]]
    filled = {(place["x"], place["y"]): record for place, record in tiles if record["info"]["icons"]}
    cells = json.loads(step.runtime.store.get_blob(cells_record["blobs"][f"cells-{side}"]))
    if not step.plan.spec.rendered:
        entry = {"side": side, "icon_size": None, **cells_record["info"]["levels"][str(side)], "icons": None}
        return Output({"cells": canonical_json(cells), "poster": compose_counts(cells, side)}, entry)
    size = tiles[0][1]["info"]["size"]
    poster = compose_poster(
        {place: step.runtime.store.get_blob(record["blobs"]["tile"]) for place, record in filled.items()}, side, size
    )
    measured = gather([step.table(record, "metrics") for record in filled.values()], ("cell", *METRICS))
    for place, cell in enumerate(measured["cell"]):
        cells[cell]["icon"] = {name: _value(measured[name][place]) for name in METRICS}
    entry = {
        "side": side,
        "icon_size": size,
        **cells_record["info"]["levels"][str(side)],
        "icons": {
            **{name: _value(np.mean(measured[name])) for name in ("whitened_cosine", "robust", "contrast")},
            "high_frequency": _value(np.mean(measured["high_frequency"])),
            "retrieval_top1": _value(np.mean(measured["retrieval_rank"] == 0)),
            "low_contrast_share": _value(np.mean(measured["low_contrast"])),
        },
    }
    return Output({"cells": canonical_json(cells), "poster": poster}, entry)


def _value(value: Any) -> float | int | bool:
    if isinstance(value, np.bool_):
        return bool(value)
    return int(value) if isinstance(value, np.integer) else round(float(value), 4)


def publish_manifest(step: Step) -> Output:
    """Name everything that was made."""
    plan, store = step.plan, step.runtime.store
    artifacts: dict[str, Any] = {}
    layers: dict[str, Any] = {}
    for name in plan.spec.layers:
        cells = step.runtime.record(plan, plan.find("cells", layer=name)[0].key)["info"]
        layout = step.runtime.record(plan, plan.layout_of(name).key)["info"]
        index = step.runtime.record(plan, plan.find("publish", layer=name, step="index")[0].key)
        layers[name] = {
            "shape": list(plan.model.layer(name).shape),
            "samples": cells["samples"],
            "images": cells["images"],
            "attribution_method": cells["attribution_method"],
            "condition_number": cells["condition"],
            "index": index["blobs"]["index"],
            "layout": layout,
            "levels": [],
        }
        for chunk in plan.find("layout", layer=name, step="twins"):
            layers[name]["twins"] = step.runtime.record(plan, chunk.key)["info"]
        for side in plan.spec.levels or ():
            record = step.runtime.record(plan, plan.find("publish", layer=name, step="level", side=side)[0].key)
            layers[name]["levels"].append(record["info"])
            folder = level_folder(name, side)
            artifacts[f"{folder}/cells.json"] = artifact(store.get_blob(record["blobs"]["cells"]))
            artifacts[f"{folder}/poster.png"] = artifact(store.get_blob(record["blobs"]["poster"]))
            for chunk in plan.find("render", layer=name, side=side):
                tile = step.runtime.record(plan, chunk.key)
                if tile["info"]["icons"]:
                    path = f"{folder}/tiles/{chunk.parameters['x']}-{chunk.parameters['y']}.webp"
                    artifacts[path] = artifact(store.get_blob(tile["blobs"]["tile"]))
    skipped = step.unlisted()
    for chunk in plan.find("collect"):
        skipped += step.runtime.record(plan, chunk.key)["info"]["skipped"]
    labels = plan.model.card.labels
    classes = labels if isinstance(labels, list) else None
    manifest = assemble(plan, layers, artifacts, classes, skipped, _halved(step))
    return Output({"manifest": canonical_json(manifest)}, {"digest": manifest["digest"]})


def _halved(step: Step) -> list[dict[str, Any]]:
    """By stage and layer, the smallest batch that memory did for where it did not for the usual one."""
    smallest: dict[tuple[str, str], int] = {}
    for stage, field, told_as in (("collect", "halved", "collect"), ("cells", "attribute_halved", "attribute"),
                                  ("render", "halved", "render")):  # fmt: skip
        for chunk in step.plan.find(stage):
            size = step.runtime.record(step.plan, chunk.key)["info"].get(field)
            if size is not None:
                place = told_as, chunk.parameters.get("layer", "")
                smallest[place] = min(size, smallest.get(place, size))
    return [{"stage": stage, **({"layer": layer} if layer else {}), "batch": size}
            for (stage, layer), size in sorted(smallest.items())]  # fmt: skip
