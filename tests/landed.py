"""An answer to a projection, made by hand: three positions, a sure one, an ambiguous one and a far one."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

LAYER = "features.5"
SIDES = (4, 12)


def position(row: int, column: int, x: float, y: float, **told: Any) -> dict[str, Any]:
    """A position at a place of the map, y upwards."""
    cells = {str(side): {"column": int(x * side), "row": side - 1 - int(y * side)} for side in SIDES}
    usual = {"spread": 0.02, "ambiguous": False, "distance": 0.2, "percentile": 40.0}
    return {"row": row, "column": column, "x": x, "y": y, "cells": cells, **usual, **told}


def answer() -> dict[str, Any]:
    """Two positions in the top left corner and one in the bottom right."""
    positions = [
        position(0, 0, 0.1, 0.9),
        position(0, 1, 0.12, 0.88, ambiguous=True, spread=0.3),
        position(1, 0, 0.9, 0.1, percentile=99.5, distance=0.9),
    ]
    return {
        "atlas": "c0ffee",
        "classes": [{"index": 0, "name": "heron", "logit": 2.0, "probability": 0.75},
                    {"index": 1, "name": "tractor", "logit": 1.0, "probability": 0.25}],
        "layers": {LAYER: {"grid": [2, 2], "positions": positions, "typical_share": 0.6667},
                   "stage/2": {"grid": [2, 2], "positions": [], "typical_share": 1.0}},
    }  # fmt: skip


def image() -> bytes:
    """A plain green picture, twice as wide as high."""
    data = io.BytesIO()
    Image.new("RGB", (80, 40), (0, 160, 0)).save(data, "PNG")
    return data.getvalue()
