"""The samples of a layer, put in the order of the map for whoever looks for those of a part of it."""

from __future__ import annotations

import numpy as np

from atlas_core import tables
from atlas_core.search import NONE, SampleTable
from atlas_core.stages.step import Output, Step


def tabulate(step: Step) -> Output:
    """Where each sample lies and what is known of its image; pictures stay in the shards, which are numbered."""
    name = f"layer {step.layer.name}"
    (layout,) = step.layouts()
    parts, counts = [], []
    for record in step.inputs("collect"):  # a shard is let go before the next is read
        shard = step.table(record, name) if name in record["blobs"] else {}
        counts.append(len(shard["image"]) if shard else 0)
        if shard:
            parts.append({column: shard[column] for column in ("image", "row", "column")})
    columns = tables.concatenate(parts)
    images = _images(step)
    owner = np.searchsorted(images["image"], columns["image"])
    columns |= {name: images[name][owner] for name in ("label", "predicted")}
    made = SampleTable.build(layout["layout"], columns, np.array(counts))
    return Output({"samples": tables.pack(made.to_tables())}, {"samples": len(made)})


def _images(step: Step) -> tables.Table:
    """Label and predicted class of all images that could be read, ascending by their place in the listing."""
    parts = []
    for record in step.inputs("collect"):
        if record["blobs"]:
            read = step.table(record, "images")
            nobody = np.full(len(read["image"]), NONE, np.int32)
            predicted = read["logits"].argmax(axis=1).astype(np.int32) if "logits" in read else nobody
            parts.append({"image": read["image"], "label": read["label"], "predicted": predicted})
    return tables.concatenate(parts)
