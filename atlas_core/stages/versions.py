"""What changed between two models: at each of their layers, in what they get right, and all of it in short."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.keys import canonical_json, digest
from atlas_core.stages.compared import Compared
from atlas_core.stages.models import facts_of, told_of_images
from atlas_core.stages.step import Output, Step, significant
from atlas_core.stages.version_layer import picture_of, points_of, told_layer
from atlas_core.statistics import adjusted, wilson
from atlas_core.versions.paired import Accuracy, compared
from atlas_core.versions.summary import findings, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Told = dict[str, Any]


def compare_layer(step: Step) -> Output:
    """Compare two models at a layer: how alike they see the samples, and what changed on their map."""
    both = Compared(step)
    return Output({"told": canonical_json(told_layer(both)), "picture": picture_of(both), "points": points_of(both)})


def publish_versions(step: Step) -> Output:
    """Put together what was found at all layers and in what the models get right, and say it in short."""
    records = step.inputs("publish", step="version")
    layers = [json.loads(step.runtime.store.get_blob(record["blobs"]["told"])) for record in records]
    numbers = itertools.count()
    for number, (layer, record) in enumerate(zip(layers, records, strict=True)):
        layer["picture"] = {"name": f"evidence-{number}", "sha256": record["blobs"]["picture"]}
        for patch in patches(layer):
            patch["n"] = next(numbers)
    models = {which: facts_of(step, step.parameters[which]) for which in ("old", "new")}
    description: Told = {
        "kind": "models",
        "schema_version": 1,
        **{which: {"model": model.id, "name": model.card.name} for which, model in models.items()},
        "dataset": {"dataset": step.plan.dataset.id, "name": step.plan.dataset.name},
        "alpha": step.parameters["alpha"],
        "weight": step.parameters["weight"],
        **_answers(step),
        "layers": layers,
    }
    description["findings"] = findings(description)
    described = {**description, "digest": digest(description)}
    pictures = {f"evidence-{number}": step.runtime.store.get_blob(record["blobs"]["picture"])
                for number, record in enumerate(records)}  # fmt: skip
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


def _answers(step: Step) -> Told:
    """How often both models give one answer, and the right one."""
    old, new = (told_of_images(step, step.parameters[name]) for name in ("old", "new"))
    both = (old["read"] > 0) & (new["read"] > 0)
    known = both & (old["top"] >= 0) & (new["top"] >= 0)
    told: Told = {"images": int(both.sum()), "agreement": None, "accuracy": None}
    if known.any():
        same = int((old["top"] == new["top"])[known].sum())
        low, high = wilson(same, int(known.sum()))
        told["agreement"] = {"images": int(known.sum()), "share": significant(same / known.sum()),
                             "low": significant(float(low)), "high": significant(float(high))}  # fmt: skip
    labelled = known & (old["label"] >= 0)
    if labelled.any():
        label = old["label"][labelled]
        right = [told_of["top"][labelled] == label for told_of in (old, new)]
        told["accuracy"] = _accuracy(right[0], right[1], label, step.plan.dataset.classes or [],
                                     step.parameters["alpha"])  # fmt: skip
    return told


def _accuracy(
    old: NDArray[np.bool_], new: NDArray[np.bool_], label: NDArray[np.int64], names: Sequence[str], alpha: float
) -> Told:
    occurring = np.unique(label)
    found = [compared(old[label == index], new[label == index]) for index in occurring]
    q = adjusted(np.array([one.p for one in found]))
    classes = [{"index": int(index), "name": names[index], **told_accuracy(one), "q": significant(own),
                "verdict": _verdict(one, float(own), alpha)}
               for index, one, own in zip(occurring, found, q, strict=True)]  # fmt: skip
    classes.sort(key=lambda one: (one["q"], -abs(one["change"])))
    return {"overall": told_accuracy(compared(old, new)), "classes": classes,
            "damaged": [one["name"] for one in classes if one["verdict"] == "damaged"],
            "improved": [one["name"] for one in classes if one["verdict"] == "improved"]}  # fmt: skip


def _verdict(found: Accuracy, q: float, alpha: float) -> str | None:
    if q > alpha:
        return None
    return "damaged" if found.change < 0 else "improved"


def told_accuracy(found: Accuracy) -> Told:
    """Two models' accuracy as it is told."""
    return {"images": found.images, "old": significant(found.old), "new": significant(found.new),
            "change": significant(found.change), "low": significant(found.low), "high": significant(found.high),
            "lost": found.lost, "won": found.won, "p": significant(found.p)}  # fmt: skip
