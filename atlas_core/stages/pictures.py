"""From directions to icons: render a tile, then publish levels and the manifest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.keys import canonical_json
from atlas_core.manifest import artifact, assemble, level_folder, said_of_icons
from atlas_core.mapping import TILE_SIDE
from atlas_core.marks import MEASURES, icon_entries, summary
from atlas_core.pyramid import compose_counts, compose_poster, tile_shape
from atlas_core.stages.beside import beside
from atlas_core.stages.served import Served
from atlas_core.stages.step import Output, Step, gather, marked

if TYPE_CHECKING:
    from numpy.typing import NDArray

SELECTED = "a selection tells of no image whether it is new; ask the atlas that it is of"
SAID = "preview"
"""In the bytes of every preview, which so are never a finished tile's: previews are deleted, and what is deleted must
not be what another atlas of the recipe `fast` has published.
"""


def render_tile(step: Step) -> Output:
    """Render the icons of a tile and measure them on the tile as served."""
    level, within, places, shape = _placed(step)
    if len(within) == 0:
        return Output({}, {"icons": 0, "size": level.canvas})
    tile, served = level.tile(level.icons(within), places, shape)
    table = level.measured(served, within)
    return Output({"tile": tile, "metrics": tables.pack(table)}, _told(level, within))


def preview_tile(step: Step) -> Output:
    """Render the icons of a tile to be seen until its own are there; nobody reads what they would measure."""
    level, within, places, shape = _placed(step)
    if len(within) == 0:
        return Output({}, {"icons": 0, "size": level.canvas})
    tile, _ = level.tile(level.icons(within), places, shape, said=SAID)
    return Output({"tile": tile}, _told(level, within))


def _placed(step: Step) -> tuple[Served, NDArray[np.intp], NDArray[np.int32], tuple[int, int]]:
    """A tile's level and cells, column and row of each within the tile, and the tile's columns and rows."""
    side, x, y = (step.parameters[name] for name in ("side", "x", "y"))
    level = Served(step, side, step.parameters["recipe"])
    columns, rows = level.cells["column"], level.cells["row"]
    within = np.flatnonzero((columns // TILE_SIDE == x) & (rows // TILE_SIDE == y))
    places = np.stack([columns[within] % TILE_SIDE, rows[within] % TILE_SIDE], axis=1)
    return level, within, places, tile_shape(side, x, y)


def _told(level: Served, within: NDArray[np.intp]) -> dict[str, Any]:
    return {"icons": len(within), "size": level.canvas, **marked(level.batches.halved)}


def publish_level(step: Step) -> Output:
    """Put a level's tiles, cells and qualities together; without icons the poster shows how many samples there are."""
    side, store = step.parameters["side"], step.runtime.store
    (made,), (told,) = step.inputs("cells", step=None), step.inputs("cells", step="classes")
    qualities = made["info"]["levels"][str(side)]
    cells = json.loads(store.get_blob(told["blobs"][f"cells-{side}"]))
    if not step.plan.spec.rendered:
        entry = {"side": side, "icon_size": None, **qualities, "icons": None}
        return Output({"cells": canonical_json(cells), "poster": compose_counts(cells, side)}, entry)
    tiles = {(place["x"], place["y"]): record for place, record in _tiles(step)}
    size = next(iter(tiles.values()))["info"]["size"]
    filled = {place: record for place, record in tiles.items() if record["info"]["icons"]}
    measured = gather([step.table(record, "metrics") for record in filled.values()],
                      ("cell", *MEASURES, "exemplar_contrast"))  # fmt: skip
    for cell, icon in zip(measured["cell"], icon_entries(measured), strict=True):
        cells[cell]["icon"] = icon
    poster = compose_poster(
        {place: store.get_blob(record["blobs"]["tile"]) for place, record in filled.items()}, side, size,
        [(cell["column"], cell["row"]) for cell in cells if cell["icon"]["marks"]], said_of_icons(step.plan.spec),
    )  # fmt: skip
    icons = summary(measured, len(cells))
    if side == min(step.plan.spec.levels or [side]):
        icons["beside"] = beside(step, measured, len(cells))
    entry = {"side": side, "icon_size": size, **qualities, "icons": icons}
    return Output({"cells": canonical_json(cells), "poster": poster}, entry)


def _tiles(step: Step) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Parameters and records of the tiles among the inputs."""
    chunks = [step.plan.by_key[key] for key in step.chunk.inputs]
    return [(chunk.parameters, step.runtime.record(step.plan, chunk.key)) for chunk in chunks if chunk.is_tile]


def publish_manifest(step: Step) -> Output:
    """Name everything that was made."""
    plan, store = step.plan, step.runtime.store
    artifacts: dict[str, Any] = {}
    layers: dict[str, Any] = {}
    for name in plan.spec.layers:
        cells = step.runtime.record(plan, plan.cells_of(name).key)["info"]
        classes_record = step.runtime.record(plan, plan.classes_of(name).key)
        layout = step.runtime.record(plan, plan.layout_of(name).key)["info"]
        index = step.runtime.record(plan, plan.find("publish", layer=name, step="index")[0].key)
        quality = step.runtime.record(plan, plan.quality_of(name).key)
        layers[name] = {
            "shape": list(plan.model.layer(name).shape),
            "samples": cells["samples"],
            "images": cells["images"],
            "attribution_method": classes_record["info"]["attribution_method"],
            "condition_number": cells["condition"],
            "index": index["blobs"]["index"],
            "class_index": classes_record["blobs"].get("index"),
            "layout": layout,
            "quality": quality["info"],
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
            if quality["blobs"]:
                table = store.get_blob(quality["blobs"][f"quality-{side}"])
                artifacts[f"{folder}/quality.safetensors"] = artifact(table)
            for chunk in plan.tiles(name, side):
                tile = step.runtime.record(plan, chunk.key)
                if tile["info"]["icons"]:
                    path = f"{folder}/tiles/{chunk.parameters['x']}-{chunk.parameters['y']}.webp"
                    artifacts[path] = artifact(store.get_blob(tile["blobs"]["tile"]))
    skipped = step.unlisted()
    for chunk in plan.find("collect"):
        skipped += step.runtime.record(plan, chunk.key)["info"]["skipped"]
    names = plan.model.class_names or None
    found = [{**record["info"], **record["blobs"]} for record in step.inputs("publish", step="novelty")]
    novelty = found[0] if found else {"reason": SELECTED}
    manifest = assemble(plan, layers, artifacts, names, skipped, _halved(step), novelty)
    return Output({"manifest": canonical_json(manifest)}, {"digest": manifest["digest"]})


def _halved(step: Step) -> list[dict[str, Any]]:
    """By stage and layer, the smallest batch that memory did for where it did not for the usual one."""
    smallest: dict[tuple[str, str], int] = {}
    find = step.plan.find
    for chunks, field, told_as in (
        (find("collect"), "halved", "collect"), (find("cells"), "attribute_halved", "attribute"),
        (find("render"), "halved", "render"), (find("publish", step="copies"), "halved", "copies"),
    ):  # fmt: skip
        for chunk in chunks:
            size = step.runtime.record(step.plan, chunk.key)["info"].get(field)
            if size is not None:
                place = told_as, chunk.parameters.get("layer", "")
                smallest[place] = min(size, smallest.get(place, size))
    return [{"stage": stage, **({"layer": layer} if layer else {}), "batch": size}
            for (stage, layer), size in sorted(smallest.items())]  # fmt: skip
