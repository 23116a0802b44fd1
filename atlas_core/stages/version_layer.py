"""Two models at a layer, as it is told: how alike, on which map, and which classes have other neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.layout.quality import quality
from atlas_core.layout.twins import retrieval, twin_distance
from atlas_core.sampling import by_hash
from atlas_core.stages import version_cells
from atlas_core.stages.step import significant
from atlas_core.stages.version_cells import surely
from atlas_core.versions.likeness import Likeness, alignment, gram, mean_overlap, overlaps
from atlas_core.versions.neighbourhoods import LEAST_IMAGES, neighbourhoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.compared import Compared
    from atlas_core.statistics import Together
    from atlas_core.versions.changes import Kinds

ALIGNED_IMAGES = 2000
"""Of which the alignment is told; the first by hashed id."""
TOLD_CLASSES, NEAREST = 1000, 3
MARGIN = 0.05
"""Share of a class's neighbours that must have become others before that is told as a change."""

Told = dict[str, Any]


def looked_at(both: Compared) -> tuple[Told, NDArray[np.float64]]:
    """What may have changed at a layer, each with its p, and p of all that was looked at."""
    near, p_near = _neighbourhoods(both)
    cells, p_cells = version_cells.looked_at(both)
    return {
        "layer": both.old.layer.name,
        "other": both.new.layer.name,
        "samples": int((both.twin >= 0).sum()),
        "map": _told_map(both),
        "likeness": _likeness(both),
        "neighbourhoods": near,
        "cells": cells,
    }, np.concatenate([p_near, p_cells])  # fmt: skip


def told_layer(looked: Told, together: Together, alpha: float) -> tuple[Told, Kinds]:
    """What changed at a layer beyond the noise, and the cells that did.

    Args:
        looked: From `looked_at`.
        together: All that was looked at.
        alpha: Of the adjusted p under which a change is told.
    """
    cells, kinds = version_cells.told_cells(looked["cells"], together, alpha)
    near = [{**one, "changes": [surely(change, together) for change in one["changes"]
                                if together.q(change["p"]) <= alpha]} for one in looked["neighbourhoods"]]  # fmt: skip
    near.sort(key=lambda one: (-len(one["changes"]), one["index"]))
    return {**looked, "neighbourhoods": near[:TOLD_CLASSES], "cells": cells}, kinds


def points_of(both: Compared) -> bytes:
    """The points of both halves, with the image and point of each sample."""
    own = {f"{which} {name}": one.samples[name] for which, one in (("old", both.old), ("new", both.new))
           for name in ("image", "point")}  # fmt: skip
    return tables.pack({**both.maps[0], **own})


def _told_map(both: Compared) -> Told:
    seed = both.step.plan.spec.seed
    (old, new), (floor_old, floor_new) = ((one["old"], one["new"]) for one in both.maps)
    paired = np.flatnonzero(both.twin >= 0)
    itself = np.arange(len(floor_old))
    trust = [quality(one.samples["activations"], layout, one.samples["image"], seed=seed).trustworthiness
             for one, layout in ((both.old, old), (both.new, new))]  # fmt: skip
    return {
        "twins": {"distance": significant(twin_distance(old[paired], new[both.twin[paired]])),
                  "floor": significant(twin_distance(floor_old, floor_new))},
        "retrieval": {"share": significant(retrieval(old, new, both.twin, seed=seed)),
                      "floor": significant(retrieval(floor_old, floor_new, itself, seed=seed))},
        "trustworthiness": {"old": significant(trust[0]), "new": significant(trust[1])},
    }  # fmt: skip


def _likeness(both: Compared) -> Told:
    """By alignment and by common neighbours, of all images and of each class."""
    firsts = _first_samples(both)
    images = both.old.samples["image"][firsts]
    grams = [gram(one.samples["activations"][rows])
             for one, rows in ((both.old, firsts), (both.new, both.twin[firsts]))]  # fmt: skip
    overlap = overlaps(both.old.found.index, both.new.found.index, both.twin)
    owners = both.old.samples["image"]
    by_class: list[Told] = []
    for index in _occurring(both):
        mine = both.label[images] == index
        aligned = alignment(*(one[np.ix_(mine, mine)] for one in grams))
        shared = mean_overlap(overlap[both.label[owners] == index], owners[both.label[owners] == index])
        if shared is not None:
            by_class.append({"index": index, "name": both.names[index], "cka": _told(aligned),
                             "neighbours": _told(shared)})  # fmt: skip
    by_class.sort(key=lambda one: one["neighbours"]["value"])
    k = both.old.found.index.shape[1]
    return {"cka": _told(alignment(*grams)), "neighbours": _told(mean_overlap(overlap, owners)), "k": k,
            "chance": significant(both.new.found.index.shape[1] / max(1, len(both.new.found.index) - 1)),
            "classes": by_class[:TOLD_CLASSES]}  # fmt: skip


def _first_samples(both: Compared) -> NDArray[np.int64]:
    """One sample that has a twin of each of the first images by hashed id."""
    paired = np.flatnonzero(both.twin >= 0)
    image, first = np.unique(both.old.samples["image"][paired], return_index=True)
    listing = both.step.runtime.dataset(both.old.plan).listing
    order = by_hash([listing.images[place] for place in image.tolist()], both.old.plan.spec.seed)
    return np.sort(paired[first[order[:ALIGNED_IMAGES]]])


def _occurring(both: Compared) -> list[int]:
    present = both.label[np.unique(both.old.samples["image"])]
    return [int(index) for index in np.unique(present) if index >= 0]


def _neighbourhoods(both: Compared) -> tuple[list[Told], NDArray[np.float64]]:
    """Each class with the other classes nearest to it in both models and what may have changed; and p of all pairs."""
    if not both.names:
        return [], np.zeros(0)
    found = neighbourhoods(both.old.found.index, both.old.samples["image"], both.new.found.index,
                           both.new.samples["image"], both.label, len(both.names))  # fmt: skip
    known = (found.old + found.new > 0) & ~np.eye(len(both.names), dtype=bool)
    known &= (found.images >= LEAST_IMAGES)[:, None]
    change = np.abs(found.new - found.old)
    moved = known & (found.p <= both.alpha) & (change >= MARGIN)
    told: list[Told] = []
    for index in _occurring(both):
        changed = [int(other) for other in np.argsort(-change[index], kind="stable") if moved[index, other]]
        told.append({
            "index": index, "name": both.names[index], "images": int(found.images[index]),
            "own": {"old": significant(found.old[index, index]), "new": significant(found.new[index, index])},
            "nearest": {which: _nearest(both, shares, index)
                        for which, shares in (("old", found.old), ("new", found.new))},
            "changes": [{"name": both.names[other], "old": significant(found.old[index, other]),
                         "new": significant(found.new[index, other]), "p": float(found.p[index, other])}
                        for other in changed],
        })  # fmt: skip
    return told, found.p[known]


def _nearest(both: Compared, shares: NDArray[np.float64], index: int) -> list[Told]:
    row = shares[index].copy()
    row[index] = 0
    first = np.argsort(-row, kind="stable")[:NEAREST]
    return [{"name": both.names[int(other)], "share": significant(row[other])} for other in first if row[other] > 0]


def _told(found: Likeness | None) -> Told | None:
    if found is None:
        return None
    return {"value": significant(found.value), "low": significant(found.low), "high": significant(found.high),
            "images": found.images}  # fmt: skip
