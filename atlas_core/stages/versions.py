"""What changed between two models: at each of their layers, in what they get right, and all of it in short."""

from __future__ import annotations

import itertools
import json
from typing import Any

from atlas_core.keys import canonical_json, digest
from atlas_core.stages.compared import Compared
from atlas_core.stages.models import facts_of
from atlas_core.stages.step import Output, Step
from atlas_core.stages.version_answers import told_answers
from atlas_core.stages.version_evidence import put_evidence
from atlas_core.stages.version_layer import picture_of, points_of, told_layer
from atlas_core.versions.summary import findings, markdown

Told = dict[str, Any]


def compare_layer(step: Step) -> Output:
    """Compare two models at a layer: how alike they see the samples, and what changed on their map."""
    both = Compared(step)
    return Output({"told": canonical_json(told_layer(both)), "picture": picture_of(both), "points": points_of(both)})


def publish_versions(step: Step) -> Output:
    """Put together what was found at all layers and in what the models get right, and say it in short."""
    records = step.inputs("publish", step="version")
    maps = [record["blobs"]["picture"] for record in records]
    layers = [json.loads(step.runtime.store.get_blob(record["blobs"]["told"])) for record in records]
    numbers = itertools.count()
    for number, (layer, sha256) in enumerate(zip(layers, maps, strict=True)):
        layer["picture"] = {"name": f"evidence-{number}", "sha256": sha256}
        for patch in patches(layer):
            patch["n"] = next(numbers)
    answers = told_answers(step)
    pictures = {f"evidence-{number}": step.runtime.store.get_blob(sha256) for number, sha256 in enumerate(maps)}
    pictures |= put_evidence(step, answers, layers, len(maps))
    models = {which: facts_of(step, step.parameters[which]) for which in ("old", "new")}
    description: Told = {
        "kind": "models",
        "schema_version": 1,
        **{which: {"model": model.id, "name": model.card.name} for which, model in models.items()},
        "dataset": {"dataset": step.plan.dataset.id, "name": step.plan.dataset.name},
        "alpha": step.parameters["alpha"],
        "weight": step.parameters["weight"],
        **answers,
        "layers": layers,
    }
    description["findings"] = findings(description)
    described = {**description, "digest": digest(description)}
    told = canonical_json(described)
    blobs = {"description": told, "measured": told, "summary": markdown(described).encode(), **pictures}
    return Output(blobs, {"digest": described["digest"], "summary": in_short(described)})


def patches(layer: Told) -> list[Told]:
    """Every patch that a layer of a description shows, in order."""
    cells = layer["cells"]
    return [patch for kind in ("born", "lost", "moved") for cell in cells[kind] for patch in cell["exemplars"]]


def in_short(found: Told) -> Told:
    """A comparison in short, for lists of them."""
    accuracy = found["accuracy"]
    return {
        "findings": len(found["findings"]),
        "accuracy": None if accuracy is None else {name: accuracy["overall"][name] for name in ("old", "new", "p")},
        "damaged": [] if accuracy is None else accuracy["damaged"],
        "agreement": found["agreement"] and found["agreement"]["share"],
        "layers": [{name: layer[name] for name in ("layer", "other")} | {"cka": layer["likeness"]["cka"],
                    "neighbours": layer["likeness"]["neighbours"]} for layer in found["layers"]],
    }  # fmt: skip
