"""What a level's icons are compared with: their starts alone, and the nearest real patch of each cell."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.build import BESIDE_CELLS
from atlas_core.errors import ImageError
from atlas_core.marks import summary
from atlas_core.models.preprocessing import read_pixels
from atlas_core.sampling import centres
from atlas_core.stages.served import Served
from atlas_core.stages.step import Output, Step, marked
from atlas_core.thumbnails import cut_thumbnails

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_START = "icons of the recipe `pure` start from no picture"
NO_PATCH = "none of the images could be read"
ROWS = {"start_alone": NO_START, "nearest_real_patch": NO_PATCH}
"""The pictures that icons are measured beside, and why a row of them can be missing."""
STRICT = "privacy `strict` keeps no picture of the dataset"


def compare(step: Step) -> Output:
    """Measure starts and real patches in the place of some icons of a level, after the same tile codec."""
    served = Served(step, step.parameters["side"], step.parameters["recipe"])
    chosen = choose(len(served.cells["mean"]))
    starts = served.starts(chosen)
    found = {"start_alone": None if starts is None else served.measured(served.as_served(starts), chosen)}
    read, patches = _patches(step, served.canvas, chosen)
    found["nearest_real_patch"] = served.measured(served.as_served(patches), read) if len(read) else None
    blobs = {name: tables.pack(table) for name, table in found.items() if table is not None}
    return Output(blobs, marked(served.batches.halved))


def choose(cells: int) -> NDArray[np.intp]:
    """At most 64 of a level's cells, evenly over its order, so that they lie all over the map."""
    return np.unique(np.linspace(0, cells - 1, min(cells, BESIDE_CELLS)).round().astype(np.intp))


def _patches(step: Step, canvas: int, chosen: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """The windows around the nearest exemplars, as large as the canvas, and whose they are; unreadable ones left out.

    Returns:
        Cells, shape (m,), and pictures, shape (m, canvas, canvas, channels); reflected at borders as thumbnails are.
    """
    (record,) = step.inputs("cells")
    cells = json.loads(step.runtime.store.get_blob(record["blobs"][f"cells-{step.parameters['side']}"]))
    card, dataset = step.plan.model.card.input, step.runtime.dataset(step.plan)
    read, patches = [], []
    for done, cell in enumerate(chosen.tolist()):
        nearest = cells[cell]["exemplars"][0]
        try:
            pixels = read_pixels(dataset.read(nearest["image"]), card)
        except ImageError:
            continue
        middle = centres(np.array([nearest["row"]]), np.array([nearest["column"]]), step.layer, card)
        read.append(cell)
        patches.append(cut_thumbnails(pixels, middle, canvas, canvas)[0])
        step.on_progress(done + 1, len(chosen))
    shape = (0, canvas, canvas, card.channels)
    return np.array(read, dtype=np.intp), np.stack(patches) if patches else np.empty(shape, np.uint8)


def beside(step: Step, icons: tables.Table, cells: int) -> dict[str, Any]:
    """What a level's entry says of the comparison, from the records among the inputs of its publishing.

    Args:
        step: It publishes the level.
        icons: Measures of all icons of the level.
        cells: Cells of the level.

    Returns:
        `cells`, on how many it was measured; by row its numbers as in `marks.summary`, and in `icons` those of the
        icons of the same cells; a row that was not measured is null, and `reasons` says why.
    """
    if step.plan.spec.strict:
        return {**dict.fromkeys(ROWS), "reasons": dict.fromkeys(ROWS, STRICT)}
    (record,) = step.inputs("render", step="beside")
    found = {name: step.table(record, name) for name in ROWS if name in record["blobs"]}
    rows = {name: summary(found[name], cells) if name in found else None for name in ROWS}
    chosen = choose(cells)
    same = np.isin(icons["cell"], chosen)
    return {
        "cells": len(chosen),
        "icons": summary({name: values[same] for name, values in icons.items()}, cells),
        **rows,
        "reasons": {name: reason for name, reason in ROWS.items() if name not in found},
    }
