"""Cells of a coupled map that changed, as they are told: born, lost, moved, and got right more or less often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.stages.step import significant
from atlas_core.versions.changes import Change, Kinds, kinds
from atlas_core.versions.paired import compared

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.compared import Compared
    from atlas_core.stages.models import Seen
    from atlas_core.statistics import Together

TOLD_CELLS, EXEMPLARS, NAMED = 50, 4, 3
NOBODY = np.zeros(0, np.int64)
LEAST_IMAGES = 10
"""Of a cell of which an accuracy is told."""

Told = dict[str, Any]


def looked_at(both: Compared) -> tuple[Told, NDArray[np.float64]]:
    """Cells that may have changed, beside what noise alone does, and p of all cells that were looked at."""
    found = both.found
    accuracy, p = _cell_accuracy(both)
    return {
        "side": both.side,
        "reach": significant(found.reach),
        "astray": {"share": significant(found.astray), "floor": significant(found.floor)},
        "filled": {"old": found.filled[0], "new": found.filled[1]},
        "arrived": [_change(both, one, 1) for one in found.arrived if one.p <= both.alpha],
        "left": [_change(both, one, 0) for one in found.left if one.p <= both.alpha],
        "accuracy": accuracy,
    }, np.concatenate([found.p, p])  # fmt: skip


def told_cells(looked: Told, together: Together, alpha: float) -> tuple[Told, Kinds]:
    """Cells born, lost and moved, and those whose accuracy changed, once all that was looked at is known.

    Args:
        looked: From `looked_at`.
        together: All that was looked at.
        alpha: Of the adjusted p under which a change is told.
    """
    side = looked["side"]
    by_cell = [{_number(one, side): one for one in looked[name]} for name in ("arrived", "left")]
    arrived, left = ([_as_change(one, side) for one in cells.values()] for cells in by_cell)
    found = kinds(arrived, left, together.q, alpha)
    changed = {kind: [by_cell[kind == "lost"][one.cell] for one in getattr(found, kind)]
               for kind in ("born", "lost", "moved")}  # fmt: skip
    told = {name: looked[name] for name in ("side", "reach", "astray", "filled")}
    told["numbers"] = {kind: len(cells) for kind, cells in changed.items()}
    told |= {kind: [surely(one, together) for one in cells[:TOLD_CELLS]] for kind, cells in changed.items()}
    sure = [one for one in looked["accuracy"] if together.q(one["p"]) <= alpha]
    return {**told, "accuracy": [surely(one, together) for one in sure[:TOLD_CELLS]]}, found


def surely(one: Told, together: Together) -> Told:
    """Something with its p adjusted for all that was looked at, as `q` in the place of `p`."""
    return {"q" if name == "p" else name: significant(together.q(value)) if name == "p" else value
            for name, value in one.items()}  # fmt: skip


def _number(place: Told, side: int) -> int:
    return int(place["row"] * side + place["column"])


def _as_change(one: Told, side: int) -> Change:
    origin = _number(one["from"], side) if "from" in one else None
    return Change(_number(one, side), one["images"], one["others"], one["astray"], NOBODY, one["p"], origin)


def _change(both: Compared, change: Change, which: int) -> Told:
    half, one = both.halves[which], (both.old, both.new)[which]
    images = np.unique(half.image[change.samples])
    came = {} if change.origin is None else {"from": _place(both, change.origin)}
    return {**_place(both, change.cell), **came, "images": change.images, "others": change.others,
            "astray": change.astray, "p": change.p, "classes": _mix(both, images),
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


def _cell_accuracy(both: Compared) -> tuple[list[Told], NDArray[np.float64]]:
    """Cells of the old half whose images may be got right more or less often, the surest first, and p of all cells."""
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
    p = np.array([one.p for one, _ in found])
    surest = [place for place in np.argsort(p, kind="stable").tolist() if p[place] <= both.alpha]
    return [{**_place(both, int(kept[place])), "images": one.images, "old": significant(one.old),
             "new": significant(one.new), "change": significant(one.change), "p": one.p, "classes": _mix(both, own)}
            for place in surest for one, own in [found[place]]], p  # fmt: skip
