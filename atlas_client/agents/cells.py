"""Cells of a map in few words, and as pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from atlas_client.connection import Document

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas

ICON, PATCH, GAP = 240, 116, 8  # pixels: an icon is as high as two patches and the gap between
GROUND = (255, 255, 255)
MOST_PATCHES = 8


def keeps_pictures(atlas: Atlas) -> bool:
    """Whether an atlas keeps pieces of its dataset's pictures."""
    return bool(atlas.manifest["spec"]["privacy"] != "strict")


def level_of(atlas: Atlas, layer: str, side: int) -> Document:
    """What stands beside a level's picture."""
    columns = atlas.cells(layer, side)
    places = zip(columns["column"], columns["row"], columns["marks"], strict=True)
    marked = [f"{column}-{row} {', '.join(marks)}" for column, row, marks in places if marks]
    return {"layer": layer, "side": side, "cells": len(columns["column"]), "samples": int(columns["count"].sum()),
            "icons": atlas.said_of_icons, "marked": marked}  # fmt: skip


def cell_of(atlas: Atlas, layer: str, side: int, cell: Document) -> Document:
    """A cell without its links."""
    told = {name: value for name, value in cell.items() if name != "links"}
    return {"layer": layer, "side": side, **told, "icons": atlas.said_of_icons}


def value_of(heat: Document, cell: int, said: str) -> str:
    """One cell of a heat map, for people."""
    return f"cell {heat['column'][cell]}-{heat['row'][cell]}: {said} ({heat['count'][cell]} samples)"


def sample_of(sample: Document) -> Document:
    """A sample with its classes by name."""
    names = {name: (sample[name] or {}).get("name") for name in ("label", "predicted")}
    kept = ("sample", "image", "row", "column", "x", "y", "right", "distance")
    return {name: sample[name] for name in kept if sample.get(name) is not None} | names


def opened_picture(data: bytes) -> Image.Image:
    """The picture of some bytes, RGB."""
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB")


def beside(atlas: Atlas, layer: str, side: int, cell: Document, patches: Sequence[bytes]) -> Image.Image:
    """A cell's icon, where it has one, with real patches beside it in two rows."""
    icons = [] if atlas.icon_size(layer, side) is None else [atlas.icon(layer, side, cell["column"], cell["row"])]
    across = -(-min(len(patches), MOST_PATCHES) // 2)
    left = (ICON + GAP) * len(icons)
    sheet = Image.new("RGB", (max(left + across * (PATCH + GAP), PATCH), ICON), GROUND)
    for icon in icons:
        sheet.paste(icon.resize((ICON, ICON), Image.Resampling.BICUBIC), (0, 0))
    for number, data in enumerate(patches[:MOST_PATCHES]):
        row, column = divmod(number, across)
        patch = opened_picture(data).resize((PATCH, PATCH), Image.Resampling.BICUBIC)
        sheet.paste(patch, (left + column * (PATCH + GAP), row * (PATCH + GAP)))
    return sheet
