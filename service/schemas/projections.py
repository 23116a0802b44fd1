"""Where an image lands, over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field


class ImageClass(BaseModel):
    """One of an image's strongest classes; `probability` by softmax over all."""

    index: int
    name: str
    logit: float
    probability: float


class CellPlace(BaseModel):
    """Column and row of a cell; row 0 is the top row."""

    column: int
    row: int


class PlacedPosition(BaseModel):
    """Where one position of an image lands: x to the right and y upwards in the unit square.

    `row` and `column` are of the layer's grid. `spread` is the weighted mean distance of the neighbours' points from
    (x, y), in sides of the map; it is `ambiguous` where no cluster of them holds half of the weight. `cells` has its
    cell at each level, by the level's cells a side. `distance` is the mean cosine distance to its nearest samples,
    `percentile` the share of the atlas's own samples that are no farther from the others.
    """

    row: int
    column: int
    x: Annotated[float, Field(ge=0, le=1)]
    y: Annotated[float, Field(ge=0, le=1)]
    spread: Annotated[float, Field(ge=0)]
    ambiguous: bool
    cells: dict[str, CellPlace]
    distance: Annotated[float, Field(ge=0, le=2)]
    percentile: Annotated[float, Field(ge=0, le=100)]


class PlacedLayer(BaseModel):
    """The positions of an image at a layer whose grid has so many rows and columns.

    `typical_share` is the share of them whose distance is under the 95th percentile of the atlas's own samples.
    """

    grid: tuple[int, int]
    positions: list[PlacedPosition]
    typical_share: Annotated[float, Field(ge=0, le=1)]


class NoveltyPart(BaseModel):
    """One look at an image: its p-value among the atlas's images, and how often its logarithm counts in the whole."""

    p: Annotated[float, Field(gt=0, le=1)]
    word: Literal["ordinary", "rare", "unseen"]
    weight: int
    says: str


class ImageNovelty(BaseModel):
    """Whether an image as a whole is new to the atlas.

    `novelty_p` is the share of images, this one among them, that are at least as strange, judged on `n` images of the
    atlas; small is strange: up to .01 `unseen`, up to .05 `rare`, else `ordinary`. `layers` are read for it, whichever
    the atlas maps. `blind_spots` says what it is known not to see.
    """

    novelty_p: Annotated[float, Field(gt=0, le=1)]
    word: Literal["ordinary", "rare", "unseen"]
    n: int
    parts: dict[str, NoveltyPart]
    blind_spots: list[str]
    layers: list[str]


class Projection(BaseModel):
    """Where an image lands on an atlas; the same bytes whoever asks, whenever, beside whom.

    `novelty` is null where the atlas cannot tell, for the `novelty_reason`.
    """

    atlas: str
    classes: list[ImageClass]
    layers: dict[str, PlacedLayer]
    novelty: ImageNovelty | None
    novelty_reason: str | None = None
