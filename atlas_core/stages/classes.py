"""What the cells of a layer add to classes, told once its samples are attributed; icons do not wait for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.class_index import IndexBuilder
from atlas_core.class_names import told_class
from atlas_core.classes import CellClasses, classes_of_cells
from atlas_core.keys import canonical_json
from atlas_core.stages.step import Column, Output, Step, significant

if TYPE_CHECKING:
    from collections.abc import Sequence


def tell_classes(step: Step) -> Output:
    """Average attributions in the cells of every level, and complete the cells by the classes that they speak for."""
    (cells_record,), (layout,) = step.inputs("cells"), step.layouts()
    attributed = [record for record in step.inputs("attribute") if record["blobs"]]
    attributions = Column(lambda: (step.table(record, "attributions") for record in attributed), "attributions")
    sides = step.parameters["levels"]
    index = IndexBuilder(step.parameters["strongest"])
    made = classes_of_cells(
        index.passing(attributions) if attributed else None, layout["layout"], layout["image"], sides, step.on_progress
    )
    info: dict[str, Any] = {"attribution_method": attributed[0]["info"]["method"] if attributed else "none"}
    halved = [record["info"]["halved"] for record in attributed if "halved" in record["info"]]
    if halved:
        info["attribute_halved"] = min(halved)
    blobs = {"index": tables.pack(index.index().to_tables())} if attributed else {}
    for side, found in zip(sides, made, strict=True):
        cells = json.loads(step.runtime.store.get_blob(cells_record["blobs"][f"cells-{side}"]))
        for cell, classes in zip(cells, _classes_json(found, step.plan.model.class_names), strict=True):
            cell["classes"] = classes
        blobs[f"cells-{side}"] = canonical_json(cells)
        blobs[f"attribution-{side}"] = tables.pack({"attribution": found.attribution.astype(np.float16)})
    return Output(blobs, info)


def _classes_json(found: CellClasses, names: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The classes of each cell as they are told, strongest first."""
    return [
        [
            {
                **told_class(index, names),
                "attribution": significant(found.top_attribution[cell, place]),
                "share": round(float(found.top_share[cell, place]), 4),
                "images": int(found.top_images[cell, place]),
            }
            for place, index in enumerate(classes)
        ]
        for cell, classes in enumerate(found.top_class)
    ]
