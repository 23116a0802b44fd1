"""A hand-made atlas with one cell in each corner of every level: what is up must be found up, everywhere."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from atlas_core.pyramid import compose_poster

LAYERS = ("features.5", "stage/2")
SIDES = (4, 12)
ICON = 16
MARKED = 20
"""Count of the cell at the top right, the only one whose icon is marked."""
CLASSES = ("heron", "tractor", "teapot")
COLOURS = {"top left": (200, 40, 40), "top right": (40, 160, 40), "bottom left": (40, 60, 200),
           "bottom right": (210, 180, 30)}  # fmt: skip


def corner_cells(side: int) -> dict[str, tuple[int, int]]:
    """Column and row of the cell in each corner; row 0 is the top row."""
    last = side - 1
    return {"top left": (0, 0), "top right": (last, 0), "bottom left": (0, last), "bottom right": (last, last)}


def cell(column: int, row: int, count: int) -> dict[str, Any]:
    """One cell, as in cells.json."""
    return {
        "column": column, "row": row, "count": count, "images": count // 2, "coherence": 0.75, "pair_cosine": 0.55,
        "classes": [
            {"index": 2, "name": "teapot", "attribution": 3.5, "share": 0.5, "images": 4},
            {"index": 0, "name": "heron", "attribution": -1.25, "share": 0.25, "images": 2},
        ],
        "exemplars": [{"image": f"teapot/{column}-{row}.png", "row": 3, "column": 4}],
        "icon": {"whitened_cosine": 0.5, "robust": 0.52, "retrieval_rank": 0, "contrast": 0.2, "high_frequency": 0.05,
                 "start_correlation": 0.4, "exemplar_correlation": 0.3, "marks": ["grain"] if count == MARKED else []},
    }  # fmt: skip


def level_tiles(side: int) -> dict[tuple[int, int], bytes]:
    """WebP of each tile of a level that has a cell."""
    canvas = Image.new("RGBA", (side * ICON, side * ICON), (128, 128, 128, 0))
    for corner, (column, row) in corner_cells(side).items():
        canvas.paste((*COLOURS[corner], 255), (column * ICON, row * ICON, (column + 1) * ICON, (row + 1) * ICON))
    tiles = {}
    for x in range(-(-side // 10)):
        for y in range(-(-side // 10)):
            box = (x * 10 * ICON, y * 10 * ICON, min(x * 10 + 10, side) * ICON, min(y * 10 + 10, side) * ICON)
            data = io.BytesIO()
            canvas.crop(box).save(data, "WEBP", quality=90, method=4, exact=True)
            tiles[x, y] = data.getvalue()
    return tiles


def level_poster(side: int) -> bytes:
    """The poster of a level."""
    return compose_poster(level_tiles(side), side, ICON, [corner_cells(side)["top right"]], "seeded from data")


def level_cells(side: int) -> list[dict[str, Any]]:
    """The cells of a level; the counts 10, 20, 30, 40 tell the corners apart."""
    return [cell(*place, count=10 * (index + 1)) for index, place in enumerate(corner_cells(side).values())]


def manifest() -> dict[str, Any]:
    """The manifest."""
    levels = [
        {"side": side, "icon_size": ICON, "cells": 4, "shown": 1.0,
         "icons": {"whitened_cosine": 0.5, "robust": 0.52, "contrast": 0.2, "retrieval_top1": 1.0,
                   "low_contrast_share": 0.0, "low_fidelity_share": 0.0, "copy_share": 0.0, "grain_share": 0.25}}
        for side in SIDES
    ]  # fmt: skip
    layout = {"trustworthiness": 0.9, "continuity": 0.9, "clamped": 0, "same_image_share": 0.01}
    return {
        "schema_version": 1, "id": "c0ffee", "digest": "d" * 64, "seed": 7, "seeded_from_data": True,
        "spec": {"model": "m1", "dataset": "d1", "layers": list(LAYERS), "samples": 100, "levels": list(SIDES),
                 "seed": 7, "recipe": "vivid"},
        "model": {"id": "m1", "digest": "a" * 64, "classes": list(CLASSES),
                  "input": {"channels": 3, "width": 32, "height": 32, "resize": None, "crop": None}},
        "dataset": {"id": "d1", "digest": "b" * 64, "images": 50, "classes": list(CLASSES)},
        "layers": {name: {"samples": 100, "images": 50, "layout": layout, "levels": levels} for name in LAYERS},
        "artifacts": _artifacts(), "names": {"model": "corner-net", "dataset": "corner-world"}, "versions": {},
    }  # fmt: skip


def _artifacts() -> dict[str, dict[str, str]]:
    """The tiles, by their paths, with their digests."""
    return {
        f"{quote(layer, safe='')}/{side}/tiles/{x}-{y}.webp": {"sha256": hashlib.sha256(data).hexdigest()}
        for layer in LAYERS
        for side in SIDES
        for (x, y), data in level_tiles(side).items()
    }


def write_corners(folder: Path) -> Path:
    """Write the atlas as `atlas build` would."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(manifest()))
    for layer in LAYERS:
        for side in SIDES:
            level = folder / quote(layer, safe="") / str(side)
            (level / "tiles").mkdir(parents=True)
            (level / "cells.json").write_text(json.dumps(level_cells(side)))
            (level / "poster.png").write_bytes(level_poster(side))
            for (x, y), data in level_tiles(side).items():
                (level / "tiles" / f"{x}-{y}.webp").write_bytes(data)
    return folder
