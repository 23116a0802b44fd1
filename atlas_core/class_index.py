"""The class index: which class each sample speaks for most, and which samples speak most for each class.

It is made while attributions pass by in shards, so that a class can be asked for once they are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

WAITING = 4_000_000
"""Pairs of sample and class that are held before they are cut to the strongest of each class."""


@dataclass(frozen=True)
class ClassIndex:
    """What is known of classes without the attribution of every sample.

    Args:
        strongest: Class of each sample's largest attribution, the first of equal ones, shape (n,) int32.
        start: Where each class begins in what follows, and where the last one ends, shape (classes + 1,) int64.
        sample: Samples with a positive attribution to the class, the strongest first, the first of equal ones, as many
            as were asked for, shape (k,) int32.
        attribution: Theirs to the class, shape (k,) float16.
    """

    strongest: NDArray[np.int32]
    start: NDArray[np.int64]
    sample: NDArray[np.int32]
    attribution: NDArray[np.float16]

    def by_rank(self, label: int) -> NDArray[np.int64]:
        """Samples whose strongest class this is, ascending."""
        return np.flatnonzero(self.strongest == label)

    def by_magnitude(self, label: int) -> NDArray[np.int64]:
        """Samples that add most to this class, at most as many as are kept of a class, ascending."""
        return np.sort(self.sample[self.start[label] : self.start[label + 1]]).astype(np.int64)

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> ClassIndex:
        """The inverse of `to_tables`."""
        return cls(**{field.name: tables[field.name] for field in fields(cls)})


class IndexBuilder:
    """Makes the index of attributions that pass by.

    Args:
        most: Samples kept of each class.
    """

    def __init__(self, most: int) -> None:
        """Nothing has passed."""
        self._most = most
        self._strongest: list[NDArray[np.int32]] = []
        self._rows = 0
        self._least = np.zeros(0, np.float16)  # of each class: what no more adds to the index
        self._held: list[tuple[NDArray[Any], ...]] = []  # class, sample and attribution
        self._waiting = 0

    def passing(self, shards: Iterable[NDArray[np.float16]]) -> Iterator[NDArray[np.float16]]:
        """The same shards, each of shape (some, classes); what has passed is in the index."""
        for rows in shards:
            self._take(rows)
            yield rows

    def _take(self, rows: NDArray[np.float16]) -> None:
        if not self._strongest:
            self._least = np.zeros(rows.shape[1], rows.dtype)
        self._strongest.append(rows.argmax(axis=1).astype(np.int32))
        sample, label = np.nonzero(rows > self._least)
        self._held.append((label, sample + self._rows, rows[sample, label]))
        self._rows += len(rows)
        self._waiting += len(sample)
        if self._waiting > WAITING:
            self._settle()

    def _settle(self) -> None:
        """Cut what is held to the strongest of each class, sorted by class and strength."""
        label, sample, value = (np.concatenate(column) for column in zip(*self._held, strict=True))
        order = np.lexsort((sample, -value, label))
        label = label[order]
        place = np.arange(len(label)) - np.searchsorted(label, label)
        kept = order[place < self._most]
        self._held = [(label[place < self._most], sample[kept], value[kept])]
        self._least[label[place == self._most - 1]] = value[order[place == self._most - 1]]
        self._waiting = 0

    def index(self) -> ClassIndex:
        """What has passed, at least one shard."""
        self._settle()
        ((label, sample, value),) = self._held
        start = np.searchsorted(label, np.arange(len(self._least) + 1)).astype(np.int64)
        return ClassIndex(np.concatenate(self._strongest), start, sample.astype(np.int32), value.astype(np.float16))
