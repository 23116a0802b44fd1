"""Selections: which samples of a layer are given an atlas of their own, and two classes compared on one picture.

What is asked for, in its canonical form, and the samples that it means; each sample counts once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import Field, TypeAdapter, model_validator

from atlas_core.cards import Card
from atlas_core.errors import ConflictError
from atlas_core.icons import Cell, Label, Share
from atlas_core.polygon import MOST_CORNERS, Polygon
from atlas_core.search import Box, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.class_index import ClassIndex
    from atlas_core.search import SampleTable

LEAST_IMAGES = 20
MOST_CELLS = 10_000
HOW = ("side", "recipe")
"""Fields that say how samples are shown, and not which."""


class _Shown(Card):
    """What all have in common: `layer` is the atlas's first by default, `recipe` the atlas's own.

    `side` is how many cells a side the map has; by default 8, of a comparison 10, or fewer where the samples fill no
    more.
    """

    layer: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    side: int | None = Field(default=None, ge=2, le=160)
    recipe: Literal["fast", "detail", "vivid", "pure", "none"] | None = None


class OfClass(_Shown):
    """Samples that speak for a class, by index or name.

    `magnitude`: the 2,000 that add most to it. `rank`: those that add to no class more than to it.
    """

    kind: Literal["class"]
    label: Label
    by: Literal["magnitude", "rank"] = "magnitude"


class _Placed(_Shown):
    """Where samples lie: in a rectangle of the map (x0, y0, x1, y1, y up), a polygon of it, or cells of level `z`."""

    box: tuple[Share, Share, Share, Share] | None = None
    polygon: list[tuple[Share, Share]] | None = Field(default=None, min_length=3, max_length=MOST_CORNERS)
    cells: list[Cell] | None = Field(default=None, min_length=1, max_length=MOST_CELLS)
    z: int = Field(default=0, ge=0, le=63)

    @property
    def places(self) -> int:
        """How many places are given."""
        return sum(one is not None for one in (self.box, self.polygon, self.cells))

    @model_validator(mode="after")
    def _rectangle(self) -> _Placed:
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("a box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, such as 0.2, 0.3, 0.4, 0.5")
        return self


class OfRegion(_Placed):
    """Samples of a rectangle of the map, of a polygon, or of cells of its level `z`."""

    kind: Literal["region"]

    @model_validator(mode="after")
    def _one_region(self) -> OfRegion:
        if self.places != 1:
            raise ValueError("a region is a `box`, a `polygon` or a list of `cells`; give one of them")
        return self


class OfErrors(_Shown):
    """Samples of images that the network got wrong; with `label` only of images of that class, by index or name."""

    kind: Literal["errors"]
    label: Label | None = None


class OfSamples(_Placed):
    """Samples of which all that is given holds: where they lie, what they speak for, what is known of their images.

    `speaks_for` is a class as of the kind `class`, with `by`; `label` is the images' class and `predicted` what the
    network takes them for, by index or name; `wrong` and `right` leave only images that the network got so.
    """

    kind: Literal["samples"]
    speaks_for: Label | None = None
    by: Literal["magnitude", "rank"] = "magnitude"
    label: Label | None = None
    predicted: Label | None = None
    wrong: bool = False
    right: bool = False

    @model_validator(mode="after")
    def _some_samples(self) -> OfSamples:
        if self.places > 1:
            raise ValueError("samples lie in a `box`, a `polygon` or a list of `cells`; give one of them or none")
        if self.wrong and self.right:
            raise ValueError("no image is both `wrong` and `right`; give one of them or none")
        asked = (self.speaks_for, self.label, self.predicted)
        if not (self.places or self.wrong or self.right) and all(one is None for one in asked):
            raise ValueError("these are all samples, of which there is the atlas itself; say which: `box`, `polygon`, "
                             "`cells`, `speaks_for`, `label`, `predicted`, `wrong`, `right`")  # fmt: skip
        return self


class OfClasses(_Shown):
    """Two classes to compare, by index or name: the first lies on the left, the second on the right."""

    kind: Literal["classes"]
    classes: tuple[Label, Label]

    @model_validator(mode="after")
    def _two_classes(self) -> OfClasses:
        if self.classes[0] == self.classes[1]:
            raise ValueError("a class is compared with another one; give two")
        return self


SelectionRequest: TypeAlias = Annotated[OfClass | OfRegion | OfErrors | OfSamples, Field(discriminator="kind")]
Chosen: TypeAlias = OfClass | OfRegion | OfErrors | OfSamples | OfClasses
PARSED: TypeAdapter[Chosen] = TypeAdapter(
    Annotated[OfClass | OfRegion | OfErrors | OfSamples | OfClasses, Field(discriminator="kind")]
)


def which(request: Chosen) -> dict[str, Any]:
    """The part of a request that says which samples, as JSON: it is the same however they are shown."""
    return request.model_dump(mode="json", exclude=set(HOW))


def speaks(request: Chosen) -> bool:
    """Whether a request is about what samples add to classes."""
    return bool(classes_of(request))


def classes_of(request: Chosen) -> list[Label]:
    """The classes that a request is about."""
    match request:
        case OfClass(label=label):
            return [label]
        case OfClasses(classes=classes):
            return list(classes)
        case OfSamples(speaks_for=label) if label is not None:
            return [label]
    return []


def samples_of(
    request: Chosen, table: SampleTable, index: ClassIndex | None, levels: Sequence[int]
) -> NDArray[np.int64]:
    """The samples that a resolved request means.

    Args:
        request: With indices for names.
        table: Where the layer's samples lie.
        index: The layer's class index, where classes count.
        levels: Cells a side of the atlas's levels.

    Returns:
        Their numbers in the order of the listing, ascending, each once.

    Raises:
        ConflictError: Classes count, and the atlas has no index of them.
    """
    match request:
        case OfClass(label=label, by=by):
            return speaking(index, int(label), by)
        case OfClasses(classes=classes):
            return np.unique(np.concatenate([speaking(index, int(label), "magnitude") for label in classes]))
        case OfErrors(label=label):
            rows = Wanted(_number(label), wrong=True).of(table, np.arange(len(table)))
        case OfRegion():
            rows = _placed(request, table, Wanted(), levels)
        case OfSamples():
            among = None
            if request.speaks_for is not None:
                among = marked(speaking(index, int(request.speaks_for), request.by), len(table))
            wanted = Wanted(_number(request.label), _number(request.predicted), request.wrong, request.right, among)
            rows = _placed(request, table, wanted, levels)
    return np.unique(table.sample[rows]).astype(np.int64)


def speaking(index: ClassIndex | None, label: int, by: str) -> NDArray[np.int64]:
    """Numbers of the samples that speak for a class, ascending.

    Raises:
        ConflictError: There is no index.
    """
    if index is None:
        raise ConflictError("the atlas was made by an earlier version, which kept no index of classes; delete it and "
                            "ask for it again, or ask under another seed")  # fmt: skip
    return index.by_rank(label) if by == "rank" else index.by_magnitude(label)


def marked(numbers: NDArray[np.integer[Any]], samples: int) -> NDArray[np.bool_]:
    """Of every sample whether its number is among these, shape (samples,)."""
    found = np.zeros(samples, bool)
    found[numbers] = True
    return found


def _number(label: Label | None) -> int | None:
    return None if label is None else int(label)


def _placed(place: _Placed, table: SampleTable, wanted: Wanted, levels: Sequence[int]) -> NDArray[np.int64]:
    """Rows of the samples in a place that count; a sample of two of its cells twice."""
    if place.box is not None:
        return table.inside(Box(*place.box), wanted)
    if place.polygon is not None:
        return table.inside(Polygon(place.polygon), wanted)
    if place.cells is None:
        return wanted.of(table, np.arange(len(table)))
    cells = [table.in_cell(levels[place.z], cell.column, cell.row, wanted) for cell in place.cells]
    return np.concatenate(cells)
