"""A dataset against an atlas: place samples of both alike, and say what differs, where, and how surely."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.drift_plan import DriftRequest
from atlas_core.keys import canonical_json, digest
from atlas_core.stages.differences import Difference, mixes
from atlas_core.stages.sides import Side, landings, shared_images, sides_of
from atlas_core.stages.step import Output, Step, significant
from atlas_core.statistics import adjusted

if TYPE_CHECKING:
    from collections.abc import Sequence


def land(step: Step) -> Output:
    """Place samples of one of the two sets on the map of a layer."""
    parameters = step.parameters
    atlas, dataset = sides_of(step, parameters["images"])
    of_atlas = parameters["of"] == atlas.name
    own = None if of_atlas else shared_images(atlas, dataset)
    side = atlas if of_atlas else dataset
    return Output({"landings": tables.pack(landings(step, side, parameters["layer"], own, parameters["points"]))})


def publish_drift(step: Step) -> Output:
    """Compare the two sets layer by layer, and describe what was found."""
    request = DriftRequest(**step.parameters["request"])
    sides = sides_of(step, request.images)
    names = request.layers or []
    found = [Difference(step, request, sides, name, partial(_report, step, number, len(names)))
             for number, name in enumerate(names)]  # fmt: skip
    q = adjusted(np.array([one.mmd.p for one in found]))
    numbers = itertools.count()
    layers = {name: one.told(float(own), numbers) for name, one, own in zip(names, found, q, strict=True)}
    shares = [one.smallest_share for one in found if one.smallest_share is not None]
    verdict = _verdict(float(q.min()), shares, request)
    description: dict[str, Any] = {
        "schema_version": 1,
        "request": step.parameters["request"],
        "verdict": verdict,
        "p": significant(q.min()),
        "smallest_share": min(map(significant, shares), default=None),
        "sets": {side.name: _told_set(side) for side in sides},
        "shared_images": len(shared_images(*sides)),
        "layers": layers,
        "classes": mixes(*sides, request),
    }
    described = {**description, "digest": digest(description)}
    summary = {field: described[field] for field in ("verdict", "p", "smallest_share", "shared_images")}
    summary |= {"images": {side.name: len(side.images["image"]) for side in sides},
                "layers": {name: _in_short(layer) for name, layer in layers.items()}}  # fmt: skip
    told = canonical_json(described)
    return Output({"description": told, "measured": told}, {"digest": described["digest"], "summary": summary})


def _report(step: Step, number: int, layers: int, done: int, total: int) -> None:
    step.on_progress(number * total + done, layers * total)


def _verdict(p: float, shares: Sequence[float], request: DriftRequest) -> str:
    """Drift where it was found; none only where enough of it would have been."""
    if p <= request.alpha:
        return "drift"
    return "no drift" if min(shares, default=np.inf) <= request.detect else "inconclusive"


def _told_set(side: Side) -> dict[str, Any]:
    facts = side.plan.dataset
    return {"dataset": facts.id, "name": facts.name, "images": facts.images, "compared": len(side.images["image"])}


def _in_short(layer: dict[str, Any]) -> dict[str, Any]:
    return {"p": layer["mmd"]["p"], "q": layer["q"], "mmd": layer["mmd"]["value"],
            "smallest_share": layer["smallest_share"], "cells": layer["cells"]["excess"],
            "cells_moved": len(layer["cells"]["moved"]), "without_home": layer["without_home"]["share"]}  # fmt: skip
