"""Comparisons of datasets with an atlas over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from atlas_core.drift_plan import DriftRequest
from service.schemas.jobs import Job

Verdict = Literal["drift", "no drift", "inconclusive"]


class DriftTest(BaseModel):
    """A statistic beside what it is where nothing differs: its excess over the null's mean, and the null's p and z."""

    value: float
    null_mean: float
    null_deviation: float
    excess: float
    z: float
    p: float


class DriftPatch(BaseModel):
    """A sample as a patch of its image; with `privacy: strict` its place in the listing, and no `url`."""

    n: int
    of: Literal["atlas", "dataset"]
    image: str | int
    row: int
    column: int
    distance: float | None = None
    url: str | None = None


class LevelCell(BaseModel):
    """A cell of a level of the atlas."""

    z: int
    column: int
    row: int


class MovedCell(BaseModel):
    """A coarse cell that holds another share of the dataset's samples than of the atlas's own.

    `bbox` is where it lies on the map, `cell` the cell of the coarsest level that most of it falls into; `exemplars`
    are patches of the set that has more there. `q` is p adjusted for the number of cells (Benjamini and Hochberg).
    """

    column: int
    row: int
    bbox: tuple[float, float, float, float]
    cell: LevelCell
    change: Literal["gained", "lost"]
    atlas: float
    dataset: float
    p: float
    q: float
    exemplars: list[DriftPatch]


class MovedCells(DriftTest):
    """The Jensen-Shannon distance of the two sets over cells, `side` a side, and the cells that moved."""

    side: int
    moved: list[MovedCell]


class Homeless(BaseModel):
    """Images of the dataset farther from the atlas's samples than `percentile` of its own images are."""

    percentile: float
    limit: float
    expected: float
    share: float
    images: list[DriftPatch]


class ConceptCount(BaseModel):
    """Samples of both sets in a cell."""

    column: int
    row: int
    atlas: int
    dataset: int


class Concepts(BaseModel):
    """The histogram of learned concepts: samples by cell of a level, those with most of the dataset first."""

    z: int
    side: int
    samples: dict[str, int]
    cells: list[ConceptCount]


class DriftLayer(BaseModel):
    """How the two sets differ at a layer. `q` is the discrepancy's p adjusted for the number of layers.

    `smallest_share` of the dataset's images, replaced by others of one kind, would have been found 4 times in 5.
    """

    q: float
    mmd: DriftTest
    smallest_share: float | None
    cells: MovedCells
    without_home: Homeless
    concepts: Concepts


class ClassShare(BaseModel):
    """Share of a class in both sets."""

    name: str
    atlas: float
    dataset: float
    p: float
    q: float


class ClassMix(DriftTest):
    """The Jensen-Shannon distance of the two sets over classes, those that differ most first."""

    classes: list[ClassShare]


class ComparedSet(BaseModel):
    """One of the two sets: its dataset, how many images that has, and how many of them were compared."""

    dataset: str
    name: str
    images: int
    compared: int


class DriftDescription(BaseModel):
    """A dataset against an atlas. `shared_images` of those compared are the very same files as images of the atlas."""

    schema_version: int
    request: DriftRequest
    verdict: Verdict
    p: float
    smallest_share: float | None
    sets: dict[Literal["atlas", "dataset"], ComparedSet]
    shared_images: int
    layers: dict[str, DriftLayer]
    classes: dict[Literal["labels", "predicted"], ClassMix | None]
    digest: str


class LayerSummary(BaseModel):
    """The numbers of a layer that make a curve over time."""

    p: float
    q: float
    mmd: float
    smallest_share: float | None
    cells: float
    cells_moved: int
    without_home: float


class DriftSummary(BaseModel):
    """A comparison in short."""

    verdict: Verdict
    p: float
    smallest_share: float | None
    shared_images: int
    images: dict[Literal["atlas", "dataset"], int]
    layers: dict[str, LayerSummary]


class DriftJob(Job):
    """A comparison that was asked for; what it found in short once it is made."""

    summary: DriftSummary | None = None


class Drift(DriftJob):
    """A comparison; all that it found once it is made."""

    description: DriftDescription | None = None
