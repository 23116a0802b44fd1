"""The second stage of the shortcut audit: the cells that did most, pasted many times on fresh images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.audit.pasting import Pastes, at_random, chance, image_interval
from atlas_core.audit.suspects import balanced
from atlas_core.keys import canonical_json
from atlas_core.stages.evidence import SHOWN
from atlas_core.stages.shortcuts import CONTROL_PICTURES, ShortcutAudit, kept
from atlas_core.stages.step import Output, Step, significant
from atlas_core.stages.strays import strays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.screening import Candidate
    from atlas_core.stages.bench import Bases, Sample

    Strays = dict[tuple[int, int], list[Sample]]

MOST_CUT = 8
"""Pictures of other classes that crops of the same thing are cut from."""
NOTHING: dict[str, Any] = {"candidates": {}, "controls": {}, "general": {}}


def confirm(step: Step) -> Output:
    """Paste a part of the cells that are left, and of the controls, many times on fresh images."""
    audit = ShortcutAudit(step)
    chosen = kept(audit)
    wanted = list(dict.fromkeys((one.target, one.size) for one in chosen))
    sizes = range(len(audit.pixels))
    if not (chosen[audit.mine] or wanted[audit.mine] or sizes[audit.mine]):
        return Output({"confirmed": canonical_json(NOTHING)}, {"passes": 0})
    bases = audit.bench.bases(audit.bench.halves()[1])
    trial = Trial(audit, bases, strays(audit))
    places = range(len(chosen))[audit.mine]
    value = {"candidates": {str(place): trial.candidate(chosen[place]) for place in places},
             "controls": {f"{target} {size}": trial.control(target, size) for target, size in wanted[audit.mine]},
             "general": {str(size): trial.general(size) for size in sizes[audit.mine]}}  # fmt: skip
    return Output({"confirmed": canonical_json(value)}, audit.told)


class Trial:
    """The second stage on its own base images.

    Args:
        audit: What all parts agree on.
        bases: To confirm on.
        found: By suspect and class, where pictures of other classes show the same, the nearest first.
    """

    def __init__(self, audit: ShortcutAudit, bases: Bases, found: Strays) -> None:
        self.audit, self.bases, self.found = audit, bases, found

    def _allowed(self, target: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.bases.label != target)

    def _pasted(self, patches: list[NDArray[np.uint8]], target: int, size: int, most: int,
                *name: Any) -> tuple[Pastes, NDArray[np.float32]]:  # fmt: skip
        pastes = at_random(chance(*name), self._allowed(target), len(patches), most, self.audit.room(size))
        return pastes, self.audit.bench.logits(self.bases, patches, pastes)

    def candidate(self, one: Candidate) -> dict[str, Any]:
        """A cell's flips, of each exemplar too, what they do to the logits, and what the cell holds."""
        audit = self.audit
        layer, cell, attributed, strongest = audit.cell(one.suspect)
        patches, name = audit.patches(one.suspect, one.size), audit.name(one.suspect, one.size)
        pastes, logits = self._pasted(patches, one.target, one.size, audit.options.confirm, "confirm", *name)
        flipped = logits.argmax(axis=1) == one.target
        gains = logits - self.bases.logits[pastes.base]
        mean = gains.mean(axis=0) if len(gains) else np.zeros(gains.shape[1])
        low, high = (image_interval(gains[:, one.target], pastes.base, chance("gain", *name)) if len(gains)
                     else (0.0, 0.0))  # fmt: skip
        column, row = layer.place(cell)
        return {
            "layer": layer.name, "column": column, "row": row, "target": one.target, "size": one.size,
            "pixels": audit.pixels[one.size], "share": audit.options.sizes[one.size],
            "attributed": attributed, "strongest": strongest,
            "hits": int(flipped.sum()), "n": len(flipped), "bases": len(np.unique(pastes.base)),
            "gain": significant(mean[one.target]), "gain_interval": [significant(low), significant(high)],
            "gain_rank": 1 + int((mean > mean[one.target]).sum()),
            "exemplars": _by_patch(pastes, flipped, len(patches)),
            "shown": [self._shown(pastes, int(row)) for row in np.flatnonzero(flipped)[:SHOWN]],
            "strays": self._strays(one), **layer.described(cell, one.target),
        }  # fmt: skip

    def _shown(self, pastes: Pastes, row: int) -> dict[str, int]:
        """A paste, for whoever draws it."""
        return {"place": int(self.bases.place[pastes.base[row]]), "patch": int(pastes.patch[row]),
                "top": int(pastes.top[row]), "left": int(pastes.left[row])}  # fmt: skip

    def _strays(self, one: Candidate) -> dict[str, Any]:
        """Flips by crops of the same thing in pictures of other classes, as evenly of all as there are."""
        audit = self.audit
        layer, _, _, _ = audit.cell(one.suspect)
        found, side = self.found.get((one.suspect, one.target), []), audit.pixels[one.size]
        told = {"images": len(found), "others": self._others(one.target)}
        if not found:
            return {**told, "by_class": [], "hits": 0, "n": 0, "each": []}
        labels = audit.bench.dataset.listing.labels[[sample.image for sample in found]]
        patches = [
            audit.bench.cut(layer.name, found[place], side, side) for place in balanced(labels, MOST_CUT).tolist()
        ]
        pastes, logits = self._pasted(patches, one.target, one.size, audit.options.confirm, "strays",
                                      *audit.name(one.suspect, one.size))  # fmt: skip
        flipped = logits.argmax(axis=1) == one.target
        return {**told, "by_class": np.unique(labels, return_counts=True)[1].tolist(), "hits": int(flipped.sum()),
                "n": len(flipped), "each": _by_patch(pastes, flipped, len(patches))}  # fmt: skip

    def _others(self, target: int) -> int:
        """Classes of mapped pictures besides one."""
        labels = np.unique(self.audit.bench.dataset.listing.labels[self.audit.bench.mapped])
        return int(((labels >= 0) & (labels != target)).sum())

    def general(self, size: int) -> dict[str, list[int]]:
        """Flips into every class by crops at random places of any pictures."""
        audit, side = self.audit, self.audit.pixels[size]
        crops, taken = audit.any_crops(size)
        random, everything = chance("general", audit.seed, side), np.arange(len(self.bases.label))
        pastes = at_random(random, everything, len(crops), 2 * audit.options.confirm, audit.room(size))
        predicted = audit.bench.logits(self.bases, crops, pastes).argmax(axis=1)
        classes = audit.step.plan.model.classes or 0
        own, donor = self.bases.label[pastes.base], taken[pastes.patch]
        # Of each class only what is neither pasted on its pictures nor cut from them.
        n = len(pastes) - np.bincount(own, minlength=classes) - np.bincount(donor[donor != own], minlength=classes)
        turned = predicted[(predicted != own) & (predicted != donor)]
        return {"hits": np.bincount(turned, minlength=classes).tolist(), "n": n.tolist()}

    def control(self, target: int, size: int) -> dict[str, Any]:
        """Flips by crops at random places of pictures that the model takes for a class."""
        audit, side = self.audit, self.audit.pixels[size]
        crops = audit.crops(target, size)
        told: dict[str, Any] = {"target": target, "size": size, "pixels": side, "share": audit.options.sizes[size]}
        if not crops:
            return {**told, "hits": 0, "n": 0, "images": 0, "bases": 0}
        pastes, logits = self._pasted(crops, target, size, audit.options.confirm, "control", audit.seed, target, side)
        flipped = logits.argmax(axis=1) == target
        images = min(audit.bench.shows(target), CONTROL_PICTURES, len(pastes))
        return {**told, "hits": int(flipped.sum()), "n": len(pastes), "images": images,
                "bases": len(np.unique(pastes.base))}  # fmt: skip


def _by_patch(pastes: Pastes, flipped: NDArray[np.bool_], patches: int) -> list[dict[str, int]]:
    """Flips and pastes of each patch."""
    return [{"hits": int(flipped[pastes.patch == patch].sum()), "n": int((pastes.patch == patch).sum())}
            for patch in range(patches)]  # fmt: skip
