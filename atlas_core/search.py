"""Which samples lie in a part of the map: the reverse of projection, and light enough for the service.

The samples of a layer stand in the order in which a Z-shaped curve (Morton's) visits the map. Those of a rectangle then
lie in a few runs of rows: of a table that is mapped into memory nothing else is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from atlas_core.binning import assign_cells
from atlas_core.errors import LayoutError

BITS = 16
"""Of each axis along the curve."""
FINENESS = 8
"""A rectangle is covered by squares of at least this part of its longer side; what they add is left out again."""
NONE = -1
"""Class of an image that has no label, or of a network without logits."""


class Area(Protocol):
    """A part of the map."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The rectangle around it: x0, y0, x1, y1."""

    def holds(self, points: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which points (x, y) lie inside, shape (n,)."""


@dataclass(frozen=True)
class Box:
    """A rectangle of the map, half-open but at the map's own edge: boxes that tile the map share no sample."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Its corners: x0, y0, x1, y1."""
        return self.x0, self.y0, self.x1, self.y1

    def holds(self, points: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Which points (x, y) lie inside, shape (n,)."""
        x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
        right, top = (x < self.x1) | (self.x1 >= 1), (y < self.y1) | (self.y1 >= 1)
        return (x >= self.x0) & right & (y >= self.y0) & top


@dataclass(frozen=True, eq=False)
class Wanted:
    """Which samples count: those of which all that is given holds.

    Args:
        label: Class of their images.
        predicted: Class that the network takes their images for.
        wrong: Only of images that the network got wrong.
        right: Only of images that the network got right.
        among: Of every number of a sample whether it counts, shape (n,).
        image: Place of their image in the listing.
    """

    label: int | None = None
    predicted: int | None = None
    wrong: bool = False
    right: bool = False
    among: NDArray[np.bool_] | None = None
    image: int | None = None

    @property
    def everything(self) -> bool:
        """Whether all samples count."""
        given = (self.label, self.predicted, self.among, self.image)
        return not (self.wrong or self.right) and all(one is None for one in given)

    def of(self, table: SampleTable, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some rows."""
        if self.among is not None:
            rows = rows[self.among[table.sample[rows]]]
        asked_of = ((table.image, self.image), (table.label, self.label), (table.predicted, self.predicted))
        for column, value in asked_of:
            if value is not None:
                rows = rows[column[rows] == value]
        for asked, equal in ((self.wrong, False), (self.right, True)):
            if asked:
                label, predicted = table.label[rows], table.predicted[rows]
                rows = rows[(label != NONE) & (predicted != NONE) & ((label == predicted) == equal)]
        return rows


EVERY = Wanted()


@dataclass(frozen=True)
class SampleTable:
    """The samples of a layer, in the order of the map.

    Args:
        code: Place along the curve, shape (n,) uint32, ascending.
        layout: Points in the unit square, shape (n, 2) float32.
        sample: Number of each in the order of the listing, in which they were collected, shape (n,) int32.
        place: Row of each number, shape (n,) int32: the inverse of `sample`.
        image: Place in the listing, shape (n,) int32.
        row: Row in the layer's grid, shape (n,) int16.
        column: Column in the layer's grid, shape (n,) int16.
        label: Class of the image, shape (n,) int32, or `NONE`.
        predicted: Its class of the largest logit, shape (n,) int32, or `NONE`.
        shards: Number of the first sample of each collected shard, and of all, shape (shards + 1,) int64.
    """

    code: NDArray[np.uint32]
    layout: NDArray[np.float32]
    sample: NDArray[np.int32]
    place: NDArray[np.int32]
    image: NDArray[np.int32]
    row: NDArray[np.int16]
    column: NDArray[np.int16]
    label: NDArray[np.int32]
    predicted: NDArray[np.int32]
    shards: NDArray[np.int64]

    def __len__(self) -> int:
        """Number of samples."""
        return len(self.code)

    @classmethod
    def build(
        cls, layout: NDArray[np.float32], columns: dict[str, NDArray[Any]], shards: NDArray[np.integer[Any]]
    ) -> SampleTable:
        """Sort samples along the curve.

        Args:
            layout: Points in the unit square, shape (n, 2).
            columns: `image`, `row`, `column`, `label` and `predicted` of each sample, in the same order.
            shards: Samples of each collected shard, n in all.

        Raises:
            LayoutError: They are not of the same samples, or a point lies outside of the unit square.
        """
        if any(len(values) != len(layout) for values in columns.values()) or shards.sum() != len(layout):
            raise LayoutError(f"{len(layout)} points need as many samples, and shards that hold so many")
        code = curve(layout)
        order = np.argsort(code, kind="stable")
        place = np.empty(len(order), np.int32)
        place[order] = np.arange(len(order))
        types = {"image": np.int32, "row": np.int16, "column": np.int16, "label": np.int32, "predicted": np.int32}
        return cls(
            code=code[order], layout=layout[order], sample=order.astype(np.int32), place=place,
            shards=np.concatenate([[0], np.cumsum(shards)]).astype(np.int64),
            **{name: columns[name][order].astype(kind) for name, kind in types.items()},
        )  # fmt: skip

    def inside(self, area: Area, wanted: Wanted = EVERY) -> NDArray[np.int64]:
        """Rows of the samples in a part of the map, in the order of the map."""
        rows = self._about(Box(*area.bounds))
        return wanted.of(self, rows[area.holds(self.layout[rows])])

    def in_cell(self, side: int, column: int, row: int, wanted: Wanted = EVERY) -> NDArray[np.int64]:
        """Rows of the samples in a cell of a level of so many cells a side, in the order of the map."""
        left, bottom, slack = column / side, (side - 1 - row) / side, 2.0**-BITS
        box = Box(left - slack, bottom - slack, left + 1 / side + slack, bottom + 1 / side + slack)
        rows = self._about(box)
        return wanted.of(self, rows[(assign_cells(self.layout[rows], side) == [column, row]).all(axis=1)])

    def near(
        self, x: float, y: float, count: int, wanted: Wanted = EVERY
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of the samples nearest to a point of the map, and their distances in sides of the map.

        Args:
            x: In [0, 1].
            y: In [0, 1], upwards.
            count: How many at most.
            wanted: Which count.

        Returns:
            Sorted by distance, then by number.
        """
        reach = np.sqrt(count / max(1, len(self)))
        while True:
            rows = self.inside(Box(x - reach, y - reach, x + reach, y + reach), wanted)
            distance = np.hypot(*(self.layout[rows].astype(np.float64) - (x, y)).T)
            if reach > 1 or (distance < reach).sum() >= count:  # what lies outside of the box is farther than these
                order = np.lexsort((self.sample[rows], distance))[:count]
                return rows[order], distance[order]
            reach *= 2

    def count(self, wanted: Wanted) -> int:
        """How many of all samples count."""
        return len(self) if wanted.everything else len(wanted.of(self, np.arange(len(self))))

    def images(self, rows: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The images of some samples by their place in the listing, ascending, and how many of the samples each has."""
        if len(rows) == 0:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        counts = np.bincount(self.image[rows])
        found = np.flatnonzero(counts)
        return found, counts[found]

    def _about(self, box: Box) -> NDArray[np.int64]:
        """Rows of the squares that cover a rectangle, ascending: all samples in it, and some beside it."""
        squares = np.array(list(_squares(*_corners(box))), dtype=np.int64).reshape(-1, 2)
        if len(squares) == 0:
            return np.zeros(0, np.int64)
        starts = np.searchsorted(self.code, squares[:, 0].astype(np.uint32), side="left")
        stops = np.searchsorted(self.code, (squares[:, 1] - 1).astype(np.uint32), side="right")
        return np.concatenate([np.arange(start, stop) for start, stop in zip(starts, stops, strict=True)])

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> SampleTable:
        """The inverse of `to_tables`."""
        return cls(**{field.name: tables[field.name] for field in fields(cls)})


def curve(layout: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Place of points of the unit square along the curve: the bits of x and y in turn, shape (n,).

    Raises:
        LayoutError: A point lies outside of the unit square.
    """
    if not ((layout >= 0) & (layout <= 1)).all():
        raise LayoutError("a point of the layout is not finite or lies outside the unit square")
    x, y = np.minimum(np.floor(layout.astype(np.float64).T * 2**BITS), 2**BITS - 1).astype(np.uint32)
    code: NDArray[np.uint32] = _spread(x) | (_spread(y) << np.uint32(1))
    return code


def _spread(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Put a 0 before every bit of 16-bit numbers."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        values = (values | (values << np.uint32(shift))) & np.uint32(mask)
    return values


def _corners(box: Box) -> tuple[int, int, int, int]:
    """The rectangle in steps of the curve: first and last of x, first and last of y."""
    low, high = np.floor(np.clip([[box.x0, box.y0], [box.x1, box.y1]], -1, 2) * 2**BITS).astype(int).tolist()
    return low[0], high[0], low[1], high[1]


def _squares(left: int, right: int, bottom: int, top: int) -> Iterator[tuple[int, int]]:
    """Runs [start, stop) of the curve that cover a rectangle, ascending, those that touch joined."""
    least = max(1, (max(right - left, top - bottom) + 1) // FINENESS)
    run: tuple[int, int] | None = None
    waiting = [(0, 0, 0, BITS)]
    while waiting:
        x, y, code, bits = waiting.pop()
        size = 1 << bits
        if x > right or y > top or x + size <= left or y + size <= bottom:
            continue
        inside = left <= x and x + size - 1 <= right and bottom <= y and y + size - 1 <= top
        if not inside and size > least:
            half, quarter = size >> 1, 1 << (2 * bits - 2)
            waiting += [(x + half * (part & 1), y + half * (part >> 1), code + part * quarter, bits - 1)
                        for part in (3, 2, 1, 0)]  # fmt: skip
            continue
        start, stop = code, code + (1 << (2 * bits))
        if run is not None and run[1] == start:
            run = (run[0], stop)
            continue
        if run is not None:
            yield run
        run = (start, stop)
    if run is not None:
        yield run
