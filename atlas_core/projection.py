"""Where a new activation lands on a published map, alone or in company, always at the same point.

UMAP's own transform moves a point with whoever else is in the batch. Here each position is placed by its 15 nearest
stored samples: candidates in 64 principal components, ranked anew by cosine in all channels, then the weighted
geometric median of their points (the mean would put a position between two islands into the void). Above
`EXACT_SAMPLES` the candidates come from the inverted lists nearest to the position. Nothing is shared between
positions. A position has a distance and its percentile among the atlas's samples; neither is a novelty.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.along import along_axes
from atlas_core.candidates import nearest_along, nearest_along_in_lists
from atlas_core.errors import ConflictError, LayoutError
from atlas_core.inverted import InvertedLists, list_count
from atlas_core.lanes import LANES, NONE, axes_of, block_starts, listed_blocks, spread_blocks, stand_in_block
from atlas_core.layout.placement import geometric_median, heaviest_cluster, neighbour_weights, spread_of
from atlas_core.layout.plane import strongest_axes
from atlas_core.nearest import NO_IMAGE, unit_rows
from atlas_core.ranking import nearest_exactly
from atlas_core.tables import allocate
from atlas_core.whitening import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from atlas_core.tables import Fields, Table

NEIGHBOURS = 15
CANDIDATES = 200
CLUSTER_GAP = 0.05
"""Neighbours nearer than this in the map, a cell of a level of 20, hang together in one cluster."""
AMBIGUOUS_BELOW = 0.5
TYPICAL_BELOW = 95.0
CALIBRATION_SAMPLES = 2000
CALIBRATED_AT_ONCE = 100
EXACT_SAMPLES = 100_000
"""Up to so many every sample is looked at: 3 ms a position."""
PROBES = 32
"""Lists that a position looks through above that, of 1,000 lists of a million samples."""
BLOCK = 8192
MISMATCH = "an index needs one row of activations for each sample"


@dataclass(frozen=True)
class Placement:
    """Where positions land; one row for each position.

    Args:
        x: Shape (p,) float64 in [0, 1].
        y: Shape (p,) float64 in [0, 1], upwards.
        spread: Weighted mean distance of the neighbours' points from (x, y), in sides of the map, shape (p,).
        ambiguous: The heaviest cluster of neighbours holds under half of the weight, shape (p,) bool.
        distance: Mean cosine distance to the neighbours, in [0, 2], shape (p,).
        percentile: Share of the atlas's own samples that are no farther from the others, 0 to 100, shape (p,).
        neighbours: Those samples, the nearest first, shape (p, 15 or fewer) int64.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    spread: NDArray[np.float64]
    ambiguous: NDArray[np.bool_]
    distance: NDArray[np.float64]
    percentile: NDArray[np.float64]
    neighbours: NDArray[np.int64]

    @property
    def typical_share(self) -> float:
        """Share of the positions that are nearer than the 95th percentile of the atlas's samples; 1 of none."""
        return float((self.percentile < TYPICAL_BELOW).mean()) if len(self.percentile) else 1.0


@dataclass(frozen=True)
class ProjectionIndex:
    """What placement needs of a layer; made by `build`, stored as tables.

    Args:
        activations: Of the samples, shape (n, channels) float16.
        length: Their Euclidean lengths, 1 where 0, shape (n,) float32.
        images: Shape (n,) int64.
        layout: Points in the unit square, shape (n, 2) float32.
        mean: Of the unit activations, shape (channels,) float32.
        axes: Principal directions, shape (components, channels) float32.
        projected: The unit activations along them, as `stand_in_block` gives them, shape (blocks, 1 + components, 128)
            float32.
        slots: Samples of the blocks, shape (blocks, 128) int64.
        calibration: Distances of samples of the atlas to their neighbours of other images, ascending, shape (c,).
        lists: The samples by direction, where there are more than `EXACT_SAMPLES`.
    """

    activations: NDArray[np.float16]
    length: NDArray[np.float32]
    images: NDArray[np.int64]
    layout: NDArray[np.float32]
    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    projected: NDArray[np.float32]
    slots: NDArray[np.int64]
    calibration: NDArray[np.float64]
    lists: InvertedLists | None = None

    @classmethod
    def build(
        cls,
        activations: Iterable[NDArray[np.floating[Any]]],
        images: NDArray[np.integer[Any]],
        layout: NDArray[np.float32],
        *,
        seed: int = 0,
        into: Callable[[Fields], Table] = allocate,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ProjectionIndex:
        """Index a layer's samples and calibrate their distances.

        Args:
            activations: Shards of rows in order, each of shape (some, channels), n in all; gone through twice and kept
                as float16.
            images: Image of each sample, shape (n,), not negative.
            layout: Points in the unit square, shape (n, 2).
            seed: Chooses up to 2,000 samples for the calibration.
            into: Makes the arrays that are filled, in memory by default; nothing else grows with the samples.
            on_progress: Called with (steps done, steps), in which a step is a row read, or one of the calibration's
                samples; raising in it cancels.

        Returns:
            The index.

        Raises:
            LayoutError: Shapes do not fit, there are no samples, or all come from one image.
        """
        n, calibrated = len(images), min(CALIBRATION_SAMPLES, len(images))
        if n == 0 or layout.shape != (n, 2) or int(images.min()) == int(images.max()):
            raise LayoutError("an index needs samples of 2 images or more, each with a point and an image")
        report = on_progress or (lambda _done, _steps: None)
        steps = 2 * n + calibrated
        moments = None
        for rows in _blocks(activations, n):
            moments = moments or Moments(rows.shape[1])
            moments.add(unit_rows(rows.astype(np.float16)))
            report(moments.n, steps)
        if moments is None:
            raise LayoutError(MISMATCH)
        centre = moments.sum / n
        channels = len(centre)
        index = cls.from_tables(into(_fields(n, channels, calibrated)))
        index.images[:], index.layout[:], index.mean[:] = images, layout, centre
        index.axes[:] = strongest_axes(moments.second / n - np.outer(centre, centre), len(index.axes))
        first = 0
        for rows in _blocks(activations, n):
            index._fill(first, rows.astype(np.float16))
            first += len(rows)
            report(n + first, steps)
        if index.lists is not None:
            found = InvertedLists.over(lambda some: unit_rows(index.activations[some]), n, seed=seed)
            for name, values in found.to_tables().items():
                getattr(index.lists, name)[:] = values
        index._project()
        index._calibrate(seed, lambda done: report(2 * n + done, steps))
        return index

    def _fill(self, first: int, stored: NDArray[np.float16]) -> None:
        """Take some samples in."""
        place = slice(first, first + len(stored))
        length = np.sqrt(np.einsum("ij,ij->i", stored, stored, dtype=np.float64))
        self.activations[place], self.length[place] = stored, np.where(length > 0, length, 1)

    def _project(self) -> None:
        """Put the samples into blocks."""
        n, lists = len(self.images), self.lists
        slots = spread_blocks(n) if lists is None else listed_blocks(lists.order, lists.start)
        self.slots[:] = NONE
        self.slots[: len(slots)] = slots
        for samples, block in zip(self.slots, self.projected, strict=True):
            block[:] = stand_in_block(unit_rows(self.activations[samples]), samples, self.mean, self.axes)

    def _calibrate(self, seed: int, report: Callable[[int], None]) -> None:
        rng = np.random.Generator(np.random.Philox(seed))
        asked = np.sort(rng.permutation(len(self.images))[: len(self.calibration)])
        for first in range(0, len(asked), CALIBRATED_AT_ONCE):
            some = asked[first : first + CALIBRATED_AT_ONCE]
            _, distance = self._nearest(self.activations[some], self.images[some])
            self.calibration[first : first + len(some)] = [row[np.isfinite(row)].mean() for row in distance]
            report(first + len(some))
        self.calibration.sort()

    def place(self, activations: NDArray[np.floating[Any]], *, image: int = NO_IMAGE) -> Placement:
        """Place positions of an image, each for itself: the bytes of a row do not depend on the other rows.

        Args:
            activations: Shape (p, channels), any float type.
            image: Number of the image in the atlas, if it is one of them, so that it is not its own neighbour.

        Returns:
            The placement.

        Raises:
            LayoutError: Another number of channels, or a value that is not finite.
        """
        if activations.ndim != 2 or activations.shape[1] != self.activations.shape[1]:
            raise LayoutError(f"positions need {self.activations.shape[1]} channels, got shape {activations.shape}")
        samples, distance = self._nearest(activations, np.full(len(activations), image))
        known = int((samples >= 0).sum(axis=1).min(initial=samples.shape[1]))  # the same of each: own is one image
        samples, distance = samples[:, :known], np.ascontiguousarray(distance[:, :known])
        points = self.layout[samples]
        weights = neighbour_weights(distance)
        median = geometric_median(points, weights)
        mean = distance.mean(axis=1)
        below = np.searchsorted(self.calibration, mean, side="right")
        return Placement(
            x=median[:, 0],
            y=median[:, 1],
            spread=spread_of(points, weights, median),
            ambiguous=heaviest_cluster(points, weights, CLUSTER_GAP) < AMBIGUOUS_BELOW,
            distance=mean,
            percentile=100.0 * below / max(1, len(self.calibration)),
            neighbours=samples,
        )

    def _nearest(
        self, activations: NDArray[np.floating[Any]], own: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest samples of positions and their cosine distances, by distance; as `nearest_exactly` gives them."""
        unit, along = along_axes(activations, self.mean, self.axes)
        samples_of = self.projected, self.slots, self.images
        look_through_all = partial(nearest_along, *samples_of, count=CANDIDATES)
        if self.lists is None:
            candidates = look_through_all(along, own)
        else:
            near, first = self.lists.nearest(unit, PROBES), block_starts(self.lists.start)
            candidates = nearest_along_in_lists(*samples_of, along, own, CANDIDATES, first, near)
            short = candidates[:, NEIGHBOURS - 1] == NONE
            if short.any():  # its lists hold nearly nothing but its own image
                candidates[short] = look_through_all(along[short], own[short])
        samples, distance = nearest_exactly(self.activations, self.length, unit, candidates, NEIGHBOURS)
        if (samples[:, 0] == NONE).any():
            raise LayoutError("the atlas has no samples of other images to place this one by")
        return samples, distance

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays, those of the lists beside the others."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lists"}
        return own if self.lists is None else {**own, **self.lists.to_tables()}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> ProjectionIndex:
        """The inverse of `to_tables`.

        Raises:
            ConflictError: They are of an earlier version.
        """
        if "slots" not in tables:
            raise ConflictError(
                "the atlas's index was made by an earlier version; delete the atlas and submit it again"
            )
        own = {field.name: tables[field.name] for field in fields(cls) if field.name != "lists"}
        return cls(**own, lists=InvertedLists.from_tables(tables) if "centres" in tables else None)


def _fields(n: int, channels: int, calibrated: int) -> Fields:
    """Types and shapes of an index's tables."""
    components, lists = axes_of(channels), list_count(n)
    blocks = -(-n // LANES) + (lists if n > EXACT_SAMPLES else 0)  # at most: each list begins a block
    own: dict[str, Any] = {
        "activations": (np.float16, (n, channels)), "length": (np.float32, (n,)), "images": (np.int64, (n,)),
        "layout": (np.float32, (n, 2)), "mean": (np.float32, (channels,)),
        "axes": (np.float32, (components, channels)), "projected": (np.float32, (blocks, 1 + components, LANES)),
        "slots": (np.int64, (blocks, LANES)), "calibration": (np.float64, (calibrated,)),
    }  # fmt: skip
    kept = {"centres": (np.float32, (lists, channels)), "order": (np.int64, (n,)), "start": (np.int64, (lists + 1,))}
    return {**own, **kept} if n > EXACT_SAMPLES else own


def _blocks(shards: Iterable[NDArray[np.floating[Any]]], n: int) -> Iterator[NDArray[np.floating[Any]]]:
    """Blocks of rows, n in all."""
    passed = 0
    for shard in shards:
        passed += len(shard)
        if passed <= n:
            yield from (shard[first : first + BLOCK] for first in range(0, len(shard), BLOCK))
    if passed != n:
        raise LayoutError(MISMATCH)
