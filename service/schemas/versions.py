"""Comparisons of two models, or two layers, over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Half = Literal["old", "new"]


class OneModel(BaseModel):
    """One of the two."""

    model: str
    name: str


class OneDataset(BaseModel):
    """The dataset of the samples."""

    dataset: str
    name: str


class Likeness(BaseModel):
    """A measure of likeness with its 95 % interval over images: 1 for a model and itself, about 0 by chance."""

    value: float
    low: float
    high: float
    images: int


class ClassLikeness(BaseModel):
    """How alike both models see the images of a class."""

    index: int
    name: str
    cka: Likeness | None
    neighbours: Likeness


class LayerLikeness(BaseModel):
    """Linear CKA, and the share of `k` nearest neighbours in common, of which `chance` are so by chance alone.

    Classes are those of the labels, else what the old model takes an image for; the least alike first.
    """

    cka: Likeness | None
    neighbours: Likeness | None
    k: int
    chance: float
    classes: list[ClassLikeness]


class Share(BaseModel):
    """Share of a class."""

    name: str
    share: float


class NewNeighbour(BaseModel):
    """A class that is nearer or farther: its share among the nearest neighbours by both models."""

    name: str
    old: float
    new: float
    q: float


class Neighbourhood(BaseModel):
    """What lies nearest to the samples of a class: shares of its `own` and of other classes, and what changed."""

    index: int
    name: str
    images: int
    own: dict[Half, float]
    nearest: dict[Half, list[Share]]
    changes: list[NewNeighbour]


class VersionPatch(BaseModel):
    """A sample as a patch of its image, of one half."""

    n: int
    of: Half
    layer: str
    image: str
    row: int
    column: int
    url: str


class Place(BaseModel):
    """A cell of the map."""

    column: int
    row: int


class ChangedCell(Place):
    """A cell of one half, most of whose samples are `astray`: far from their twins on the other.

    `images` of its own half fall into it, `others` of the other; `q` is p adjusted for all that was looked at. A moved
    one says from where its samples came. `classes` are those of the images, `exemplars` patches of them, in a row at
    `url`.
    """

    images: int
    others: int
    astray: int
    q: float
    classes: list[Share]
    exemplars: list[VersionPatch]
    evidence: str | None
    url: str | None
    origin: Place | None = Field(default=None, alias="from")


class ChangedAccuracy(Place):
    """A cell of the old half whose images are got right more or less often."""

    images: int
    old: float
    new: float
    change: float
    q: float
    classes: list[Share]


class ChangedCells(BaseModel):
    """Cells, `side` a side, that were born, lost and moved: 50 of each at most, `numbers` of them in all.

    A sample is astray farther than `reach` from its twin; `astray` tells the share of images with such a sample, and
    what it is on the floor. `accuracy` are cells whose images are got right more or less often.
    """

    side: int
    reach: float
    astray: dict[Literal["share", "floor"], float]
    filled: dict[Half, int]
    numbers: dict[Literal["born", "lost", "moved"], int]
    born: list[ChangedCell]
    lost: list[ChangedCell]
    moved: list[ChangedCell]
    accuracy: list[ChangedAccuracy]


class CoupledMap(BaseModel):
    """How far the map may be believed; `floor` is the old model and itself, laid out so with another seed.

    `twins` tells their median distance in sides of the map, `retrieval` the share whose twin is among the nearest 1 %.
    """

    twins: dict[Literal["distance", "floor"], float]
    retrieval: dict[Literal["share", "floor"], float]
    trustworthiness: dict[Half, float]


class HalfCells(BaseModel):
    """The filled cells of one half, a column each.

    `samples` of `images`, most of which are of the class `common`, `share` of them; of those with a label the old
    model gets the share `old` right and the new one `new`.
    """

    column: list[int]
    row: list[int]
    samples: list[int]
    images: list[int]
    common: list[str | None]
    share: list[float]
    old: list[float | None]
    new: list[float | None]


class HalvesCells(BaseModel):
    """The cells of both halves of a map, `side` a side."""

    side: int
    old: HalfCells
    new: HalfCells


class VersionPicture(BaseModel):
    """Both halves of a map side by side."""

    name: str
    sha256: str
    url: str


class VersionLayer(BaseModel):
    """Two models at a layer, or two layers; `points`, `twins` and `coupled` are where both halves of its map are."""

    layer: str
    other: str
    samples: int
    map: CoupledMap
    likeness: LayerLikeness
    neighbourhoods: list[Neighbourhood]
    cells: ChangedCells
    picture: VersionPicture
    points: str
    twins: str
    coupled: str


class Accuracies(BaseModel):
    """Share of images that each model gets right, the change with its 95 % interval, McNemar's p, and it adjusted: q.

    `lost` counts images that only the old one gets right, `won` those that only the new one does.
    """

    images: int
    old: float
    new: float
    change: float
    low: float
    high: float
    lost: int
    won: int
    p: float
    q: float


class LostImage(BaseModel):
    """An image that only the old model gets right, and what the new one takes it for."""

    image: str
    now: str


class ClassAccuracy(Accuracies):
    """Of a class.

    `examples` are images that only the old model gets right, of a damaged class; in a row at `url`.
    """

    index: int
    name: str
    verdict: Literal["damaged", "improved"] | None
    examples: list[LostImage]
    evidence: str | None
    url: str | None


class VersionAccuracy(BaseModel):
    """What both models get right: over all, by class with those that changed most surely first, and these named."""

    overall: Accuracies
    classes: list[ClassAccuracy]
    damaged: list[str]
    improved: list[str]


class Agreement(BaseModel):
    """Share of images on which both models give one answer, with its 95 % interval."""

    images: int
    share: float
    low: float
    high: float


class VersionFinding(BaseModel):
    """Something beyond the noise, in a sentence."""

    kind: Literal["accuracy", "damaged", "improved", "lost", "born", "moved", "cell accuracy", "neighbours"]
    text: str


class VersionsDescription(BaseModel):
    """What changed between two models; `findings` are all that is beyond the noise, none for a model and itself."""

    kind: Literal["models"]
    schema_version: int
    old: OneModel
    new: OneModel
    dataset: OneDataset
    alpha: float
    weight: float
    images: int
    agreement: Agreement | None
    accuracy: VersionAccuracy | None
    layers: list[VersionLayer]
    findings: list[VersionFinding]
    digest: str


class LayerInShort(BaseModel):
    """How alike the two are at a layer."""

    layer: str
    other: str
    cka: Likeness | None
    neighbours: Likeness | None


class VersionsSummary(BaseModel):
    """A comparison in short: how many findings, which classes were damaged."""

    findings: int
    accuracy: dict[Literal["old", "new", "p"], float] | None
    damaged: list[str]
    agreement: float | None
    layers: list[LayerInShort]
