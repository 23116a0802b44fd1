"""Inverted lists: samples sorted by direction into k-means cells, so that a query looks through the nearest only.

Sivic and Zisserman, "Video Google", 2003. What is found is a proposal: distances are taken anew, pair by pair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.nearest import Nearest, unit_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

ROUNDS = 8
TRAINED_ON = 64
"""Samples a list that the k-means sees."""
MOST_LISTS = 1024
PROBES = 32
"""Lists that a query looks through, of 316 lists of 100,000 samples."""
BLOCK = 16_384


@dataclass(frozen=True)
class InvertedLists:
    """Samples by list; made by `build`, stored as tables.

    Args:
        centres: Directions of the lists, shape (lists, channels) float32.
        order: Samples sorted by list, then by number, shape (n,) int64.
        start: Where each list begins in `order`, and where the last ends, shape (lists + 1,) int64.
    """

    centres: NDArray[np.float32]
    order: NDArray[np.int64]
    start: NDArray[np.int64]

    @classmethod
    def build(cls, unit: NDArray[np.float32], *, seed: int = 0) -> InvertedLists:
        """Sort samples into as many lists as `list_count` says.

        Args:
            unit: Unit rows, shape (n, channels), n at least 1.
            seed: Chooses the samples that the k-means starts from and sees.
        """
        return cls.over(unit.__getitem__, len(unit), seed=seed)

    @classmethod
    def over(
        cls, rows: Callable[[slice | NDArray[np.int64]], NDArray[np.float32]], n: int, *, seed: int = 0
    ) -> InvertedLists:
        """`build` over samples that are not all held.

        Args:
            rows: Gives the unit rows of some samples, by their numbers or a slice of these.
            n: Samples, at least 1.
            seed: As in `build`.
        """
        lists = list_count(n)
        seen = rows(np.random.Generator(np.random.Philox(seed)).permutation(n)[: lists * TRAINED_ON])
        centres = seen[:lists].copy()
        for _ in range(ROUNDS):
            home = nearest_centre(seen, centres)
            order = np.argsort(home, kind="stable")
            filled, starts = np.unique(home[order], return_index=True)
            total = np.add.reduceat(seen[order].astype(np.float64), starts, axis=0)
            centres[filled] = unit_rows(total)
        home = np.concatenate([nearest_centre(rows(slice(i, i + BLOCK)), centres) for i in range(0, n, BLOCK)])
        order = np.argsort(home, kind="stable")
        start = np.searchsorted(home[order], np.arange(lists + 1))
        return cls(centres, order, start.astype(np.int64))

    def nearest(self, unit: NDArray[np.float32], probes: int = PROBES) -> NDArray[np.int64]:
        """Numbers of the lists nearest to each of some directions, shape (p, probes or fewer), each row by itself.

        Args:
            unit: Shape (p, channels).
            probes: Lists wanted.
        """
        probes = min(probes, len(self.centres))
        lists = [np.argpartition(-(self.centres @ one), probes - 1)[:probes] for one in unit]
        return np.array(lists, dtype=np.int64).reshape(len(unit), probes)

    def near(self, unit: NDArray[np.float32], probes: int = PROBES) -> NDArray[np.int64]:
        """Samples of the lists nearest to one direction, shape (channels,), ascending."""
        (lists,) = self.nearest(unit[None], probes)
        return np.sort(np.concatenate([self.order[self.start[number] : self.start[number + 1]] for number in lists]))

    def propose(
        self,
        unit: NDArray[np.float32],
        images: NDArray[np.int64],
        queries: NDArray[np.float32],
        query_images: NDArray[np.int64],
        count: int,
        *,
        probes: int = PROBES,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> NDArray[np.int64]:
        """Probable nearest samples of some queries, none of their own image.

        Args:
            unit: Unit rows of the samples, shape (n, channels).
            images: Their images, shape (n,).
            queries: Unit rows, shape (q, channels).
            query_images: Image whose samples a query must not take, shape (q,).
            count: Candidates wanted.
            probes: Lists to look through; all of them make the search exact.
            on_progress: Called with (queries done, queries); raising in it cancels.

        Returns:
            Shape (q, count), the most similar first; -1 where the lists looked through hold fewer.
        """
        rows, row_images = unit[self.order], images[self.order].astype(np.int64)
        probes = min(probes, len(self.centres))
        found = np.empty((len(queries), count), dtype=np.int64)
        for first in range(0, len(queries), BLOCK):
            block = slice(first, first + BLOCK)
            some, some_images = queries[block], query_images[block].astype(np.int64)
            near = np.argpartition(-(some @ self.centres.T), probes - 1, axis=1)[:, :probes]
            by_list = np.argsort(near.ravel(), kind="stable")
            edges = np.searchsorted(near.ravel()[by_list], np.arange(len(self.centres) + 1))
            best = Nearest.empty(len(some), count)
            for number in range(len(self.centres)):
                asking = by_list[edges[number] : edges[number + 1]] // probes
                held = slice(self.start[number], self.start[number + 1])
                if len(asking):
                    best.offer(some[asking] @ rows[held].T, self.order[held], row_images[held], some_images[asking],
                               lists=asking)  # fmt: skip
            found[block] = best.index
            if on_progress is not None:
                on_progress(min(first + BLOCK, len(queries)), len(queries))
        return found

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> InvertedLists:
        """The inverse of `to_tables`."""
        return cls(**{field.name: tables[field.name] for field in fields(cls)})


def list_count(n: int) -> int:
    """Lists of so many samples: the root of their number, at most 1,024."""
    return min(MOST_LISTS, max(1, round(math.sqrt(n))))


def nearest_centre(unit: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """The centre most similar to each row, shape (n,)."""
    home = np.empty(len(unit), dtype=np.int64)
    for first in range(0, len(unit), BLOCK):
        home[first : first + BLOCK] = np.argmax(unit[first : first + BLOCK] @ centres.T, axis=1)
    return home
