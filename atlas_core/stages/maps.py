"""From vectors to a map: neighbours, layout, cells and the index for projection, a layer at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.cells import Level, level
from atlas_core.errors import DatasetError
from atlas_core.featurevis.parameterization import seed_from_thumbnails
from atlas_core.fidelity import contrast
from atlas_core.inverted import InvertedLists
from atlas_core.keys import canonical_json
from atlas_core.layout.neighbours import neighbours
from atlas_core.layout.plane import turned, unit_square, window
from atlas_core.nearest import unit_rows
from atlas_core.privacy import called
from atlas_core.projection import ProjectionIndex
from atlas_core.stages.comparable import anchor_of, laid_out, lay_against, start_of
from atlas_core.stages.landmarks import choose, laid_out_samples, measured
from atlas_core.stages.step import Output, Step
from atlas_core.whitening import Moments, whitening

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BROKEN_SHARE = 0.05
NAMED = 20


def find_neighbours(step: Step) -> Output:
    """The nearest samples of each sample to lay out, never of its own image."""
    _refuse_broken(step)
    seed = step.parameters["seed"]
    landmarks = choose(step) if "landmarks" in step.parameters else None
    samples = step.samples("activations", "image") if landmarks is None else landmarks
    found = neighbours(
        samples["activations"], samples["image"], step.parameters["neighbours"], seed=seed,
        on_progress=step.on_progress,
    )  # fmt: skip
    blobs = {"neighbours": tables.pack({"index": found.index, "distance": found.distance})}
    if landmarks is not None:
        lists = InvertedLists.build(unit_rows(landmarks["activations"]), seed=seed)
        blobs["landmarks"] = tables.pack({**landmarks, **lists.to_tables()})
    return Output(blobs)


def _refuse_broken(step: Step) -> None:
    dataset, sampled = step.plan.dataset, step.plan.dataset.sampled(step.plan.spec)
    unlisted = step.unlisted()
    if sampled < dataset.images and len(unlisted) <= BROKEN_SHARE * (dataset.images + len(unlisted)):
        unlisted = []  # few of all, though perhaps many beside the few that are sampled
    skipped = [*unlisted, *(entry for record in step.inputs("collect") for entry in record["info"]["skipped"])]
    total = sampled + len(unlisted)
    if len(skipped) > BROKEN_SHARE * total:
        named = "; ".join(f"{called(entry['image'])} ({entry['reason']})" for entry in skipped[:NAMED])
        more = f"; and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        raise DatasetError(
            f"{len(skipped)} of {total} images cannot be read, more than {BROKEN_SHARE:.0%}: {named}{more}"
        )


def lay_out(step: Step) -> Output:
    """One point in the plane for each sample; a layer starts from the one before, or is laid out against an anchor.

    Of a layer with landmarks only these are laid out here.
    """
    samples, found = laid_out_samples(step)
    before = next(iter(step.layouts()), None)
    seed = step.parameters["seed"]
    anchor = anchor_of(step, samples)
    if anchor is not None:
        points = lay_against(step, anchor, found, seed)
        shown = anchor.table["window"]
    else:
        points = laid_out(step, found, start_of(step, samples, found, before), seed)
        if before is None:  # later layers keep the first one's up and right, so that twins stay near each other
            points = turned(points)
        shown = window(points)
    layout, clamped = unit_square(points, shown)
    table = {"layout": layout, "points": points, "image": samples["image"], "point": samples["point"], "window": shown}
    info: dict[str, Any] = {"clamped": clamped, "seed": seed}
    if step.plan.layout_of(step.layer.name).key == step.chunk.key:
        info |= measured(samples, layout, seed)
    return Output({"layout": tables.pack(table)}, info)


def make_cells(step: Step) -> Output:
    """Average in the cells of every level; choose what their icons start from."""
    strict = step.plan.spec.strict
    samples = step.samples("activations", "image", "row", "column", "contrast" if strict else "thumbnails")
    layout = step.table(step.inputs("layout")[0], "layout")["layout"]
    attributed = [record for record in step.inputs("attribute") if record["blobs"]]
    attributions = None
    if attributed:
        attributions = np.concatenate([step.table(record, "attributions")["attributions"] for record in attributed])
    moments = Moments(samples["activations"].shape[1])
    for shard in np.array_split(samples["activations"], max(1, len(layout) // 8192)):
        moments.add(shard)
    white = whitening(moments)

    blobs = {"whitening": tables.pack(white.to_tables())}
    sides = step.parameters["levels"]
    info: dict[str, Any] = {
        "samples": len(layout),
        "images": len(np.unique(samples["image"])),
        "condition": _significant(white.condition),
        "attribution_method": attributed[0]["info"]["method"] if attributed else "none",
        "levels": {},
    }
    halved = [record["info"]["halved"] for record in attributed if "halved" in record["info"]]
    if halved:
        info["attribute_halved"] = min(halved)
    listing = step.runtime.dataset(step.plan).listing
    for number, side in enumerate(sides):
        made = level(samples["activations"], layout, samples["image"], side, white, attributions)
        chosen = _contrasts(made, samples["contrast"]) if strict else _seeds(made, samples["thumbnails"])
        table = {**made.to_tables(), **chosen}
        if strict:
            del table["exemplars"], table["seeds"]
        blobs[f"attribution-{side}"] = tables.pack({"attribution": table.pop("attribution").astype(np.float16)})
        blobs[f"level-{side}"] = tables.pack(table)
        cells = _cells_json(made, samples, None if strict else listing.images, step.plan.model.card.labels)
        blobs[f"cells-{side}"] = canonical_json(cells)
        info["levels"][str(side)] = {
            "cells": len(made),
            "shown": round(float(made.shown[0]), 4),
            "median_images": made.median_images,
            "coherence": round(float(made.coherence.mean()), 4),
            "pair_cosine": round(float(made.pair_cosine.mean()), 4),
        }
        step.on_progress(number + 1, len(sides))
    return Output(blobs, info)


def _seeds(made: Level, thumbnails: NDArray[np.uint8]) -> tables.Table:
    """Where each cell's icon starts: the mean of its nearest samples' thumbnails; and its exemplars' contrast."""
    seeds = [seed_from_thumbnails(thumbnails[chosen[chosen >= 0]]) for chosen in made.seeds]
    contrasts = [contrast(thumbnails[chosen[chosen >= 0]]).mean() for chosen in made.exemplars]
    return {"seed": np.stack(seeds).astype(np.float16), "exemplar_contrast": np.array(contrasts, np.float32)}


def _contrasts(made: Level, contrasts: NDArray[np.float32]) -> tables.Table:
    """The contrast of each cell's exemplars, without which an icon's own says little."""
    means = [contrasts[chosen[chosen >= 0]].mean() for chosen in made.exemplars]
    return {"exemplar_contrast": np.array(means, np.float32)}


def _cells_json(
    made: Level, samples: tables.Table, images: Sequence[str] | None, labels: list[str] | str | None
) -> list[dict[str, Any]]:
    """Cells as they are told; without image ids they have no exemplars."""
    names = labels if isinstance(labels, list) else []
    cells = []
    for cell in range(len(made)):
        classes = [
            {
                "index": int(index),
                "name": names[index] if index < len(names) else str(index),
                "attribution": _significant(made.top_attribution[cell, place]),
                "share": round(float(made.top_share[cell, place]), 4),
                "images": int(made.top_images[cell, place]),
            }
            for place, index in enumerate(made.top_class[cell])
        ]
        exemplars = [
            {
                "image": images[samples["image"][sample]],
                "row": int(samples["row"][sample]),
                "column": int(samples["column"][sample]),
            }
            for sample in made.exemplars[cell]
            if images is not None and sample >= 0
        ]
        cells.append({
            "column": int(made.column[cell]),
            "row": int(made.row[cell]),
            "count": int(made.count[cell]),
            "images": int(made.images[cell]),
            "few_images": bool(made.few_images[cell]),
            "coherence": round(float(made.coherence[cell]), 4),
            "pair_cosine": round(float(made.pair_cosine[cell]), 4),
            "classes": classes,
            "exemplars": exemplars,
        })  # fmt: skip
    return cells


def build_index(step: Step) -> Output:
    """What a new image needs to be placed."""
    samples = step.samples("activations", "image")
    layout = step.table(step.inputs("layout")[0], "layout")["layout"]
    index = ProjectionIndex.build(samples["activations"], samples["image"], layout, on_progress=step.on_progress)
    return Output({"index": tables.pack(index.to_tables())}, {"samples": len(layout)})


def _significant(value: float) -> float:
    return float(f"{float(value):.5g}")
