"""What two models say of the same images: how often one answer, how often the right one, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.sampling import by_hash
from atlas_core.stages.models import facts_of, told_of_images
from atlas_core.stages.step import significant
from atlas_core.statistics import adjusted, wilson
from atlas_core.versions.paired import Accuracy, compared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.step import Step

EXAMPLES = 8
"""Images of a damaged class that are told: those that only the old model gets right."""
Told = dict[str, Any]


def told_answers(step: Step) -> Told:
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
    labelled = np.flatnonzero(known & (old["label"] >= 0))
    if len(labelled):
        told["accuracy"] = _accuracy(step, labelled, old["label"], old["top"], new["top"])
    return told


def _accuracy(
    step: Step, images: NDArray[np.int64], label: NDArray[np.int64], old: NDArray[np.int64], new: NDArray[np.int64]
) -> Told:
    right = [(top == label)[images] for top in (old, new)]
    own = label[images]
    occurring = np.unique(own)
    found = [compared(*(one[own == index] for one in right)) for index in occurring]
    q = adjusted(np.array([one.p for one in found]))
    names = step.plan.dataset.classes or []
    classes: list[Told] = []
    for index, one, adjusted_p in zip(occurring.tolist(), found, q.tolist(), strict=True):
        verdict = _verdict(one, adjusted_p, step.parameters["alpha"])
        told = {"index": index, "name": names[index], **told_accuracy(one), "q": significant(adjusted_p)}
        lost = images[(own == index) & right[0] & ~right[1]] if verdict == "damaged" else images[:0]
        classes.append({**told, "verdict": verdict, "examples": _examples(step, lost, new)})
    classes.sort(key=lambda one: (one["q"], -abs(one["change"])))
    return {"overall": told_accuracy(compared(*right)), "classes": classes,
            "damaged": [one["name"] for one in classes if one["verdict"] == "damaged"],
            "improved": [one["name"] for one in classes if one["verdict"] == "improved"]}  # fmt: skip


def _examples(step: Step, images: NDArray[np.int64], new: NDArray[np.int64]) -> list[Told]:
    """The first of some images by hashed id, and what the new model takes them for; none with privacy `strict`."""
    if step.plan.spec.strict or len(images) == 0:
        return []
    listed = step.runtime.dataset(step.plan).listing.images
    model = facts_of(step, step.parameters["new"])
    names = [listed[place] for place in images.tolist()]
    first = by_hash(names, step.plan.spec.seed)[:EXAMPLES].tolist()
    return [{"image": names[one], "now": model.told_class(int(new[images[one]]))["name"]} for one in first]


def _verdict(found: Accuracy, q: float, alpha: float) -> str | None:
    if q > alpha:
        return None
    return "damaged" if found.change < 0 else "improved"


def told_accuracy(found: Accuracy) -> Told:
    """Two models' accuracy as it is told."""
    return {"images": found.images, "old": significant(found.old), "new": significant(found.new),
            "change": significant(found.change), "low": significant(found.low), "high": significant(found.high),
            "lost": found.lost, "won": found.won, "p": significant(found.p)}  # fmt: skip
