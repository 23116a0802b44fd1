"""From vectors to a map: neighbours, layout, cells and the index for projection, a layer at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.cells import Level, levels
from atlas_core.errors import DatasetError
from atlas_core.featurevis.parameterization import colour_matrix, colours_of, seed_from_thumbnails
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
from atlas_core.stages.step import Column, Output, Step, gather_rows, shards_of, significant
from atlas_core.whitening import Moments, Whitening, whitening

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

BROKEN_SHARE = 0.05
NAMED = 20
ROWS_A_STEP = 8192
COLOUR_SAMPLES = 2048


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
    if "landmarks" not in step.inputs("layout", step="neighbours")[0]["blobs"]:
        info |= measured(samples, layout, seed)
    return Output({"layout": tables.pack(table)}, info)


def make_cells(step: Step) -> Output:
    """Average in the cells of every level; choose what their icons start from.

    Shards pass by, a few times over; of a sample no more is held than where it is from and where it lies.
    """
    records = step.inputs("collect")
    strict = step.plan.spec.strict
    samples = step.samples("image", "row", "column", *(("contrast",) if strict else ()))
    activations = Column(lambda: shards_of(step, records), "activations")
    (layout,) = step.layouts()
    whole = step.inputs("cells")  # of the atlas, where these samples are a selection of it
    known = step.table(whole[0], "whitening") if whole else None
    white = _whitening(activations) if known is None else Whitening.from_tables(known)
    sides = step.parameters["levels"]
    made = levels(activations, layout["layout"], samples["image"], sides, white, step.on_progress)
    info: dict[str, Any] = {
        "samples": len(samples["image"]),
        "images": len(np.unique(samples["image"])),
        "condition": significant(white.condition),
        "levels": {},
    }
    listing = step.runtime.dataset(step.plan).listing
    show = None if strict else _thumbnails(step, made)
    colours = _colours(step, len(samples["image"])) if known is None else known["colours"]
    blobs: dict[str, bytes | Path] = {"whitening": tables.pack({**white.to_tables(), "colours": colours})}
    for side, level in zip(sides, made, strict=True):
        table = level.to_tables() | (
            _contrasts(level, samples["contrast"]) if show is None else _seeds(level, show, colours)
        )
        if show is None:
            del table["exemplars"], table["seeds"]
        else:
            blobs[f"exemplars-{side}"] = _exemplars(step, level, show)
        blobs[f"level-{side}"] = tables.pack(table)
        cells = _cells_json(level, samples, None if strict else listing.images)
        blobs[f"cells-{side}"] = canonical_json(cells)
        info["levels"][str(side)] = {
            "cells": len(level),
            "shown": round(float(level.shown[0]), 4),
            "median_images": level.median_images,
            "coherence": round(float(level.coherence.mean()), 4),
            "pair_cosine": round(float(level.pair_cosine.mean()), 4),
        }
    return Output(blobs, info)


def _colours(step: Step, samples: int) -> NDArray[np.float32]:
    if step.plan.spec.strict:
        return colour_matrix(step.plan.model.card.input.channels)
    return colours_of(_some_thumbnails(step, samples))


def _whitening(activations: Column) -> Whitening:
    moments = None
    for rows in activations:
        moments = moments or Moments(rows.shape[1])
        for first in range(0, len(rows), ROWS_A_STEP):
            moments.add(rows[first : first + ROWS_A_STEP])
    return whitening(moments or Moments(0))


@dataclass(frozen=True)
class _Thumbnails:
    """Thumbnails of some samples: of all that cells show or start from."""

    sample: NDArray[np.int64]  # ascending, (k,)
    pixels: NDArray[np.uint8]  # (k, height, width, channels)

    def of(self, chosen: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Thumbnails of a list of samples that may end in -1."""
        return self.pixels[np.searchsorted(self.sample, chosen[chosen >= 0])]


def _thumbnails(step: Step, made: list[Level]) -> _Thumbnails:
    wanted = np.unique(np.concatenate([chosen.ravel() for level in made for chosen in (level.seeds, level.exemplars)]))
    wanted = wanted[wanted >= 0]
    return _Thumbnails(wanted, gather_rows(step, step.inputs("collect"), ("thumbnails",), wanted)["thumbnails"])


def _some_thumbnails(step: Step, samples: int) -> NDArray[np.uint8]:
    """Thumbnails of samples spread evenly over all: colours do not depend on levels."""
    wanted = np.unique(np.linspace(0, samples - 1, COLOUR_SAMPLES).round().astype(np.int64))
    return gather_rows(step, step.inputs("collect"), ("thumbnails",), wanted)["thumbnails"]


def _seeds(level: Level, thumbnails: _Thumbnails, colours: NDArray[np.float32]) -> tables.Table:
    """Where each cell's icon starts: the mean of its nearest samples' thumbnails; and its exemplars' contrast."""
    seeds = [seed_from_thumbnails(thumbnails.of(chosen), colours) for chosen in level.seeds]
    contrasts = [contrast(thumbnails.of(chosen)).mean() for chosen in level.exemplars]
    return {"seed": np.stack(seeds).astype(np.float16), "exemplar_contrast": np.array(contrasts, np.float32)}


def _exemplars(step: Step, level: Level, thumbnails: _Thumbnails) -> Path:
    """A file of the thumbnails of each cell's exemplars, apart from the level: a tile reads those of its own cells."""
    path = step.folder / f"exemplars-{level.side[0]}"
    shape = (*level.exemplars.shape, *thumbnails.pixels.shape[1:])
    table = tables.allocate_file(path, {"thumbnails": (np.uint8, shape)})
    for cell, chosen in enumerate(level.exemplars):
        table["thumbnails"][cell, : (chosen >= 0).sum()] = thumbnails.of(chosen)
    return path


def _contrasts(made: Level, contrasts: NDArray[np.float32]) -> tables.Table:
    """The contrast of each cell's exemplars, without which an icon's own says little."""
    means = [contrasts[chosen[chosen >= 0]].mean() for chosen in made.exemplars]
    return {"exemplar_contrast": np.array(means, np.float32)}


def _cells_json(made: Level, samples: tables.Table, images: Sequence[str] | None) -> list[dict[str, Any]]:
    """Cells as they are told while nobody knows their classes; without image ids they have no exemplars."""
    cells = []
    for cell in range(len(made)):
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
            "classes": None,
            "exemplars": exemplars,
        })  # fmt: skip
    return cells


def build_index(step: Step) -> Output:
    """What a new image needs to be placed, made in a file while the shards pass by."""
    records = step.inputs("collect")
    activations = Column(lambda: shards_of(step, records), "activations")
    (layout,) = step.layouts()
    path = step.folder / "index"
    ProjectionIndex.build(activations, layout["image"], layout["layout"], on_progress=step.on_progress,
                          into=lambda fields: tables.allocate_file(path, fields))  # fmt: skip
    return Output({"index": path}, {"samples": len(layout["layout"])})
