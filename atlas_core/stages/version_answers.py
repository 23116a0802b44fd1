"""What two models say of the same images: how often one answer, how often the right one, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.sampling import by_hash
from atlas_core.stages.models import classes_of, facts_of, told_of_images
from atlas_core.stages.step import significant
from atlas_core.statistics import wilson
from atlas_core.versions.paired import Accuracy, compared

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.stages.step import Step
    from atlas_core.statistics import Together

EXAMPLES = 8
"""Images of a damaged class that are told: those that only the old model gets right."""
Told = dict[str, Any]


class Answers:
    """What two models say of the same images.

    Args:
        step: The last of a comparison.

    Attributes:
        overall: Both models' accuracy; None where nothing is labelled, or a model has no logits.
        classes: The same by class, for each that occurs.
    """

    def __init__(self, step: Step) -> None:
        """Read what both say, and compare it."""
        self._step = step
        self._old, self._new = (told_of_images(step, step.parameters[name]) for name in ("old", "new"))
        self._both = (self._old["read"] > 0) & (self._new["read"] > 0)
        self._known = self._both & (self._old["top"] >= 0) & (self._new["top"] >= 0)
        label = self._old["label"]
        self._images = np.flatnonzero(self._known & (label >= 0))
        self._label = label[self._images]
        self._right = [(told["top"] == label)[self._images] for told in (self._old, self._new)]
        self.overall = compared(*self._right) if len(self._images) else None
        self.classes = {int(index): compared(*(one[self._label == index] for one in self._right))
                        for index in np.unique(self._label)}  # fmt: skip

    @property
    def p(self) -> NDArray[np.float64]:
        """Of all that is looked at: the accuracy, over all and by class."""
        return np.array([one.p for one in (self.overall, *self.classes.values()) if one is not None])

    def labelled(self) -> tuple[NDArray[np.int64], Sequence[str]]:
        """Class of each image, and what classes are called; see `classes_of`."""
        return classes_of(self._old, self._step.plan)

    def told(self, together: Together) -> Told:
        """How often both give one answer, and the right one.

        Args:
            together: All that the comparison looked at.
        """
        told: Told = {"images": int(self._both.sum()), "agreement": None, "accuracy": None}
        if self._known.any():
            same, images = int((self._old["top"] == self._new["top"])[self._known].sum()), int(self._known.sum())
            low, high = wilson(same, images)
            told["agreement"] = {"images": images, "share": significant(same / images),
                                 "low": significant(float(low)), "high": significant(float(high))}  # fmt: skip
        if self.overall is not None:
            classes = [self._class(index, one, together) for index, one in self.classes.items()]
            classes.sort(key=lambda one: (one["q"], -abs(one["change"])))
            told["accuracy"] = {
                "overall": told_accuracy(self.overall, together), "classes": classes,
                "damaged": [one["name"] for one in classes if one["verdict"] == "damaged"],
                "improved": [one["name"] for one in classes if one["verdict"] == "improved"],
            }  # fmt: skip
        return told

    def _class(self, index: int, found: Accuracy, together: Together) -> Told:
        verdict = _verdict(found, together.q(found.p), self._step.parameters["alpha"])
        mine = (self._label == index) & self._right[0] & ~self._right[1]
        lost = self._images[mine] if verdict == "damaged" else self._images[:0]
        return {"index": index, "name": (self._step.plan.dataset.classes or [])[index],
                **told_accuracy(found, together), "verdict": verdict, "examples": self._examples(lost)}  # fmt: skip

    def _examples(self, images: NDArray[np.int64]) -> list[Told]:
        """The first of some images by hashed id, and what the new model takes them for; none with privacy `strict`."""
        step = self._step
        if step.plan.spec.strict or len(images) == 0:
            return []
        listed = step.runtime.dataset(step.plan).listing.images
        model = facts_of(step, step.parameters["new"])
        names = [listed[place] for place in images.tolist()]
        first = by_hash(names, step.plan.spec.seed)[:EXAMPLES].tolist()
        return [{"image": names[one], "now": model.told_class(int(self._new["top"][images[one]]))["name"]}
                for one in first]  # fmt: skip


def _verdict(found: Accuracy, q: float, alpha: float) -> str | None:
    if q > alpha:
        return None
    return "damaged" if found.change < 0 else "improved"


def told_accuracy(found: Accuracy, together: Together) -> Told:
    """Two models' accuracy as it is told, its p adjusted for all that was looked at."""
    return {"images": found.images, "old": significant(found.old), "new": significant(found.new),
            "change": significant(found.change), "low": significant(found.low), "high": significant(found.high),
            "lost": found.lost, "won": found.won, "p": significant(found.p),
            "q": significant(together.q(found.p))}  # fmt: skip
