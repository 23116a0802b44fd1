"""Where a new activation lands on a published map, alone or in company, always at the same point.

UMAP's own transform moves a point with whoever else is in the batch. Here each position is placed by its 15 nearest
stored samples: candidates in 64 principal components, ranked anew by cosine in all channels, then the weighted
geometric median of their points (the mean would put a position between two islands into the void). Above
`EXACT_SAMPLES` the candidates come from the inverted lists nearest to the position. Nothing is shared between
positions. A position has a distance and its percentile among the atlas's samples; neither is a novelty.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError
from atlas_core.inverted import InvertedLists, list_count
from atlas_core.layout.placement import geometric_median, neighbour_weights
from atlas_core.layout.plane import strongest_axes
from atlas_core.nearest import NO_IMAGE, exact_distances, unit_rows
from atlas_core.tables import allocate
from atlas_core.whitening import Moments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from atlas_core.tables import Fields, Table

NEIGHBOURS = 15
COMPONENTS = 64
CANDIDATES = 200
CLUSTER_GAP = 0.05
"""Neighbours nearer than this in the map, a cell of a level of 20, hang together in one cluster."""
AMBIGUOUS_BELOW = 0.5
CALIBRATION_SAMPLES = 2000
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
        projected: The unit activations along them, shape (n, components) float32.
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
        index._calibrate(seed, lambda done: report(2 * n + done, steps))
        return index

    def _fill(self, first: int, stored: NDArray[np.float16]) -> None:
        """Take some samples in."""
        place = slice(first, first + len(stored))
        length = np.sqrt(np.einsum("ij,ij->i", stored, stored, dtype=np.float64))
        self.activations[place], self.length[place] = stored, np.where(length > 0, length, 1)
        self.projected[place] = (unit_rows(stored) - self.mean) @ self.axes.T

    def _calibrate(self, seed: int, report: Callable[[int], None]) -> None:
        rng = np.random.Generator(np.random.Philox(seed))
        asked = np.sort(rng.permutation(len(self.images))[: len(self.calibration)])
        for done, sample in enumerate(asked):
            unit = unit_rows(self.activations[sample : sample + 1])[0]
            self.calibration[done] = self._find(unit, int(self.images[sample]))[1].mean()
            if (done + 1) % 100 == 0:
                report(done + 1)
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
        found = [self._find(unit_rows(activations[row : row + 1])[0], image) for row in range(len(activations))]
        spots = [self._settle(samples, distance) for samples, distance in found]
        points = np.array([spot[0] for spot in spots]).reshape(-1, 2)
        distance = np.array([distance.mean() for _, distance in found])
        below = np.searchsorted(self.calibration, distance, side="right")
        return Placement(
            x=points[:, 0],
            y=points[:, 1],
            spread=np.array([spot[1] for spot in spots]),
            ambiguous=np.array([spot[2] for spot in spots], dtype=bool),
            distance=distance,
            percentile=100.0 * below / max(1, len(self.calibration)),
            neighbours=_rows_of_equal_length([samples for samples, _ in found]),
        )

    def _find(self, unit: NDArray[np.float32], image: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest samples of one position and their cosine distances, ascending."""
        candidates = np.zeros(0, dtype=np.int64)
        if self.lists is not None:
            candidates = self._candidates(unit, image, self.lists.near(unit, PROBES))
        if len(candidates) < NEIGHBOURS:  # there are no lists, or they hold nearly nothing but its own image
            candidates = self._candidates(unit, image, None)
        rows = self.activations[candidates].astype(np.float32) / self.length[candidates, None]
        distance = exact_distances(unit[None], rows, np.arange(len(candidates))[None])[0]
        nearest = np.argsort(distance, kind="stable")[:NEIGHBOURS]
        if len(nearest) == 0:
            raise LayoutError("the atlas has no samples of other images to place this one by")
        return candidates[nearest], distance[nearest]

    def _candidates(self, unit: NDArray[np.float32], image: int, among: NDArray[np.int64] | None) -> NDArray[np.int64]:
        """The samples nearest along the axes, ascending: of some, or of all."""
        projected, images = self.projected, self.images
        if among is not None:
            projected, images = projected[among], images[among]
        squared = np.empty(len(images), dtype=np.float32)
        _squared_distances(projected, self.axes @ (unit - self.mean), images, image, squared)
        candidates = np.arange(len(squared))
        if len(squared) > CANDIDATES:
            candidates = np.sort(np.argpartition(squared, CANDIDATES - 1)[:CANDIDATES])
        candidates = candidates[np.isfinite(squared[candidates])]
        return candidates if among is None else among[candidates]

    def _settle(self, samples: NDArray[np.int64], distance: NDArray[np.float64]) -> tuple[Any, float, bool]:
        """Point, spread and ambiguity from one position's neighbours."""
        points = self.layout[samples].astype(np.float64)
        weights = neighbour_weights(distance)
        point = geometric_median(points, weights)
        spread = float(weights @ np.hypot(*(points - point).T))
        return point, spread, heaviest_cluster(points, weights) < AMBIGUOUS_BELOW

    def to_tables(self) -> dict[str, NDArray[Any]]:
        """The fields as named arrays, those of the lists beside the others."""
        own = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "lists"}
        return own if self.lists is None else {**own, **self.lists.to_tables()}

    @classmethod
    def from_tables(cls, tables: dict[str, NDArray[Any]]) -> ProjectionIndex:
        """The inverse of `to_tables`."""
        own = {field.name: tables[field.name] for field in fields(cls) if field.name != "lists"}
        return cls(**own, lists=InvertedLists.from_tables(tables) if "centres" in tables else None)


def _fields(n: int, channels: int, calibrated: int) -> Fields:
    """Types and shapes of an index's tables."""
    components = min(COMPONENTS, channels)
    own: dict[str, Any] = {
        "activations": (np.float16, (n, channels)), "length": (np.float32, (n,)), "images": (np.int64, (n,)),
        "layout": (np.float32, (n, 2)), "mean": (np.float32, (channels,)),
        "axes": (np.float32, (components, channels)), "projected": (np.float32, (n, components)),
        "calibration": (np.float64, (calibrated,)),
    }  # fmt: skip
    lists = list_count(n)
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


def heaviest_cluster(points: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Share of the weight in the heaviest cluster; points nearer than `CLUSTER_GAP` are linked, links join clusters."""
    linked = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) < CLUSTER_GAP
    for _ in range(max(1, len(points).bit_length())):  # each squaring doubles the length of the chains it follows
        linked = linked @ linked
    return float((linked @ weights).max() / weights.sum())


def _rows_of_equal_length(rows: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.array(rows, dtype=np.int64).reshape(len(rows), -1) if rows else np.zeros((0, 0), dtype=np.int64)


def _squared_distance_rows(projected: Any, query: Any, images: Any, image: int, squared: Any) -> None:
    for sample in range(projected.shape[0]):
        if images[sample] == image:
            squared[sample] = np.inf
            continue
        total = np.float32(0)
        for component in range(projected.shape[1]):
            offset = projected[sample, component] - query[component]
            total += offset * offset
        squared[sample] = total


_squared_distances = compiled(_squared_distance_rows, fast=True)
