"""What a step is given and gives back, and the samples of a layer gathered from their shards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core import tables
from atlas_core.errors import DatasetError
from atlas_core.privacy import without_names

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from atlas_core.cards import LayerInfo
    from atlas_core.plan import Chunk, Plan
    from atlas_core.runtime import Runtime


@dataclass(frozen=True)
class Step:
    """One chunk about to run; the folder, for files too large to hold, is gone once the chunk is done."""

    plan: Plan
    chunk: Chunk
    runtime: Runtime
    on_progress: Callable[[int, int], None]
    folder: Path

    @property
    def parameters(self) -> dict[str, Any]:
        """The chunk's parameters."""
        return self.chunk.parameters

    @property
    def layer(self) -> LayerInfo:
        """The layer that the chunk is about."""
        return self.plan.model.layer(self.parameters["layer"])

    def inputs(self, stage: str, **parameters: Any) -> list[dict[str, Any]]:
        """Records of the inputs of a stage with these parameters, in order."""
        chunks = [self.plan.by_key[key] for key in self.chunk.inputs]
        return [
            self.runtime.record(self.plan, chunk.key)
            for chunk in chunks
            if chunk.stage == stage and all(chunk.parameters.get(name) == value for name, value in parameters.items())
        ]

    def table(self, record: dict[str, Any], name: str) -> tables.Table:
        """A table that a record names."""
        return self.runtime.table(record["blobs"][name])

    def layouts(self) -> list[tables.Table]:
        """Layouts among the inputs, in order."""
        return [self.table(record, "layout") for record in self.inputs("layout") if "layout" in record["blobs"]]

    def unlisted(self) -> list[dict[str, Any]]:
        """Images that the dataset's listing left out, with the reason of each."""
        listing = self.runtime.dataset(self.plan).listing
        if self.plan.spec.strict:
            return without_names(listing.skipped, listing)
        return [dict(entry) for entry in listing.skipped]

    def samples(self, *columns: str) -> tables.Table:
        """Columns of the layer's samples over all shards, in the order of the listing."""
        return gather_layer(self, self.inputs("collect"), columns)


@dataclass(frozen=True)
class Output:
    """What a step made: blobs, each as bytes or as a file in the step's folder, and what its record says besides."""

    blobs: Mapping[str, bytes | Path] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)


def marked(halved: int | None) -> dict[str, Any]:
    """How a record's info says that a batch was halved for lack of memory: by the size that worked."""
    return {} if halved is None else {"halved": halved}


def significant(value: float) -> float:
    """A number as it is told, to five digits."""
    return float(f"{float(value):.5g}")


def shards_of(step: Step, records: list[dict[str, Any]]) -> Iterator[tables.Table]:
    """The layer's samples shard by shard; a shard whose images are all broken has none."""
    name = f"layer {step.layer.name}"
    return (step.table(record, name) for record in records if name in record["blobs"])


@dataclass(frozen=True)
class Column:
    """A column of many samples, read shard by shard each time it is gone through.

    Args:
        tables: Opens the shards, in order.
        name: The column.
    """

    tables: Callable[[], Iterator[tables.Table]]
    name: str

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Arrays of the shards."""
        return (table[self.name] for table in self.tables())


def gather_layer(step: Step, records: list[dict[str, Any]], columns: tuple[str, ...]) -> tables.Table:
    """Columns of the step's layer over collected shards; a shard is let go before the next is read.

    Raises:
        DatasetError: No shard has any sample.
    """
    parts = [{column: shard[column] for column in columns} for shard in shards_of(step, records)]
    if not parts:
        raise DatasetError("no image of the dataset can be read")
    return tables.concatenate(parts)


def gather(shards: list[tables.Table], columns: tuple[str, ...]) -> tables.Table:
    """Some columns of tables, row after row."""
    return tables.concatenate([{column: shard[column] for column in columns} for shard in shards])


def gather_rows(
    step: Step, records: list[dict[str, Any]], columns: tuple[str, ...], rows: NDArray[np.int64]
) -> tables.Table:
    """Some samples of the step's layer, counted over all shards; a shard is let go before the next is read.

    Args:
        step: A step of the layer.
        records: Of the collected shards, in order.
        columns: Wanted.
        rows: Samples, ascending, at least one.
    """
    parts, passed = [], 0
    for shard in shards_of(step, records):
        count = len(shard["image"])
        first, last = np.searchsorted(rows, [passed, passed + count])
        if last > first:
            parts.append({column: shard[column][rows[first:last] - passed] for column in columns})
        passed += count
    return tables.concatenate(parts)
