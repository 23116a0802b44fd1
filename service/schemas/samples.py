"""Samples over the wire."""

from __future__ import annotations

from pydantic import BaseModel

from service.schemas.pages import Page


class ClassName(BaseModel):
    """A class by its number and its name."""

    index: int
    name: str


class Position(BaseModel):
    """A position in a layer's grid."""

    row: int
    column: int


class Sample(BaseModel):
    """One activation and where it came from.

    `image` is its id, with privacy `strict` its place in the listing; `row` and `column` are in the layer's grid, `x`
    and `y` on the map. `label` is the image's, `predicted` what the network takes it for, null where there is none;
    `right` whether both are the same. `distance` is told where samples are ordered by it, and `at` from which position
    of an image that was sent. `field` is what it sees of the picture: left, top, right and bottom in shares of its
    sides. `crop` is where a picture of that is, null with privacy `strict`.
    """

    sample: int
    image: str | int
    row: int
    column: int
    x: float
    y: float
    label: ClassName | None
    predicted: ClassName | None
    right: bool | None
    distance: float | None = None
    at: Position | None = None
    field: tuple[float, float, float, float]
    crop: str | None


class SamplePage(Page[Sample]):
    """Part of the samples that were asked for, of `total` in all, which are of so many `images`."""

    total: int
    images: int


class SampledImage(BaseModel):
    """An image and how many of the samples that were asked for it has; its fields as of `Sample`."""

    image: str | int
    label: ClassName | None
    predicted: ClassName | None
    right: bool | None
    samples: int


class ImagePage(Page[SampledImage]):
    """Part of the images of the samples that were asked for, of `total` in all."""

    total: int
