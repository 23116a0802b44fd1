"""Which samples are most like what a network sees at a position of an image: search by example.

Up to `EXACT_SAMPLES` every sample is compared, above that those of the inverted lists nearest to the position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.errors import InputError
from atlas_core.models.preprocessing import read_pixels, to_unit
from atlas_core.nearest import exact_distances, unit_rows
from atlas_core.project import evenly
from atlas_core.search import SampleTable, Wanted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.plan import Plan
    from atlas_core.projection import ProjectionIndex
    from atlas_core.runtime import Runtime

PROBES, SHARED_PROBES = 32, 8
"""Lists looked through of a map of more than `EXACT_SAMPLES`: for one position, and for each of several."""
POSITIONS = 7
"""Of a whole image so many a side are compared at most, spread evenly."""
BLOCK = 8192
SPARE = 64
"""Samples measured anew beyond those wanted: matmuls give their cosines to the last digits only."""


@dataclass(frozen=True)
class Like:
    """Which samples are asked for.

    Args:
        count: How many at most.
        row: In the layer's grid; None, like `column`, for the whole image, of which each sample is told with the
            position that it is most like.
        column: In the layer's grid.
        label: As of `search.Wanted`.
        predicted: As of `search.Wanted`.
        wrong: As of `search.Wanted`.
        right: As of `search.Wanted`.
    """

    count: int
    row: int | None = None
    column: int | None = None
    label: int | None = None
    predicted: int | None = None
    wrong: bool = False
    right: bool = False

    @property
    def wanted(self) -> Wanted:
        """Which samples count."""
        return Wanted(self.label, self.predicted, self.wrong, self.right)


def resembling(plan: Plan, runtime: Runtime, data: bytes, layer: str, like: Like) -> dict[str, list[Any]]:
    """The samples most like an image at a layer.

    Args:
        plan: Of an atlas whose index is published.
        runtime: Store and models.
        data: Bytes of a JPEG, PNG or WebP, or of an array (.npy).
        layer: Name of a layer of the atlas.
        like: Which.

    Returns:
        `sample`, numbers, by cosine distance and then by number; `distance`; `at`, row and column.

    Raises:
        ImageError: The bytes are no picture.
        InputError: The layer's grid has no such position.
        UnknownLayerError: The atlas has no such layer.
        NotFoundError: The atlas has no index yet.
    """
    plan.check_layer(layer)
    rows, columns = positions_of(plan.model.layer(layer).shape[1:], like)
    pixels = to_unit(read_pixels(data, plan.model.card.input)[None])
    read, _ = runtime.model(plan.model.card).activations(pixels, [layer], logits=False)
    index = runtime.index(plan, plan.find("publish", layer=layer, step="index")[0].key)
    keep = None if like.wanted.everything else _kept(plan, runtime, layer, like.wanted)
    units = unit_rows(np.ascontiguousarray(read[layer][0][:, rows, columns].T))
    sample, distance, best = most_like(index, units, like.count, keep)
    return {
        "sample": sample.tolist(),
        "distance": [round(one, 6) for one in distance.tolist()],
        "at": [[int(rows[place]), int(columns[place])] for place in best],
    }


def positions_of(grid: tuple[int, ...], like: Like) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the position that is asked about, or of at most 7 x 7 inside the border of the grid.

    Raises:
        InputError: The grid has no such position.
    """
    if like.row is None or like.column is None:
        spread = np.meshgrid(*(evenly(side, POSITIONS) for side in grid), indexing="ij")
        return spread[0].ravel(), spread[1].ravel()
    for name, value, side in (("row", like.row, grid[0]), ("column", like.column, grid[1])):
        if not 0 <= value < side:
            raise InputError(f"{name} {value} is outside of the layer's grid of {grid[0]} rows and {grid[1]} columns",
                             pointer=f"/{name}")  # fmt: skip
    return np.array([like.row]), np.array([like.column])


def _kept(plan: Plan, runtime: Runtime, layer: str, wanted: Wanted) -> NDArray[np.bool_]:
    record = runtime.record(plan, plan.samples_of(layer).key)
    with runtime.store.open_blob(record["blobs"]["samples"]) as file:
        table = SampleTable.from_tables(tables.open_table(file))
    keep = np.zeros(len(table), dtype=bool)
    keep[table.sample[wanted.of(table, np.arange(len(table)))]] = True
    return keep


def most_like(
    index: ProjectionIndex, units: NDArray[np.float32], count: int, keep: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """The samples nearest to any of some directions.

    Args:
        index: Of the layer.
        units: Unit rows, shape (p, channels).
        count: How many at most.
        keep: Which samples count, shape (n,); all by default.

    Returns:
        Samples, shape (k,), their cosine distances, and the direction each is nearest to; by distance, then by number.
    """
    among = _among(index, units)
    if keep is not None:
        among = among[keep[among]]
    cosine, best = np.empty(len(among), np.float32), np.empty(len(among), np.int64)
    for first in range(0, len(among), BLOCK):
        part = slice(first, first + BLOCK)
        found = _rows(index, among[part]) @ units.T
        best[part] = found.argmax(axis=1)
        cosine[part] = found[np.arange(len(found)), best[part]]
    if len(among) > count + SPARE:
        nearest = np.sort(np.argpartition(-cosine, count + SPARE - 1)[: count + SPARE])
        among, best = among[nearest], best[nearest]
    distance = exact_distances(_rows(index, among), units, best[:, None])[:, 0]
    order = np.lexsort((among, distance))[:count]
    return among[order], distance[order], best[order]


def _among(index: ProjectionIndex, units: NDArray[np.float32]) -> NDArray[np.int64]:
    """The samples to look at, ascending."""
    if index.lists is None:
        return np.arange(len(index.images))
    probes = PROBES if len(units) == 1 else SHARED_PROBES
    return np.unique(np.concatenate([index.lists.near(unit, probes) for unit in units]))


def _rows(index: ProjectionIndex, samples: NDArray[np.int64]) -> NDArray[np.float32]:
    """Unit rows of some samples."""
    rows: NDArray[np.float32] = index.activations[samples].astype(np.float32) / index.length[samples, None]
    return rows
