"""Of the map: what a cell is, how the atlas was made, its regions, its layers, its saved places."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from atlas_client.connection import Document
from atlas_client.story.figures import Box, Picture, heated, labelled, part, picture_of, values_of
from atlas_client.story.reading import MissingError, Reader

Told = dict[str, Any]
OVERVIEW, CLOSE = 40, 14
"""Cells a side of a whole map, and of a close-up, at most."""
SHOWN_EXEMPLARS, SHOWN_REGIONS, SHOWN_STOPS = 4, 6, 12
ICON, EXEMPLAR, SMALL_MAP = 192, 128, 620
WHOLE = 0.8
"""Part of the map's width from which all of it is shown."""
AROUND = 1.3
"""Width of a close-up over that of its region."""


def tell_cover(reader: Reader) -> Told:
    """The whole map of the deepest layer, with the names of its wide regions."""
    layer = reader.deepest
    side = reader.side(layer, OVERVIEW)
    box, shown = filled(reader, layer, side)
    try:
        names = labelled(reader.names(layer)[:2], shown)
        without = None
    except MissingError as error:
        names, without = [], str(error)
    alt = f"The map of {layer}: {len(reader.cells(layer, side))} icons on a grid of {side} by {side} cells."
    return {"layer": layer, "side": side, "cells": len(reader.cells(layer, side)), "without_names": without,
            "picture": picture_of(part(reader.atlas, layer, side, box), alt, labels=names)}  # fmt: skip


def tell_cell(reader: Reader) -> Told:
    """One well filled cell whose icon is true: real patches, icon and classes."""
    layer = reader.deepest
    side = reader.atlas.levels(layer)[0]
    cells = sorted(reader.cells(layer, side), key=lambda cell: -int(cell["count"]))
    cell = max(cells[: -(-len(cells) // 2)], key=_worth)  # of the fuller half
    patches = reader.exemplars(layer, side, cell, SHOWN_EXEMPLARS)
    return {
        "layer": layer, "side": side, "cell": cell, "channels": _channels(reader.manifest["layers"][layer]),
        "icon": icon_of(reader, layer, side, cell),
        "patches": [picture_of(each, "A real patch that fell into this cell.", EXEMPLAR) for each in patches],
        "bars": _bars(cell), "why_no_patches": None if patches else _why_no_patches(reader),
    }  # fmt: skip


def _worth(cell: Document) -> float:
    """How much an icon shows of its cell, and the cell says of a class."""
    classes = cell.get("classes") or [{"attribution": 1}]
    return float(max(0.01, (cell.get("icon") or {}).get("whitened_cosine") or 0) * max(0, classes[0]["attribution"]))


def _channels(layer: Document) -> int | None:
    return int(layer["shape"][0]) if "shape" in layer else None


def _why_no_patches(reader: Reader) -> str:
    if reader.manifest["spec"].get("privacy") == "strict":
        return "This atlas was made with strict privacy and keeps no real patches."
    return "Real patches come from the service that made the atlas; this story was told from a folder."


def _bars(cell: Document) -> list[Told]:
    classes = cell.get("classes") or []
    most = max((abs(one["attribution"]) for one in classes), default=1) or 1
    return [{"name": one["name"], "value": one["attribution"], "share": round(100 * abs(one["attribution"]) / most),
             "most": most} for one in classes]  # fmt: skip


def icon_of(reader: Reader, layer: str, side: int, cell: Document, size: int = ICON) -> Picture:
    """The icon of a cell; without icons how full it is."""
    column, row = cell["column"], cell["row"]
    top = (cell.get("classes") or [{"name": "no class"}])[0]["name"]
    alt = f"Icon of the cell in column {column}, row {row} of {layer}: most for {top}."
    return picture_of(part(reader.atlas, layer, side, (column, row, column + 1, row + 1)), alt, size)


def tell_made(reader: Reader) -> Told:
    """How the atlas was made, from its manifest."""
    manifest = reader.manifest
    layers = [{"name": name, **_measures(manifest["layers"][name])} for name in reader.layers]
    versions = manifest.get("versions", {})
    model, dataset = manifest["model"], manifest["dataset"]
    return {
        "images": dataset["images"], "skipped": len(dataset.get("skipped", ())), "layers": layers,
        "levels": reader.atlas.levels(reader.deepest), "seeded": manifest["seeded_from_data"],
        "recipe": manifest["spec"]["recipe"], "seed": manifest["seed"], "digest": manifest["digest"],
        "id": manifest["id"], "input": model["input"], "architecture": model.get("architecture"),
        "classes": len(model["classes"] or ()),
        "versions": {name: versions[name] for name in ("activation-atlas", "torch", "python") if name in versions},
    }  # fmt: skip


def _measures(layer: Document) -> Told:
    layout = layer["layout"]
    return {
        "samples": layer["samples"], "images": layer["images"], "method": layer.get("attribution_method"),
        "channels": _channels(layer),
        "trustworthiness": layout.get("trustworthiness"), "continuity": layout.get("continuity"),
        "finest": layer["levels"][-1], "twins": layer.get("twins"),
    }  # fmt: skip


def tell_regions(reader: Reader) -> Told:
    """Close-ups of the regions that have names, wide ones first."""
    layer = reader.deepest
    found: list[Told] = []
    ranks = reader.names(layer)[:2]
    for rank in ranks:
        for one in rank["names"]:
            if len(found) < SHOWN_REGIONS and all(one["name"] != other["name"] for other in found):
                found.append(one | _close_up(reader, layer, one["x"], one["y"], AROUND * rank["width"], ranks))
    return {"layer": layer, "regions": found}


def _close_up(
    reader: Reader, layer: str, x: float, y: float, width: float, ranks: list[Document], label: int | None = None
) -> Told:
    """A square part of the map about a place, at the level that shows few cells; with a label under its heat map."""
    side = reader.side(layer, OVERVIEW if width > WHOLE else max(1, int(CLOSE / width)))
    box, shown = filled(reader, layer, side) if width > WHOLE else _box(x, y, width, side)
    alt = (
        f"The part of {layer} about ({x:.2f}, {y:.2f}), {box[2] - box[0]} by {box[3] - box[1]} cells of {side} a side."
    )
    level = part(reader.atlas, layer, side, box)
    if label is not None:
        left, top, right, bottom = box
        level = heated(level, values_of(reader.heat(layer, side, label))[top:bottom, left:right])
    picture = picture_of(level, alt, SMALL_MAP, labelled(ranks, shown))
    return {"side": side, "layer": layer, "picture": picture}


def filled(reader: Reader, layer: str, side: int) -> tuple[Box, tuple[float, float, float, float]]:
    """The cells that a level fills, and the part of the plane that they cover."""
    columns = [cell["column"] for cell in reader.cells(layer, side)] or [0, side - 1]
    rows = [cell["row"] for cell in reader.cells(layer, side)] or [0, side - 1]
    box = min(columns), min(rows), max(columns) + 1, max(rows) + 1
    return box, _plane(box, side)


def _plane(box: Box, side: int) -> tuple[float, float, float, float]:
    """From cells to x0, y0, x1, y1, y up."""
    return box[0] / side, 1 - box[3] / side, box[2] / side, 1 - box[1] / side


def _box(x: float, y: float, width: float, side: int) -> tuple[Box, tuple[float, float, float, float]]:
    """Whole cells about a place of the plane, and the part of the plane that they cover."""
    across = min(side, max(2, round(width * side)))
    left = min(side - across, max(0, round(x * side - across / 2)))
    top = min(side - across, max(0, round((1 - y) * side - across / 2)))
    box = left, top, left + across, top + across
    return box, _plane(box, side)


def tell_layers(reader: Reader) -> Told:
    """Every layer's whole map, from the first to the last."""
    if len(reader.layers) < 2:
        raise MissingError(f"this atlas has one layer, {reader.layers[0]}; ask for several to see them side by side")
    shown = []
    for name in reader.layers:
        side = reader.side(name, OVERVIEW // 2)
        try:
            names = labelled(reader.names(name)[:1])
        except MissingError:
            names = []
        alt = f"The map of {name} on a grid of {side} by {side} cells."
        shown.append({"name": name, "side": side, **_measures(reader.manifest["layers"][name]),
                      "picture": picture_of(part(reader.atlas, name, side), alt, SMALL_MAP, names)})  # fmt: skip
    return {"layers": shown}


def tell_tour(reader: Reader) -> Told:
    """Saved places with what somebody wrote beside them."""
    tour = reader.tour()
    stops = [_stop(reader, stop) for stop in tour["stops"][:SHOWN_STOPS]]
    return {"title": tour["title"], "stops": stops, "more": len(tour["stops"]) - len(stops)}


def _stop(reader: Reader, stop: Document) -> Told:
    """A saved place: the layer and the part of the map that its view looks at."""
    view = {name: values[0] for name, values in parse_qs(stop["view"]).items()}
    layer = view.get("layer", reader.deepest)
    layer = layer if layer in reader.layers else reader.deepest
    x, y, zoom = camera_of(view.get("at", ""))
    try:
        ranks = reader.names(layer)[:2]
    except MissingError:
        ranks = []
    of, _, label = view.get("heat", "").partition("-")
    heat = int(label) if of == "class" and label.isdecimal() else None
    try:
        shown = _close_up(reader, layer, x, y, 1 / zoom, ranks, heat)
    except MissingError:  # of a class that there is no heat map of
        shown = _close_up(reader, layer, x, y, 1 / zoom, ranks)
    return {"caption": stop["caption"], **shown}


def camera_of(text: str) -> tuple[float, float, float]:
    """Middle and zoom of a view; all of the map where it says nothing that can be read."""
    try:
        x, y, zoom = (float(number) for number in text.split(","))
    except ValueError:
        return 0.5, 0.5, 1.0
    return min(1.0, max(0.0, x)), min(1.0, max(0.0, y)), max(1.0, zoom)
