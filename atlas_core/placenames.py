"""Names on the map: a region is called what is said there more often than on the whole map.

Every sample says names: the label of its image, and the class to which it adds most, or without attribution the one
that its image is taken for. How much more often a name is said in a region than everywhere is their pointwise mutual
information. As on other maps, names come in ranks: of wide regions, which are read from afar, down to those of small
ones. Regions of a rank do not touch, so neither need their names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.binning import assign_cells
from atlas_core.class_names import class_name
from atlas_core.errors import InputError
from atlas_core.search import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.class_index import ClassIndex
    from atlas_core.plan import Plan
    from atlas_core.search import SampleTable

WINDOW = 3
"""Bins a side of a region; regions begin at every bin, so that no border of a grid cuts what lies together."""
LEAST_BITS = 0.5
"""Pointwise mutual information of a name: said there 1.4 times as often as everywhere."""
LEAST_DEVIATIONS = 2
"""By which each source that says anything there says it oftener than elsewhere: labels and the network must agree."""
LEAST_SHARE = 0.05
"""Of what is said in a region."""
LEAST_IMAGES = 5
"""Distinct images that must say so: one image has many samples."""
APART = 2
"""Widths of a region between two of the same name."""


@dataclass(frozen=True)
class Rank:
    """Names of regions of one size.

    Args:
        name: What it is called.
        bins: Bins a side of the map; a region is 3 x 3 of them.
    """

    name: str
    bins: int

    @property
    def width(self) -> float:
        """Of a region, in sides of the map."""
        return WINDOW / self.bins


RANKS = (Rank("country", 12), Rank("province", 30), Rank("town", 75))


@dataclass(frozen=True)
class PlaceName:
    """What a region is called.

    Args:
        text: The name.
        classes: The classes that it stands for: one, or all that end with that word.
        x: Mean place of the samples that say it, 0 to 1.
        y: The same, upwards.
        samples: Samples that say it in the region.
        images: Distinct images behind them.
        share: Of what is said in the region, 0 to 1.
        bits: Pointwise mutual information of region and name, binary logarithm.
    """

    text: str
    classes: tuple[int, ...]
    x: float
    y: float
    samples: int
    images: int
    share: float
    bits: float


class Terms:
    """What a region can be called: the classes, and words with which the names of several end, such as `terrier`.

    Args:
        names: Of the classes; what stands behind a comma is left out, as further names of the same.
    """

    def __init__(self, names: Sequence[str]) -> None:
        """Find the words."""
        texts = [name.split(",")[0].strip() for name in names]
        by_word: dict[str, list[int]] = {}
        for index, text in enumerate(texts):
            by_word.setdefault(text.replace("_", " ").split(" ")[-1].lower(), []).append(index)
        words = {word: some for word, some in by_word.items() if word and len({texts[index] for index in some}) > 1}
        self.texts: list[str] = [*texts, *words]
        self.classes: list[tuple[int, ...]] = [*((index,) for index in range(len(texts))), *map(tuple, words.values())]
        self._order = np.array([index for some in words.values() for index in some], np.int64)
        self._starts = np.cumsum([0, *(len(some) for some in words.values())])[:-1]

    def counted(self, said: NDArray[np.float32]) -> NDArray[np.float32]:
        """How often each term is said, from how often each class is: shape (m, classes) to (m, terms)."""
        if not len(self._order):
            return said
        return np.hstack([said, np.add.reduceat(said[:, self._order], self._starts, axis=1)])


def clearly_strongest(index: ClassIndex, table: SampleTable, clear: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The class that each sample adds most to, in the order of their numbers, shape (n,); `NONE` where none is clear.

    Args:
        index: What the samples add to classes.
        table: The samples.
        clear: Of each in the table's order, whether its cell has a clear class.
    """
    strongest = index.strongest.copy()
    strongest[table.sample[~clear]] = NONE
    return strongest


def said_by(table: SampleTable, strongest: NDArray[np.integer[Any]] | None) -> NDArray[np.int32]:
    """What the samples of a layer say: the label, and the class that they add most to or else their image is taken for.

    Args:
        table: The samples.
        strongest: Class that each adds most to, in the order of their numbers, shape (n,); None without attribution.

    Returns:
        Classes in the table's order, from each source one, `NONE` where it says none, shape (n, 1 or 2).

    Raises:
        InputError: There is no source.
    """
    taken = table.predicted if strongest is None else strongest[table.sample].astype(np.int32)
    sources = [source for source in (table.label, taken) if (source != NONE).any()]
    if not sources:
        raise InputError("nothing on the map has a name: its images have no labels, and the network tells no classes")
    return np.stack(sources, axis=1)


def names_of_classes(plan: Plan, count: int) -> list[str]:
    """Names of so many classes: as the model calls them, else as the dataset does, else their numbers."""
    known = plan.model.class_names or plan.dataset.classes or []
    return [class_name(index, known) for index in range(count)]


def pointwise(
    counts: NDArray[np.floating[Any]], heard: NDArray[np.floating[Any]], expected: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Pointwise mutual information of regions and terms.

    Args:
        counts: How often each term is said in each region, shape (m, terms).
        heard: How often anything is, shape (m,).
        expected: Share of each term on the whole map, shape (terms,).

    Returns:
        log2 of the share of a term in a region over its share on the map, shape (m, terms); -inf where it is not said.
    """
    share = counts / np.maximum(heard, 1)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(counts > 0, np.log2(share / expected), -np.inf).astype(np.float32)


def place_names(
    layout: NDArray[np.float32],
    images: NDArray[np.integer[Any]],
    said: NDArray[np.integer[Any]],
    names: Sequence[str],
    rank: Rank,
) -> list[PlaceName]:
    """The names of one rank, the surest first.

    In each region the term is taken whose share of the mutual information is greatest: its count times its pointwise
    mutual information, so that neither a rare name nor one that is said everywhere wins. Then regions are named, those
    first whose name has most, and none that touches one before it.

    Args:
        layout: Points in the unit square, y up, shape (n, 2).
        images: Image of each sample, shape (n,).
        said: Classes that each sample says, from each source one, `NONE` for none, shape (n, sources).
        names: Of the classes.
        rank: How large the regions are.

    Returns:
        None where nothing is said, or nothing more often in one place than in another.

    Raises:
        LayoutError: A point lies outside of the unit square.
    """
    terms = Terms(names)
    regions = _Regions(assign_cells(layout, rank.bins), said, len(names), rank.bins)
    term, bits, share, score = regions.strongest(terms)
    found: list[PlaceName] = []
    taken: list[tuple[int, int, int]] = []  # column, row and term
    for place in np.argsort(-score, axis=None, kind="stable"):
        row, column = divmod(int(place), rank.bins)
        if score[row, column] <= 0:
            break
        here = (column, row, int(term[row, column]))
        if any(_too_near(here, other) for other in taken):
            continue
        classes = terms.classes[here[2]]
        members = regions.members(column, row, classes)
        distinct = len(np.unique(images[members]))
        if distinct < LEAST_IMAGES:
            continue
        taken.append(here)
        x, y = layout[members].astype(np.float64).mean(axis=0)
        found.append(PlaceName(terms.texts[here[2]], classes, float(x), float(y), len(members), distinct,
                               float(share[row, column]), float(bits[row, column])))  # fmt: skip
    return found


def all_names(table: SampleTable, said: NDArray[np.integer[Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The names of a layer's map as they are told: of all ranks, those of wide regions first.

    Args:
        table: The layer's samples.
        said: From `said_by`.
        names: Of the classes.
    """
    return [_told(rank, one) for rank in RANKS for one in place_names(table.layout, table.image, said, names, rank)]


def _told(rank: Rank, name: PlaceName) -> dict[str, Any]:
    return {
        "rank": rank.name, "width": rank.width, "name": name.text, "classes": list(name.classes),
        "x": round(name.x, 5), "y": round(name.y, 5), "samples": name.samples, "images": name.images,
        "share": round(name.share, 4), "bits": round(name.bits, 3),
    }  # fmt: skip


def _too_near(one: tuple[int, int, int], other: tuple[int, int, int]) -> bool:
    """Whether two regions touch, or are of the same name and near each other."""
    reach = WINDOW * (1 + APART) if one[2] == other[2] else WINDOW
    return abs(one[0] - other[0]) < reach and abs(one[1] - other[1]) < reach


class _Regions:
    """Samples by bin of the map, and what is said in the 3 x 3 bins around each."""

    def __init__(self, place: NDArray[np.int32], said: NDArray[np.integer[Any]], classes: int, bins: int) -> None:
        self._said, self._classes, self._bins = said, classes, bins
        key = place[:, 1].astype(np.int64) * bins + place[:, 0]
        self._order = np.argsort(key, kind="stable")
        self._start = np.searchsorted(key[self._order], np.arange(bins * bins + 1))
        self._column = place[:, 0]

    def strongest(self, terms: Terms) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Of each region, its term, bits, share and score, 0 where it has no name, each of shape (bins, bins)."""
        each = self._counts(np.arange(len(self._said)), flat=True)[:, 0]  # (sources, classes)
        everywhere = terms.counted(np.vstack([each, each.sum(axis=0)]))
        expected = everywhere / np.maximum(everywhere[:, : self._classes].sum(axis=1, keepdims=True), 1)
        rows = [self._in_row(row, terms, expected) for row in range(self._bins)]  # one at a time: classes are many
        term, bits, share, score = (np.stack(column) for column in zip(*rows, strict=True))
        return term, bits, share, score

    def _in_row(self, row: int, terms: Terms, expected: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        bins = np.pad(self._counts(self._rows(row, 0, self._bins - 1)), ((0, 0), (1, 1), (0, 0)))
        each = bins[:, :-2] + bins[:, 1:-1] + bins[:, 2:]  # (sources, bins, classes)
        window = each.sum(axis=0)
        heard = window.sum(axis=1)
        counts = terms.counted(window)
        bits, share = pointwise(counts, heard, expected[-1]), counts / np.maximum(heard, 1)[:, None]
        able = (bits >= LEAST_BITS) & (share >= LEAST_SHARE)
        for said, usual in zip(each, expected[:-1], strict=True):
            told = said.sum(axis=1, keepdims=True)
            chance = told * usual + LEAST_DEVIATIONS * np.sqrt(told * usual * np.maximum(1 - usual, 0))
            able &= (terms.counted(said) >= chance) | (told == 0)
        score = np.where(able, counts * np.where(able, bits, 0), 0)
        best = score.argmax(axis=1)
        at = np.arange(self._bins), best
        return best, bits[at], share[at], score[at]

    def _rows(self, row: int, first: int, last: int) -> NDArray[np.int64]:
        """Samples of three rows of bins, from one column to another."""
        rows = range(max(0, row - 1), min(self._bins, row + 2))
        runs = [(above * self._bins + max(0, first), above * self._bins + min(self._bins - 1, last)) for above in rows]
        return np.concatenate([self._order[self._start[start] : self._start[stop + 1]] for start, stop in runs])

    def _counts(self, some: NDArray[np.int64], *, flat: bool = False) -> NDArray[np.float32]:
        """How often each source says each class of some samples, by column: (sources, bins, classes); flat: one bin."""
        said = self._said[some]
        column = np.zeros_like(said) if flat else np.broadcast_to(self._column[some][:, None], said.shape)
        known = said != NONE
        shape = said.shape[1], 1 if flat else self._bins, self._classes
        place = np.arange(shape[0]) * shape[1] + column.astype(np.int64)
        pairs = place[known] * shape[2] + said[known]
        return np.bincount(pairs, minlength=math.prod(shape)).reshape(shape).astype(np.float32)

    def members(self, column: int, row: int, classes: Sequence[int]) -> NDArray[np.int64]:
        """Samples of a region that say one of some classes."""
        some = self._rows(row, column - 1, column + 1)
        return some[np.isin(self._said[some], classes).any(axis=1)]
