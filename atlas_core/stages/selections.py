"""Samples of an atlas gathered for a map of their own, and two classes laid out against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.class_index import ClassIndex
from atlas_core.comparing_classes import across, along_line
from atlas_core.layout.neighbours import neighbours
from atlas_core.search import SampleTable
from atlas_core.selections import PARSED, samples_of
from atlas_core.stages.landmarks import measured
from atlas_core.stages.step import Output, Step, gather_rows, shards_of, significant

if TYPE_CHECKING:
    from numpy.typing import NDArray


def select(step: Step) -> Output:
    """Gather the samples of some shards that a selection means, into a record as a shard's is."""
    (record,) = step.inputs("publish", step="samples")
    table = SampleTable.from_tables(step.table(record, "samples"))
    told = [step.table(one, "index") for one in step.inputs("cells", step="classes") if "index" in one["blobs"]]
    request = PARSED.validate_python(step.parameters["which"])
    index = ClassIndex.from_tables(told[0]) if told else None
    chosen = samples_of(request, table, index, step.parameters["levels"])
    records, first = step.inputs("collect"), step.parameters["first"]
    begin, end = table.shards[first], table.shards[first + len(records)]
    rows = chosen[(chosen >= begin) & (chosen < end)] - begin
    if len(rows) == 0:
        return Output({}, {"images": 0, "skipped": []})
    columns = tuple(next(shards_of(step, records)))
    samples = gather_rows(step, records, columns, rows)
    images = _images(step, records, np.unique(samples["image"]))
    blobs = {"images": tables.pack(images), f"layer {step.layer.name}": tables.pack(samples)}
    return Output(blobs, {"images": len(images["image"]), "skipped": []})


def _images(step: Step, records: list[dict[str, Any]], wanted: NDArray[np.integer[Any]]) -> tables.Table:
    """What is known of some images."""
    parts = []
    for record in records:
        if record["blobs"]:
            shard = step.table(record, "images")
            mine = np.isin(shard["image"], wanted)
            parts.append({name: values[mine] for name, values in shard.items()})
    return tables.concatenate(parts)


def compare_classes(step: Step) -> Output:
    """Lay samples out between two classes."""
    samples = step.samples("activations", "image", "point")
    first, second = step.parameters["classes"]
    shards = [step.table(record, "attributions")["attributions"] for record in step.inputs("attribute")
              if record["blobs"]]  # fmt: skip
    added = np.concatenate([shard[:, [first, second]].astype(np.float64) for shard in shards])
    x, scale = across(added[:, 1] - added[:, 0])
    options, seed = step.parameters, step.parameters["seed"]
    found = neighbours(samples["activations"], samples["image"], options["neighbours"], seed=seed)
    y = along_line(samples["activations"], found, epochs=options["epochs"], min_dist=options["minimum_distance"],
                   seed=seed, on_epoch=step.on_progress)  # fmt: skip
    layout = np.stack([(x + 1) / 2, y], axis=1).astype(np.float32)
    line = np.stack([np.zeros_like(y), y], axis=1)
    table = {"layout": layout, "points": layout, "image": samples["image"], "point": samples["point"],
             "window": np.array([0.5, 0.5, 1.0])}  # fmt: skip
    info = {"clamped": int((np.abs(x) >= 1).sum()), "seed": seed, "scale": significant(scale),
            "classes": [first, second], **measured(samples, line, seed)}  # fmt: skip
    return Output({"layout": tables.pack(table)}, info)
