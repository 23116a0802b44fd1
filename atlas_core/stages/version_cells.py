"""Cells of a coupled map that changed, as they are told: born, lost, moved, and got right more or less often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.stages.step import significant
from atlas_core.statistics import adjusted
from atlas_core.versions.paired import compared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.compared import Compared
    from atlas_core.stages.models import Seen
    from atlas_core.versions.changes import Change

TOLD_CELLS, EXEMPLARS, NAMED = 50, 4, 3
LEAST_IMAGES = 10
"""Of a cell of which an accuracy is told."""

Told = dict[str, Any]


def told_cells(both: Compared) -> Told:
    """Cells born, lost and moved, those whose accuracy changed, and beside them what noise alone does."""
    found = both.found
    return {
        "side": both.side,
        "reach": significant(found.reach),
        "astray": {"share": significant(found.astray), "floor": significant(found.floor)},
        "filled": {"old": found.filled[0], "new": found.filled[1]},
        "numbers": {kind: len(getattr(found, kind)) for kind in ("born", "lost", "moved")},
        "born": [_change(both, one, 1) for one in found.born[:TOLD_CELLS]],
        "lost": [_change(both, one, 0) for one in found.lost[:TOLD_CELLS]],
        "moved": [_change(both, one, 1) for one in found.moved[:TOLD_CELLS]],
        "accuracy": list(_cell_accuracy(both)),
    }


def _change(both: Compared, change: Change, which: int) -> Told:
    half, one = both.halves[which], (both.old, both.new)[which]
    images = np.unique(half.image[change.samples])
    came = {} if change.origin is None else {"from": _place(both, change.origin)}
    return {**_place(both, change.cell), **came, "images": change.images, "others": change.others,
            "astray": change.astray, "q": significant(change.q), "classes": _mix(both, images),
            "exemplars": _exemplars(both, one, change.samples, ("old", "new")[which])}  # fmt: skip


def _place(both: Compared, cell: int) -> Told:
    row, column = divmod(cell, both.side)
    return {"column": column, "row": row}


def _mix(both: Compared, images: NDArray[np.integer]) -> list[Told]:
    """The classes that some images are of, the most frequent first."""
    labels = both.label[images]
    index, times = np.unique(labels[labels >= 0], return_counts=True)
    order = np.argsort(-times, kind="stable")[:NAMED]
    return [{"name": both.names[index[one]], "share": significant(times[one] / len(images))} for one in order]


def _exemplars(both: Compared, one: Seen, samples: NDArray[np.int64], of: str) -> list[Told]:
    """Patches of some samples, those nearest to their mean, one an image; none with privacy `strict`."""
    if both.step.plan.spec.strict:
        return []
    rows = one.samples["activations"][samples].astype(np.float64)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    order = samples[np.argsort(-(unit @ unit.mean(axis=0)), kind="stable")]
    _, once = np.unique(one.samples["image"][order], return_index=True)
    listing = both.step.runtime.dataset(one.plan).listing
    return [{"of": of, "layer": one.layer.name, "image": listing.images[one.samples["image"][sample]],
             "row": int(one.places["row"][sample]), "column": int(one.places["column"][sample])}
            for sample in order[np.sort(once)[:EXEMPLARS]]]  # fmt: skip


def _cell_accuracy(both: Compared) -> Iterator[Told]:
    """Cells of the old half whose images are got right more or less often, the surest first."""
    label = both.answers[0]["label"]
    cells, image = both.halves[0].cells(both.side), both.halves[0].image
    known = label[image] >= 0
    for answers in both.answers:
        known &= answers["top"][image] >= 0
    pairs = np.unique(np.stack([cells[known], image[known]], axis=1), axis=0)
    kept = np.flatnonzero(np.bincount(pairs[:, 0], minlength=both.side**2) >= LEAST_IMAGES)
    found = []
    for cell in kept:
        own = pairs[pairs[:, 0] == cell, 1]
        found.append((compared(*(answers["top"][own] == label[own] for answers in both.answers)), own))
    q = adjusted(np.array([one.p for one, _ in found]))
    for place in sorted(np.flatnonzero(q <= both.alpha), key=lambda place: q[place])[:TOLD_CELLS]:
        one, own = found[place]
        yield {**_place(both, int(kept[place])), "images": one.images, "old": significant(one.old),
               "new": significant(one.new), "change": significant(one.change), "q": significant(q[place]),
               "classes": _mix(both, own)}  # fmt: skip
