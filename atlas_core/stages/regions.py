"""Held-out images on the map, and how right the model is in each of its regions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from atlas_core import tables
from atlas_core.activations import collect_shard
from atlas_core.audit.base import NAME, held_out
from atlas_core.audit.directions import pack_direction
from atlas_core.audit.regions import SHOWN, judged, merged
from atlas_core.binning import assign_cells
from atlas_core.errors import ImageError
from atlas_core.keys import canonical_json
from atlas_core.models.preprocessing import read_pixels
from atlas_core.pyramid import displayed, png
from atlas_core.quality import Answers
from atlas_core.sheets import compose_sheet, in_rows
from atlas_core.stages.base import base_of
from atlas_core.stages.step import Output, Step, marked, significant
from atlas_core.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

PICTURED, ACROSS, SIDE, LINE, GAP = 8, 6, 96, 12, 4
BLOCK, COARSEST, COVERED = 3, 4, 0.9
CONFUSED = 3


def land_base(step: Step) -> Output:
    """Where samples of some base images land on the map of each layer, by the atlas's index."""
    parameters = step.parameters
    places = held_out(step.runtime, step.plan, parameters["seed"])[parameters["start"] : parameters["stop"]]
    layers = [step.plan.model.layer(name) for name in parameters["layers"]]
    made = collect_shard(
        step.runtime.model(step.plan.model.card), step.runtime.dataset(step.plan.seen_as(NAME)), places.tolist(),
        layers, [parameters["points"]] * len(places), parameters["seed"], on_progress=step.on_progress,
    )  # fmt: skip
    blobs = {}
    for layer in layers if made.images else ():
        index = step.runtime.index(step.plan, _index(step, layer.name))
        samples = made.layers[layer.name]
        placed = index.place(samples["activations"].astype(np.float32))
        points = np.stack([placed.x, placed.y], axis=1).astype(np.float32)
        blobs[f"layer {layer.name}"] = tables.pack({"image": samples["image"], "points": points})
    return Output(blobs, {"passes": len(made.images.get("image", ())), **marked(made.halved)})


def _index(step: Step, layer: str) -> str:
    """Key of the chunk that indexes a layer, of this model: a plan may hold a baseline's too."""
    chunks = (step.plan.by_key[key].parameters for key in step.chunk.inputs)
    keys = zip(step.chunk.inputs, chunks, strict=True)
    return next(key for key, told in keys if told.get("step") == "index" and told["layer"] == layer)


class Map:
    """Held-out images in the regions of one layer.

    Args:
        step: The step that compares regions.
        layer: Name of the layer.
        answers: To the labelled ones.
    """

    def __init__(self, step: Step, layer: str, answers: Answers) -> None:
        self._step, self.layer, self._count = step, layer, len(answers)
        parts = [step.table(record, f"layer {layer}") for record in step.inputs("publish", step="landed")
                 if f"layer {layer}" in record["blobs"]]  # fmt: skip
        images = np.concatenate([part["image"] for part in parts]) if parts else np.zeros(0, np.int32)
        points = np.concatenate([part["points"] for part in parts]) if parts else np.zeros((0, 2), np.float32)
        known = np.isin(images, answers.image)
        order = np.argsort(answers.image)
        self._rows = order[np.searchsorted(answers.image, images[known], sorter=order)]
        self._points = points[known]

    def regions(self, side: int, least: int) -> Iterator[tuple[int, int, int, NDArray[np.int64]]]:
        """Column, row, number of cells a side and rows of the answers of each region with enough images.

        Args:
            side: Cells a side of the map.
            least: Distinct images.
        """
        cells = assign_cells(self._points, side)
        inside = np.zeros((side, side, self._count), np.bool_)
        inside[cells[:, 1], cells[:, 0], self._rows] = True
        reach = BLOCK // 2
        for row, column in np.ndindex(side, side):
            own = np.flatnonzero(inside[row, column])
            if len(own) >= least:
                yield column, row, 1, own
            block = inside[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
            around = np.flatnonzero(block.any(axis=(0, 1)))
            if len(around) >= least and len(around) > len(own):
                yield column, row, BLOCK, around

    def direction(self, side: int, column: int, row: int, across: int) -> str | None:
        """The mean activation of the atlas's samples in a region, by the cells whose middles lie in it."""
        fine = self._step.parameters["side"]
        level = self._step.table(self._step.inputs("cells", layer=self.layer)[0], f"level-{fine}")
        away = [np.abs((level[name] + 0.5) / fine - (place + 0.5) / side)
                for name, place in (("column", column), ("row", row))]  # fmt: skip
        near = np.maximum(*away) <= across / 2 / side
        return pack_direction(level["count"][near] @ level["mean"][near]) if near.any() else None


def _side(maps: Sequence[Map], finest: int, least: int, images: int) -> int:
    """Cells a side: the most, halved as often as it takes for nearly every image to lie in a region of every layer."""
    side = finest
    while side > COARSEST and any(_covered(one, side, least) < COVERED * images for one in maps):
        side = max(COARSEST, side // 2)
    return side


def _covered(one: Map, side: int, least: int) -> int:
    rows = [rows for *_, rows in one.regions(side, least)]
    return len(np.unique(np.concatenate(rows))) if rows else 0


def publish_regions(step: Step) -> Output:
    """How right the model, and a baseline, are in every region with enough images; pictures of the worst."""
    base = base_of(step, step.parameters["base"])
    landed = step.inputs("publish", step="landed")
    passed = sum(record["info"]["passes"] for record in landed)
    answers = Answers.of(*(base.get(name, np.zeros((0, 1)))[:passed] for name in ("image", "label", "logits")))
    before = _baseline(step, answers)
    maps = [Map(step, name, answers) for name in step.parameters["layers"]]
    names = _names(step)
    least = step.parameters["least"]
    side = _side(maps, step.parameters["side"], least, len(answers))
    regions, covered = [], np.zeros(len(answers), np.bool_)
    for one in maps:
        for column, row, across, rows in one.regions(side, least):
            covered[rows] = True
            place = {"layer": one.layer, "column": column, "row": row, "cells": across**2}
            regions.append({**place, **_counted(answers, before, rows, names),
                            "direction": one.direction(side, column, row, across), "evidence": []})  # fmt: skip
    wrong = int(answers.wrong.sum())
    low, high = wilson(wrong, len(answers))
    whole = {"images": len(answers), "wrong": wrong, "error": significant(wrong / max(1, len(answers))),
             "error_interval": [significant(float(low)), significant(float(high))], "asked": len(base["image"]),
             "covered": int(covered.sum())}  # fmt: skip
    measured = {"whole": whole, "regions": regions, "side": side, "least": least,
                "dataset": step.plan.seen_as(NAME).dataset.name, "passes": passed}  # fmt: skip
    blobs = {} if step.plan.spec.strict else _evidence(step, measured, answers, names)
    return Output({"measured": canonical_json(measured), **blobs})


def _baseline(step: Step, answers: Answers) -> NDArray[np.int64] | None:
    """Whether the baseline is right (1), wrong (0) or has not seen (-1) each image; None without one."""
    if not step.parameters["baseline"]:
        return None
    table = base_of(step, step.parameters["baseline"])
    top = table["logits"].argmax(axis=1) if len(table["image"]) else table["image"]
    said = dict(zip(table["image"].tolist(), top.tolist(), strict=True))
    pairs = zip(answers.image.tolist(), answers.label.tolist(), strict=True)
    return np.array([int(said[image] == label) if image in said else -1 for image, label in pairs], np.int64)


def _counted(
    answers: Answers, before: NDArray[np.int64] | None, rows: NDArray[np.int64], names: tuple[Sequence[str], ...]
) -> dict[str, Any]:
    wrong = answers.wrong[rows]
    confidence = float(answers.confidence[rows].mean(dtype=np.float64))
    labels, predicted = names
    confused = Counter(zip(answers.label[rows][wrong].tolist(), answers.predicted[rows][wrong].tolist(), strict=True))
    ranked = sorted(confused.items(), key=lambda one: (-one[1], one[0]))[:CONFUSED]
    was = np.full(len(rows), -1) if before is None else before[rows]
    return {
        "images": len(rows), "wrong": int(wrong.sum()), "confidence": significant(confidence),
        "calibration": significant(abs(confidence - (1 - wrong.mean()))), "paired": bool((was >= 0).any()),
        "lost": int((wrong & (was == 1)).sum()), "won": int((~wrong & (was == 0)).sum()),
        "wrong_images": answers.image[rows][wrong].tolist(),
        "confused": [{"label": labels[one], "predicted": predicted[other], "images": count}
                     for (one, other), count in ranked],
    }  # fmt: skip


def _names(step: Step) -> tuple[Sequence[str], Sequence[str]]:
    """What the dataset's classes are called, and the model's."""
    plan = step.plan
    labels = list(plan.seen_as(NAME).dataset.classes or ())
    told = plan.model.card.labels
    names = list(told) if isinstance(told, list) else list(labels)
    return labels, [*names, *map(str, range(len(names), plan.model.classes or 0))]


def _evidence(
    step: Step, measured: dict[str, Any], answers: Answers, names: tuple[Sequence[str], Sequence[str]]
) -> dict[str, bytes]:
    """Sheets of the wrong images of the worst regions, which are told of them in `measured`."""
    ranked = judged(measured)
    worse = sorted((one for one in ranked if one["lost"] > one["won"]), key=lambda one: -one["worse_low"])
    chosen = [*merged(ranked)[:PICTURED], *merged(worse)[:PICTURED]]
    by_place = {_place(one): one for one in measured["regions"]}
    blobs: dict[str, bytes] = {}
    for one in chosen:
        region = by_place[_place(one)]
        pictures = [] if region["evidence"] else _pictures(step, region["wrong_images"][:SHOWN], answers, names)
        if pictures:
            name = f"evidence-{len(blobs)}"
            blobs[name] = png(Image.fromarray(compose_sheet(pictures, in_rows(len(pictures), ACROSS), gap=GAP)))
            caption = "images that are wrong there: label, and what the model says"
            region["evidence"].append({"name": name, "role": "region", "caption": caption})
    return blobs


def _place(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["layer"], one["column"], one["row"], one["cells"]


def _pictures(
    step: Step, images: Sequence[int], answers: Answers, names: tuple[Sequence[str], Sequence[str]]
) -> list[NDArray[np.uint8]]:
    """Images as the network sees them, each with its label and its prediction below."""
    plan = step.plan
    dataset, given = step.runtime.dataset(plan.seen_as(NAME)), plan.model.card.input
    rows = {image: row for row, image in enumerate(answers.image.tolist())}
    found = []
    for image in images:
        try:
            pixels = read_pixels(dataset.read(dataset.listing.images[image]), given)
        except ImageError:  # it changed since it was listed
            continue
        label, predicted = (int(column[rows[image]]) for column in (answers.label, answers.predicted))
        found.append(_labelled(displayed(pixels, given.visible), names[0][label], names[1][predicted]))
    return found


def _labelled(picture: NDArray[np.uint8], label: str, predicted: str) -> NDArray[np.uint8]:
    shown = Image.new("RGB", (SIDE, SIDE + 2 * LINE), "white")
    shown.paste(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
    draw = ImageDraw.Draw(shown)
    most = SIDE // 6
    draw.text((1, SIDE), label[:most], fill="black")
    draw.text((1, SIDE + LINE - 1), f"> {predicted}"[:most], fill=(170, 0, 0))
    return np.asarray(shown)
