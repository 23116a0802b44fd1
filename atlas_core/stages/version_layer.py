"""Two models at a layer: how alike, on which map, which cells changed, and which classes have other neighbours."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.layout.quality import quality
from atlas_core.layout.twins import retrieval, twin_distance
from atlas_core.sampling import by_hash
from atlas_core.stages.coupled import twins_of
from atlas_core.stages.models import Seen, models_at_layer, told_of_images
from atlas_core.stages.step import Step, significant
from atlas_core.statistics import adjusted
from atlas_core.versions.changes import Change, changes, halves
from atlas_core.versions.likeness import Likeness, alignment, gram, mean_overlap, overlaps
from atlas_core.versions.neighbourhoods import neighbourhoods
from atlas_core.versions.paired import compared
from atlas_core.versions.picture import draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

ALIGNED_IMAGES = 2000
"""Of which the alignment is told; the first by hashed id."""
TOLD_CLASSES, NEAREST, TOLD_CELLS, EXEMPLARS, NAMED = 1000, 3, 50, 4, 3
MARGIN = 0.05
"""Share of a class's neighbours that must have become others before that is told as a change."""
LEAST_IMAGES = 10
"""Of a cell of which an accuracy is told."""

Told = dict[str, Any]


class LayerVersions:
    """What changed at a layer.

    Args:
        step: The step that compares, its inputs the two maps, both models' neighbours and all shards.
    """

    def __init__(self, step: Step) -> None:
        """Read what both models made of the samples."""
        self._step = step
        self.old, self.new = models_at_layer(step)
        self._twin = twins_of(self.old, self.new)
        self._maps = [step.table(record, "layout") for record in step.inputs("layout", step="coupled")]
        self._answers = tuple(told_of_images(step, one.plan.model.id) for one in (self.old, self.new))
        old, new = self.old.samples["image"], self.new.samples["image"]
        self._halves = halves(self._maps[0]["old"], old, self._maps[0]["new"], new, self._twin)
        self._floor = np.hypot(*(self._maps[1]["old"].astype(np.float64) - self._maps[1]["new"]).T)
        self._found = changes(*self._halves, self._floor, self._side, self._alpha)

    @property
    def _side(self) -> int:
        return int(self._step.parameters["side"])

    @property
    def _alpha(self) -> float:
        return float(self._step.parameters["alpha"])

    @cached_property
    def _label(self) -> NDArray[np.int64]:
        """Class of each image by its place in the listing: its label, or what the old model takes it for; -1."""
        label, top = self._answers[0]["label"], self._answers[0]["top"]
        return label if (label >= 0).any() else top

    @cached_property
    def _names(self) -> Sequence[str]:
        if (self._answers[0]["label"] >= 0).any():
            return self._step.plan.dataset.classes or []
        told, most = self.old.plan.model.card.labels, int(self._label.max(initial=-1)) + 1
        names = list(told)[:most] if isinstance(told, list) else []
        return [*names, *map(str, range(len(names), most))]

    def told(self) -> Told:
        """As it is told."""
        return {
            "layer": self.old.layer.name,
            "other": self.new.layer.name,
            "samples": int((self._twin >= 0).sum()),
            "map": self._told_map(),
            "likeness": self._likeness(),
            "neighbourhoods": self._neighbourhoods(),
            "cells": self._cells(),
        }

    def blobs(self) -> dict[str, bytes]:
        """The points of both halves, with the image and point of each sample."""
        own = {f"{which} {name}": one.samples[name] for which, one in (("old", self.old), ("new", self.new))
               for name in ("image", "point")}  # fmt: skip
        return {"points": tables.pack({**self._maps[0], **own})}

    def picture(self) -> bytes:
        """Both halves of the map side by side, PNG."""
        titles = [one.plan.model.card.name for one in (self.old, self.new)]
        layouts = [half.layout for half in self._halves]
        labels = [self._label[half.image] for half in self._halves]
        return draw(layouts, labels, self._names, titles, self.old.layer.name, self._side, self._found)

    def _told_map(self) -> Told:
        seed = self._step.plan.spec.seed
        (old, new), (floor_old, floor_new) = ((one["old"], one["new"]) for one in self._maps)
        paired = np.flatnonzero(self._twin >= 0)
        itself = np.arange(len(floor_old))
        trust = [quality(one.samples["activations"], layout, one.samples["image"], seed=seed).trustworthiness
                 for one, layout in ((self.old, old), (self.new, new))]  # fmt: skip
        return {
            "twins": {"distance": significant(twin_distance(old[paired], new[self._twin[paired]])),
                      "floor": significant(twin_distance(floor_old, floor_new))},
            "retrieval": {"share": significant(retrieval(old, new, self._twin, seed=seed)),
                          "floor": significant(retrieval(floor_old, floor_new, itself, seed=seed))},
            "trustworthiness": {"old": significant(trust[0]), "new": significant(trust[1])},
        }  # fmt: skip

    def _likeness(self) -> Told:
        """By alignment and by common neighbours, of all images and of each class."""
        firsts = self._first_samples()
        images = self.old.samples["image"][firsts]
        grams = [gram(one.samples["activations"][rows])
                 for one, rows in ((self.old, firsts), (self.new, self._twin[firsts]))]  # fmt: skip
        overlap = overlaps(self.old.found.index, self.new.found.index, self._twin)
        owners = self.old.samples["image"]
        by_class = []
        for index in self._occurring():
            mine = self._label[images] == index
            aligned = alignment(*(one[np.ix_(mine, mine)] for one in grams))
            shared = mean_overlap(overlap[self._label[owners] == index], owners[self._label[owners] == index])
            if shared is not None:
                by_class.append({"index": index, "name": self._names[index], "cka": _told(aligned),
                                 "neighbours": _told(shared)})  # fmt: skip
        by_class.sort(key=lambda one: one["neighbours"]["value"])
        k = self.old.found.index.shape[1]
        return {"cka": _told(alignment(*grams)), "neighbours": _told(mean_overlap(overlap, owners)), "k": k,
                "chance": significant(self.new.found.index.shape[1] / max(1, len(self.new.found.index) - 1)),
                "classes": by_class[:TOLD_CLASSES]}  # fmt: skip

    def _first_samples(self) -> NDArray[np.int64]:
        """One sample that has a twin of each of the first images by hashed id."""
        paired = np.flatnonzero(self._twin >= 0)
        image, first = np.unique(self.old.samples["image"][paired], return_index=True)
        listing = self._step.runtime.dataset(self.old.plan).listing
        order = by_hash([listing.images[place] for place in image.tolist()], self.old.plan.spec.seed)
        return np.sort(paired[first[order[:ALIGNED_IMAGES]]])

    def _occurring(self) -> list[int]:
        present = self._label[np.unique(self.old.samples["image"])]
        return [int(index) for index in np.unique(present) if index >= 0]

    def _neighbourhoods(self) -> list[Told]:
        """Each class with the other classes nearest to it in both models; those that changed first."""
        if not self._names:
            return []
        found = neighbourhoods(self.old.found.index, self.old.samples["image"], self.new.found.index,
                               self.new.samples["image"], self._label, len(self._names))  # fmt: skip
        looked_at = (found.old + found.new > 0) & ~np.eye(len(self._names), dtype=bool)
        q = np.ones_like(found.p)
        q[looked_at] = adjusted(found.p[looked_at])
        moved = looked_at & (q <= self._alpha) & (np.abs(found.new - found.old) >= MARGIN)
        told = []
        for index in self._occurring():
            changed = sorted(np.flatnonzero(moved[index]), key=lambda other: -abs(found.new - found.old)[index, other])
            told.append({
                "index": index, "name": self._names[index], "images": int(found.images[index]),
                "own": {"old": significant(found.old[index, index]), "new": significant(found.new[index, index])},
                "nearest": {which: self._nearest(shares, index)
                            for which, shares in (("old", found.old), ("new", found.new))},
                "changes": [{"name": self._names[other], "old": significant(found.old[index, other]),
                             "new": significant(found.new[index, other]), "q": significant(q[index, other])}
                            for other in changed],
            })  # fmt: skip
        return sorted(told, key=lambda one: (-len(one["changes"]), one["index"]))[:TOLD_CLASSES]

    def _nearest(self, shares: NDArray[np.float64], index: int) -> list[Told]:
        row = shares[index].copy()
        row[index] = 0
        first = np.argsort(-row, kind="stable")[:NEAREST]
        return [{"name": self._names[other], "share": significant(row[other])} for other in first if row[other] > 0]

    def _cells(self) -> Told:
        """Cells born, lost and moved, those whose accuracy changed, and beside them what noise alone does."""
        found = self._found
        return {
            "side": self._side,
            "reach": significant(found.reach),
            "astray": {"share": significant(found.astray), "floor": significant(found.floor)},
            "filled": {"old": found.filled[0], "new": found.filled[1]},
            "numbers": {kind: len(getattr(found, kind)) for kind in ("born", "lost", "moved")},
            "born": [self._change(one, 1) for one in found.born[:TOLD_CELLS]],
            "lost": [self._change(one, 0) for one in found.lost[:TOLD_CELLS]],
            "moved": [self._change(one, 1) for one in found.moved[:TOLD_CELLS]],
            "accuracy": list(self._cell_accuracy()),
        }

    def _change(self, change: Change, which: int) -> Told:
        half, one = self._halves[which], (self.old, self.new)[which]
        images = np.unique(half.image[change.samples])
        came = {} if change.origin is None else {"from": self._place(change.origin)}
        return {**self._place(change.cell), **came, "images": change.images, "others": change.others,
                "astray": change.astray, "q": significant(change.q), "classes": self._mix(images),
                "exemplars": self._exemplars(one, change.samples, ("old", "new")[which])}  # fmt: skip

    def _place(self, cell: int) -> Told:
        row, column = divmod(cell, self._side)
        return {"column": column, "row": row}

    def _mix(self, images: NDArray[np.integer]) -> list[Told]:
        """The classes that some images are of, the most frequent first."""
        labels = self._label[images]
        index, times = np.unique(labels[labels >= 0], return_counts=True)
        order = np.argsort(-times, kind="stable")[:NAMED]
        return [{"name": self._names[index[one]], "share": significant(times[one] / len(images))} for one in order]

    def _exemplars(self, one: Seen, samples: NDArray[np.int64], of: str) -> list[Told]:
        """Patches of some samples, those nearest to their mean, one an image; none with privacy `strict`."""
        if self._step.plan.spec.strict:
            return []
        rows = one.samples["activations"][samples].astype(np.float64)
        unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        order = samples[np.argsort(-(unit @ unit.mean(axis=0)), kind="stable")]
        _, once = np.unique(one.samples["image"][order], return_index=True)
        listing = self._step.runtime.dataset(one.plan).listing
        return [{"of": of, "layer": one.layer.name, "image": listing.images[one.samples["image"][sample]],
                 "row": int(one.places["row"][sample]), "column": int(one.places["column"][sample])}
                for sample in order[np.sort(once)[:EXEMPLARS]]]  # fmt: skip

    def _cell_accuracy(self) -> Iterator[Told]:
        """Cells of the old half whose images are got right more or less often, the surest first."""
        label = self._answers[0]["label"]
        cells, image = self._halves[0].cells(self._side), self._halves[0].image
        known = label[image] >= 0
        for answers in self._answers:
            known &= answers["top"][image] >= 0
        pairs = np.unique(np.stack([cells[known], image[known]], axis=1), axis=0)
        kept = np.flatnonzero(np.bincount(pairs[:, 0], minlength=self._side**2) >= LEAST_IMAGES)
        found = []
        for cell in kept:
            own = pairs[pairs[:, 0] == cell, 1]
            found.append((compared(*(answers["top"][own] == label[own] for answers in self._answers)), own))
        q = adjusted(np.array([one.p for one, _ in found]))
        for place in sorted(np.flatnonzero(q <= self._alpha), key=lambda place: q[place])[:TOLD_CELLS]:
            one, own = found[place]
            yield {**self._place(int(kept[place])), "images": one.images, "old": significant(one.old),
                   "new": significant(one.new), "change": significant(one.change), "q": significant(q[place]),
                   "classes": self._mix(own)}  # fmt: skip


def _told(found: Likeness | None) -> Told | None:
    if found is None:
        return None
    return {"value": significant(found.value), "low": significant(found.low), "high": significant(found.high),
            "images": found.images}  # fmt: skip
