"""How two sets of images differ at a layer: whether, in which cells, and what has no home; and in their classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.drift import Counted, Measured, counted, discrepancy, kernel, smallest_share
from atlas_core.stages.step import significant
from atlas_core.statistics import adjusted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.drift_plan import DriftRequest
    from atlas_core.stages.sides import Side
    from atlas_core.stages.step import Step
    from atlas_core.tables import Table

GRID, LEAST_IN_CELL = 10, 16
"""Cells a side at most; samples that a cell holds at least, on average and by itself, or else counts with others."""
CELL_PERMUTATIONS = 9_999
"""At least, for cells: one that moved is to be found among a hundred."""
HOME = 0.99
"""Share of the atlas's own images that have a home, by definition."""
EXEMPLARS, FARTHEST, CLASSES, CONCEPTS = 4, 20, 100, 500
"""Told at most: patches of a cell that moved, images without a home, classes, cells of the histogram."""

Told = dict[str, Any]


class Difference:
    """How two sets differ at a layer.

    Args:
        step: The step that compares them.
        request: The request, resolved.
        sides: The atlas's own set and the dataset.
        layer: Name of the layer.
        on_progress: Called with (done, total).

    Attributes:
        mmd: Whether they do.
        smallest_share: Of images replaced that would have been found; None where none would.
    """

    def __init__(
        self, step: Step, request: DriftRequest, sides: tuple[Side, Side], layer: str,
        on_progress: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        self._request, self._sides = request, sides
        self._first = len(sides[0].images["image"])
        self._levels = step.plan.spec.levels or [GRID]
        gram = kernel(np.concatenate([side.features(layer) for side in sides]), request.seed)
        self.mmd = discrepancy(gram, self._first, request.permutations, request.seed, on_progress)
        self.smallest_share = smallest_share(gram, self._first, self.mmd, request.alpha, request.seed)
        found = (step.inputs("publish", step="landings", layer=layer, of=side.name)[0] for side in sides)
        self._landed: list[Table] = [step.table(record, "landings") for record in found]

    def told(self, q: float, numbers: Iterator[int]) -> Told:
        """As it is told.

        Args:
            q: The p of the discrepancy, adjusted for the number of layers.
            numbers: Those of the patches that are shown.
        """
        share = self.smallest_share
        return {
            "q": significant(q),
            "mmd": told_test(self.mmd),
            "smallest_share": None if share is None else significant(share),
            "cells": self._cells(numbers),
            "without_home": self._without_home(numbers),
            "concepts": self._concepts(),
        }

    def _owners(self, which: int) -> NDArray[np.int64]:
        """The image of each landed sample of a set, counted over both sets."""
        owners = np.searchsorted(self._sides[which].images["image"], self._landed[which]["image"])
        return np.asarray(owners + which * self._first, dtype=np.int64)

    def _in_cells(self, which: int, side: int) -> NDArray[np.int64]:
        """Row times side plus column of the cell of each landed sample."""
        landed = self._landed[which]
        place = assign_cells(np.stack([landed["x"], landed["y"]], axis=1), side).astype(np.int64)
        return np.asarray(place[:, 1] * side + place[:, 0])

    def _cells(self, numbers: Iterator[int]) -> Told:
        fewest = min(len(landed["image"]) for landed in self._landed)
        side = int(np.clip((fewest / LEAST_IN_CELL) ** 0.5, 1, GRID))
        cells = [self._in_cells(which, side) for which in (0, 1)]
        occurring = np.bincount(np.concatenate(cells), minlength=side**2)
        kept = np.flatnonzero(occurring >= LEAST_IN_CELL)
        category = np.full(side**2, len(kept))
        category[kept] = np.arange(len(kept))
        counts = np.zeros((sum(len(one.images["image"]) for one in self._sides), len(kept) + 1), np.int64)
        for which in (0, 1):
            np.add.at(counts, (self._owners(which), category[cells[which]]), 1)
        permutations = max(CELL_PERMUTATIONS, self._request.permutations)
        found = counted(counts, self._first, permutations, self._request.seed)
        q = adjusted(found.p[: len(kept)])
        moved = [one for one in _ranked(found, q) if q[one] <= self._request.alpha]
        return {
            "side": side,
            **told_test(found.distance),
            "moved": [{**self._place(int(kept[one]), side, cells), **told_category(found, q, one),
                       "change": "gained" if _change(found, one) > 0 else "lost",
                       "exemplars": self._exemplars(int(_change(found, one) > 0), cells, int(kept[one]), numbers)}
                      for one in moved],
        }  # fmt: skip

    def _place(self, cell: int, side: int, cells: Sequence[NDArray[np.int64]]) -> Told:
        """Where a coarse cell is: on the map, and the cell of the atlas's coarsest level that most of it falls into."""
        row, column = divmod(cell, side)
        level = self._levels[0]
        below = np.concatenate([self._in_cells(which, level)[cells[which] == cell] for which in (0, 1)])
        inner = divmod(int(np.bincount(below).argmax()), level)
        return {
            "column": column, "row": row,
            "bbox": [significant(value / side) for value in (column, side - 1 - row, column + 1, side - row)],
            "cell": {"z": 0, "column": inner[1], "row": inner[0]},
        }  # fmt: skip

    def _exemplars(
        self, which: int, cells: Sequence[NDArray[np.int64]], cell: int, numbers: Iterator[int]
    ) -> list[Told]:
        """Patches of the set that has more in a cell, those nearest to the atlas's samples, one an image."""
        landed = self._landed[which]
        inside = np.flatnonzero(cells[which] == cell)
        inside = inside[np.argsort(landed["distance"][inside], kind="stable")]
        _, once = np.unique(landed["image"][inside], return_index=True)
        return [self._patch(which, sample, numbers) for sample in inside[np.sort(once)[:EXEMPLARS]]]

    def _patch(self, which: int, sample: int, numbers: Iterator[int]) -> Told:
        landed, side = self._landed[which], self._sides[which]
        return {"n": next(numbers), "of": side.name, "image": side.named(int(landed["image"][sample])),
                "row": int(landed["row"][sample]), "column": int(landed["column"][sample])}  # fmt: skip

    def _without_home(self, numbers: Iterator[int]) -> Told:
        """Images whose samples lie farther from the atlas's than those of nearly all of its own images do."""
        distance = []
        for which, offset in ((0, 0), (1, self._first)):
            owners = self._owners(which) - offset
            times = np.bincount(owners)
            total = np.bincount(owners, self._landed[which]["distance"].astype(np.float64))
            distance.append(np.where(times > 0, total / np.maximum(times, 1), 0))
        limit = float(np.quantile(distance[0], HOME, method="higher"))
        beyond = np.flatnonzero(distance[1] > limit)
        farthest = beyond[np.argsort(-distance[1][beyond], kind="stable")[:FARTHEST]]
        owners = self._owners(1) - self._first
        patches = []
        for image in farthest:
            samples = np.flatnonzero(owners == image)
            sample = samples[self._landed[1]["distance"][samples].argmax()]
            patches.append({**self._patch(1, sample, numbers), "distance": significant(distance[1][image])})
        return {"percentile": 100 * HOME, "limit": significant(limit), "expected": significant(1 - HOME),
                "share": significant(len(beyond) / len(distance[1])), "images": patches}  # fmt: skip

    def _concepts(self) -> Told:
        """How many samples of each set fall into each cell of the atlas's coarsest level, the dataset's first."""
        side = self._levels[0]
        atlas, dataset = (np.bincount(self._in_cells(which, side), minlength=side**2) for which in (0, 1))
        order = np.lexsort((-atlas, -dataset))
        filled = order[(atlas + dataset)[order] > 0][:CONCEPTS]
        return {
            "z": 0, "side": side, "samples": {"atlas": int(atlas.sum()), "dataset": int(dataset.sum())},
            "cells": [{"column": int(cell % side), "row": int(cell // side), "atlas": int(atlas[cell]),
                       "dataset": int(dataset[cell])} for cell in filled],
        }  # fmt: skip


def mixes(atlas: Side, dataset: Side, request: DriftRequest) -> Told:
    """How the classes of the two sets differ: `labels` where both are labelled, `predicted` where there are logits."""
    return {"labels": _labels(atlas, dataset, request), "predicted": _predicted(atlas, dataset, request)}


def _labels(atlas: Side, dataset: Side, request: DriftRequest) -> Told | None:
    names = list(dict.fromkeys([*(atlas.listing.classes or ()), *(dataset.listing.classes or ())]))
    labels = []
    for side in (atlas, dataset):
        own = side.images["label"]
        if side.listing.classes is None or not (own >= 0).any():
            return None
        index = np.array([names.index(name) for name in side.listing.classes])
        labels.append(np.where(own >= 0, index[own], -1))
    return _mix(names, labels, request)


def _predicted(atlas: Side, dataset: Side, request: DriftRequest) -> Told | None:
    if any("top" not in side.images for side in (atlas, dataset)):
        return None
    told = atlas.plan.model.card.labels
    labels = [side.images["top"] for side in (atlas, dataset)]
    most = max(int(own.max()) for own in labels) + 1
    names = list(told)[:most] if isinstance(told, list) else []
    return _mix([*names, *map(str, range(len(names), most))], labels, request)


def _mix(names: Sequence[str], labels: Sequence[NDArray[np.integer]], request: DriftRequest) -> Told:
    both = np.concatenate(labels)
    occurring, category = np.unique(both, return_inverse=True)
    counts = np.zeros((len(both), len(occurring)), np.int64)
    counts[np.arange(len(both)), category] = 1
    known = occurring >= 0  # images without a label belong to no class
    found = counted(counts[:, known], len(labels[0]), request.permutations, request.seed)
    q = adjusted(found.p)
    classes = [names[index] for index in occurring[known].tolist()]
    told = [{"name": classes[one], **told_category(found, q, one)} for one in _ranked(found, q)[:CLASSES]]
    return {**told_test(found.distance), "classes": told}


def told_test(found: Measured) -> Told:
    """A test as it is told."""
    return {"value": significant(found.value), "null_mean": significant(found.null.mean()),
            "null_deviation": significant(found.null.std()), "excess": significant(found.excess),
            "z": significant(found.z), "p": significant(found.p)}  # fmt: skip


def told_category(found: Counted, q: NDArray[np.float64], one: int) -> Told:
    """The shares of a category in both sets, and how surely they differ."""
    return {"atlas": significant(found.shares[0, one]), "dataset": significant(found.shares[1, one]),
            "p": significant(found.p[one]), "q": significant(q[one])}  # fmt: skip


def _ranked(found: Counted, q: NDArray[np.float64]) -> list[int]:
    """Categories, those that differ most surely first."""
    return sorted(range(len(q)), key=lambda one: (q[one], -abs(_change(found, one))))


def _change(found: Counted, one: int) -> float:
    return float(found.shares[1, one] - found.shares[0, one])
