"""The cells of a layer's level with the samples that they hold: what an audit cuts its patches from."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.audit.directions import pack_direction
from atlas_core.audit.screening import HALF
from atlas_core.audit.suspects import LEAST_SAMPLES
from atlas_core.binning import assign_cells
from atlas_core.stages.bench import Bench, Sample
from atlas_core.whitening import Whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.stages.step import Step
    from atlas_core.tables import Table

STRAYS = 8
LEAST_GRID, OFF_CENTRE = 7, 0.25
LEAST_OTHERS = 5
"""Cells that show other classes, under which nothing is usual."""


class Cellmates:
    """Cells of a level of a layer.

    Args:
        step: Its inputs hold the layer's layout, cells and classes, and all that was collected.
        bench: Of the step.
        name: Of the layer.
        side: Of the level.
    """

    def __init__(self, step: Step, bench: Bench, name: str, side: int) -> None:
        """Nothing is read yet."""
        self.name, self.side = name, side
        self._step, self._bench = step, bench
        (self._cells,) = step.inputs("cells", layer=name, step=None)

    @cached_property
    def level(self) -> Table:
        """The level's cells."""
        return self._step.table(self._cells, f"level-{self.side}")

    @cached_property
    def attribution(self) -> NDArray[np.floating[Any]]:
        """Mean attribution to every class, shape (classes, m); of no class where nothing is attributed."""
        (classes,) = self._step.inputs("cells", layer=self.name, step="classes")
        found: NDArray[np.floating[Any]] = self._step.table(classes, f"attribution-{self.side}")["attribution"]
        return found

    @cached_property
    def _told(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self._step.runtime.store.get_blob(self._cells["blobs"][f"cells-{self.side}"])
        )
        return found

    @cached_property
    def _members(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """By sample the place of its cell, row times side plus column, and its image."""
        layout = self._step.plan.layout_of(self.name)
        table = self._step.table(self._step.runtime.record(self._step.plan, layout.key), "layout")
        place = assign_cells(table["layout"], self.side).astype(np.int64)
        return place[:, 1] * self.side + place[:, 0], table["image"].astype(np.int64)

    def place(self, cell: int) -> tuple[int, int]:
        """Column and row of a cell."""
        return int(self.level["column"][cell]), int(self.level["row"][cell])

    def samples(self, cell: int) -> NDArray[np.int64]:
        """The samples of a cell, by their number in the layer."""
        column, row = self.place(cell)
        return np.flatnonzero(self._members[0] == row * self.side + column)

    def exemplars(self, cell: int) -> list[Sample]:
        """The samples nearest to the cell's mean, one an image."""
        place = self._bench.dataset.listing.place
        return [Sample(found, one["row"], one["column"]) for one in self._told[cell]["exemplars"]
                if (found := place(one["image"])) is not None]  # fmt: skip

    def _labels(self, samples: NDArray[np.int64]) -> NDArray[np.int32]:
        labels: NDArray[np.int32] = self._bench.dataset.listing.labels[self._members[1][samples]]
        return labels

    def described(self, cell: int, target: int) -> dict[str, Any]:
        """What a cell holds: samples, images, how many are labelled and of a class, its direction and its spread.

        The spread is the median distance of its samples in pictures of the class from the place in the middle of them,
        in sides of the grid; None where that is the middle of the picture, in which things are put, or the grid coarse.
        `usual_spread` is the median of those of cells that show other classes, None where there are few.
        """
        samples = self.samples(cell)
        labels = self._labels(samples)
        images = len(np.unique(self._members[1][samples]))
        own = samples[labels == target]
        others = [spread for label, spread in self._spreads if label != target]
        usual = round(float(np.median(others)), 4) if len(others) >= LEAST_OTHERS else None
        spread, error = self._spread(own if len(own) else samples) or (None, None)
        return {"spread": spread, "spread_error": error, "usual_spread": usual, "count": len(samples),
                "images": images, "labelled": int((labels >= 0).sum()), "own": int((labels == target).sum()),
                "direction": pack_direction(self.level["mean"][cell])}  # fmt: skip

    @cached_property
    def _spreads(self) -> list[tuple[int, float]]:
        """The spread of every cell that is mostly of one class, and that class, where it has one."""
        found = []
        for cell in range(len(self.level["count"])):
            samples = self.samples(cell)
            labels = self._labels(samples)
            common = int(np.bincount(labels + 1, minlength=2)[1:].argmax())
            own = samples[labels == common]
            many = len(own) >= max(LEAST_SAMPLES, HALF * (labels >= 0).sum())
            if many and (spread := self._spread(own)) is not None:
                found.append((common, spread[0]))
        return found

    def shares(self, cell: int, classes: int) -> NDArray[np.float64]:
        """Shares of a cell's labelled samples that come from pictures of each class, shape (classes,)."""
        labels = self._labels(self.samples(cell))
        labels = labels[(labels >= 0) & (labels < classes)]
        return np.asarray(np.bincount(labels, minlength=classes) / max(1, len(labels)), dtype=np.float64)

    def stray_images(self, cell: int, classes: int) -> NDArray[np.int64]:
        """Labelled pictures of other classes than each that a cell's samples come from, shape (classes,)."""
        images = np.unique(self._members[1][self.samples(cell)])
        labels = self._bench.dataset.listing.labels[images]
        own = np.bincount(labels[(labels >= 0) & (labels < classes)], minlength=classes)
        return np.asarray(int((labels >= 0).sum()) - own, dtype=np.int64)

    @cached_property
    def _where(self) -> NDArray[np.float64]:
        """Down and across of every sample, in sides of the grid, shape (n, 2)."""
        _, height, width = self._step.plan.model.layer(self.name).shape
        found = self._gathered(np.arange(len(self._members[0])), ("row", "column"))
        return np.stack([(found["row"] + 0.5) / height, (found["column"] + 0.5) / width], axis=1)

    def _spread(self, samples: NDArray[np.int64]) -> tuple[float, float] | None:
        """Median distance from the place in the middle, and its standard error, by the order of the distances.

        Of samples of one picture, which hang together, one counts.
        """
        _, height, width = self._step.plan.model.layer(self.name).shape
        where = self._where[samples]
        middle = np.median(where, axis=0)
        if min(height, width) < LEAST_GRID or np.abs(middle - 0.5).max() < OFF_CENTRE:
            return None
        distance = np.hypot(*(where - middle).T)
        away = 0.5 / np.sqrt(len(np.unique(self._members[1][samples])))
        low, middling, high = np.quantile(distance, [max(0, 0.5 - away), 0.5, min(1, 0.5 + away)])
        return round(float(middling), 4), round(float(high - low) / 2, 4)

    @cached_property
    def whitening(self) -> Whitening:
        """The layer's."""
        return Whitening.from_tables(self._step.table(self._cells, "whitening"))

    def usual_likeness(self, cell: int, target: int) -> float:
        """Median whitened cosine of a cell's mean with its samples in pictures of a class; with all where none is."""
        samples = self.samples(cell)
        own = samples[self._labels(samples) == target]
        found = self._gathered(own if len(own) else samples, ("activations",))["activations"]
        mean = self.whitening.directions(self.level["mean"][cell][None])[0]
        return float(np.median(self.whitening.directions(found) @ mean))

    def strays(self, cell: int, target: int) -> list[Sample]:
        """Samples of a cell in pictures labelled otherwise, those nearest to its mean, one an image."""
        samples = self.samples(cell)
        labels = self._labels(samples)
        others = samples[(labels >= 0) & (labels != target)]
        if not len(others):
            return []
        found = self._gathered(others, ("activations", "image", "row", "column"))
        mean = self.whitening.directions(self.level["mean"][cell][None])[0]
        nearest = np.argsort(-(self.whitening.directions(found["activations"]) @ mean), kind="stable")
        _, first = np.unique(found["image"][nearest], return_index=True)
        return [Sample(int(found["image"][one]), int(found["row"][one]), int(found["column"][one]))
                for one in nearest[np.sort(first)[:STRAYS]]]  # fmt: skip

    def _gathered(self, samples: NDArray[np.int64], columns: tuple[str, ...]) -> Table:
        """Columns of some samples, ascending."""
        parts, passed = [], 0
        for record in self._step.inputs("collect"):
            if f"layer {self.name}" not in record["blobs"]:
                continue
            shard = self._step.table(record, f"layer {self.name}")
            first, last = np.searchsorted(samples, [passed, passed + len(shard["image"])])
            parts.append({name: shard[name][samples[first:last] - passed] for name in columns})
            passed += len(shard["image"])
        return {name: np.concatenate([part[name] for part in parts]) for name in columns}
