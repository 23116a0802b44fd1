"""Of what the network makes of it: a class, two classes, what is least to be trusted, what an audit found."""

from __future__ import annotations

from typing import Any

import numpy as np

from atlas_client.connection import Document
from atlas_client.story.figures import Picture, heated, part, picture_of, values_of
from atlas_client.story.mapped import EXEMPLAR, OVERVIEW, filled, icon_of
from atlas_client.story.reading import MissingError, Reader

Told = dict[str, Any]
SHOWN_CELLS, SHOWN_DOUBTS, SHOWN_FINDINGS, SHOWN_PICTURES = 4, 6, 4, 6
SMALL_ICON = 96
EVIDENCE = 620


def tell_class(reader: Reader) -> Told:
    """The class that most cells speak for, over the whole map."""
    layer = reader.deepest
    side = reader.side(layer, OVERVIEW)
    leading, first, speaking = reader.leading_class(layer, side)
    heat = reader.heat(layer, side, leading["index"])
    alt = f"The map of {layer}; icons are the more present the more their cell adds to {leading['name']}."
    return {
        "name": leading["name"], "layer": layer, "side": side, "first": first, "speaking": speaking,
        "least": heat["least"], "greatest": heat["greatest"], "scale": heat["scale"], "enough": heat["enough"],
        "picture": _heated(reader, heat, alt),
        "strongest": _strongest(reader, heat, 1), "against": _strongest(reader, heat, -1),
    }  # fmt: skip


def _heated(reader: Reader, heat: Document, alt: str) -> Picture:
    """A heat map over the cells that its level fills."""
    (left, top, right, bottom), _ = filled(reader, heat["layer"], heat["side"])
    level = part(reader.atlas, heat["layer"], heat["side"], (left, top, right, bottom))
    return picture_of(heated(level, values_of(heat)[top:bottom, left:right]), alt)


def tell_pair(reader: Reader) -> Told:
    """The two classes that the model takes for each other most surely, as the difference of what cells add to them."""
    layer = reader.deepest
    pair = reader.confusions()[0]
    side = reader.side(layer, OVERVIEW)
    first, second = (reader.heat(layer, side, one["index"]) for one in pair["classes"])
    difference = np.array(second["value"], np.float64) - np.array(first["value"], np.float64)
    many = (np.array(first["count"]) >= first["enough"]) & np.isfinite(difference)
    scale = float(np.abs(difference[many]).max()) if many.any() else 0.0
    heat = first | {"value": difference.tolist(), "scale": scale}
    names = [one["name"] for one in pair["classes"]]
    alt = f"The map of {layer}; cells that add more to {names[0]} are blue, those that add more to {names[1]} orange."
    return {
        "names": names, "pair": pair, "layer": layer, "side": side, "scale": scale,
        "picture": _heated(reader, heat, alt),
        "first": _strongest(reader, heat, -1), "second": _strongest(reader, heat, 1),
    }  # fmt: skip


def _strongest(reader: Reader, heat: Document, sign: int) -> list[Told]:
    """The cells of the largest values of a sign, with enough samples, largest first."""
    value, count = sign * np.array(heat["value"], np.float64), np.array(heat["count"])
    known = np.flatnonzero((value > 0) & (count >= heat["enough"]))
    order = known[np.argsort(-value[known], kind="stable")][:SHOWN_CELLS]
    return [
        {"column": heat["column"][n], "row": heat["row"][n], "value": heat["value"][n], "count": heat["count"][n],
         "icon": _small(reader, heat["layer"], heat["side"], heat["column"][n], heat["row"][n])}
        for n in order.tolist()
    ]  # fmt: skip


def _small(reader: Reader, layer: str, side: int, column: int, row: int) -> Picture:
    cell = next(one for one in reader.cells(layer, side) if (one["column"], one["row"]) == (column, row))
    return icon_of(reader, layer, side, cell, SMALL_ICON)


def tell_doubts(reader: Reader) -> Told:
    """Icons that say least of what they stand for, and cells in which the model is wrong."""
    layer = reader.deepest
    side = reader.side(layer, OVERVIEW)
    drawn = [cell for cell in reader.cells(layer, side) if (cell.get("icon") or {}).get("whitened_cosine") is not None]
    least = sorted(drawn, key=lambda cell: float(cell["icon"]["whitened_cosine"]))[:SHOWN_DOUBTS]
    level = next(one for one in reader.manifest["layers"][layer]["levels"] if one["side"] == side)
    return {
        "layer": layer, "side": side, "cells": len(drawn), "icons": level["icons"],
        "marked": sum(bool(cell["icon"]["marks"]) for cell in drawn),
        "few": sum(bool(cell.get("few_images")) for cell in reader.cells(layer, side)),
        "least": [_doubtful(reader, layer, side, cell) for cell in least],
        **_errors(reader, layer, reader.side(layer, OVERVIEW // 2)),
    }  # fmt: skip


def _doubtful(reader: Reader, layer: str, side: int, cell: Document) -> Told:
    patches = reader.exemplars(layer, side, cell, 2)
    return {
        "cell": cell, "icon": icon_of(reader, layer, side, cell, EXEMPLAR),
        "patches": [picture_of(each, "A real patch that fell into this cell.", EXEMPLAR) for each in patches],
        "marks": [mark.replace("_", " ") for mark in cell["icon"]["marks"]],
    }  # fmt: skip


def _errors(reader: Reader, layer: str, side: int) -> Told:
    """The cells in which the model is most surely wrong; why nobody can tell, where that is so."""
    try:
        heat = reader.heat(layer, side, measure="error")
    except MissingError as error:
        return {"wrong": [], "why_not_wrong": str(error), "error_side": side}
    low = np.array([-1 if one is None else one for one in heat["low"]], np.float64)
    order = np.argsort(-low, kind="stable")[:SHOWN_CELLS]
    wrong = [
        {"column": heat["column"][n], "row": heat["row"][n], "value": heat["value"][n], "low": heat["low"][n],
         "high": heat["high"][n], "images": heat["images"][n],
         "icon": _small(reader, layer, side, heat["column"][n], heat["row"][n])}
        for n in order.tolist() if heat["value"][n]
    ]  # fmt: skip
    return {"wrong": wrong, "why_not_wrong": None, "error_side": side}


def tell_audit(reader: Reader) -> Told:
    """What an audit found, in its own words, with the pictures that it rests on."""
    document, told = reader.told_audit()
    findings = [
        {**finding, "shown": _evidence(reader, finding), "numbers": finding["numbers"]["items"][:4]}
        for finding in told["findings"][:SHOWN_FINDINGS]
    ]
    return {**told, "verdict": document["verdict"], "id": document["id"], "accuracy": document["accuracy"],
            "base": document["base"], "findings": findings, "more": len(told["findings"]) - len(findings)}  # fmt: skip


def _evidence(reader: Reader, finding: Document) -> list[Told]:
    """The first pictures of a finding, each with its caption; pictures that privacy does not keep are left out."""
    shown: list[Told] = []
    for group in finding["pictures"]:
        alone = group["items"] + [one for pair in group["pairs"] for one in pair]
        for one in alone:
            if one["name"] is not None and len(shown) < SHOWN_PICTURES:
                image = reader.evidence(one["name"])
                shown.append({"caption": one["caption"], "role": one["role"],
                              "wide": image.width > 1.8 * image.height,
                              "picture": picture_of(image, one["caption"], EVIDENCE)})  # fmt: skip
    return shown
