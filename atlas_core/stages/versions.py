"""What changed between two models: at each of their layers, in what they get right, and all of it in short."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.keys import canonical_json, digest
from atlas_core.stages.compared import Compared
from atlas_core.stages.models import facts_of
from atlas_core.stages.step import Output, Step
from atlas_core.stages.version_answers import Answers
from atlas_core.stages.version_evidence import put_evidence
from atlas_core.stages.version_layer import looked_at, points_of, told_layer
from atlas_core.statistics import Together
from atlas_core.versions.picture import draw
from atlas_core.versions.summary import findings, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.versions.changes import Kinds

Told = dict[str, Any]


def compare_layer(step: Step) -> Output:
    """Compare two models at a layer: how alike they see the samples, and what may have changed on their map."""
    both = Compared(step)
    looked, p = looked_at(both)
    return Output({"looked": canonical_json(looked), "p": tables.pack({"p": p}), "points": points_of(both)})


def publish_versions(step: Step) -> Output:
    """Put together what was found at all layers and in what the models get right, and say it in short."""
    records = step.inputs("publish", step="version")
    said = Answers(step)
    together = Together(np.concatenate([said.p, *(step.table(record, "p")["p"] for record in records)]))
    models = {which: facts_of(step, step.parameters[which]) for which in ("old", "new")}
    layers, pictures, numbers = [], {}, itertools.count()
    for number, record in enumerate(records):
        looked = json.loads(step.runtime.store.get_blob(record["blobs"]["looked"]))
        layer, kinds = told_layer(looked, together, step.parameters["alpha"])
        name, titles = f"evidence-{number}", [model.card.name for model in models.values()]
        pictures[name] = _picture(step.table(record, "points"), said.labelled(), titles, layer, kinds)
        layer["picture"] = {"name": name, "sha256": hashlib.sha256(pictures[name]).hexdigest()}
        for patch in patches(layer):
            patch["n"] = next(numbers)
        layers.append(layer)
    answers = said.told(together)
    pictures |= put_evidence(step, answers, layers, len(layers))
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


def _picture(
    points: tables.Table, labelled: tuple[NDArray[np.int64], Sequence[str]], titles: Sequence[str], layer: Told,
    kinds: Kinds,
) -> bytes:  # fmt: skip
    """Both halves of a layer's map side by side, PNG."""
    label, names = labelled
    halves = ("old", "new")
    return draw([points[half] for half in halves], [label[points[f"{half} image"]] for half in halves], names, titles,
                layer["layer"], layer["cells"]["side"], kinds)  # fmt: skip


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
