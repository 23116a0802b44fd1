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


class OfRegion(_Shown):
    """Samples of a rectangle of the map, x0, y0, x1, y1 with y up, or of cells of its level `z`."""

    kind: Literal["region"]
    box: tuple[Share, Share, Share, Share] | None = None
    cells: list[Cell] | None = Field(default=None, min_length=1, max_length=MOST_CELLS)
    z: int = Field(default=0, ge=0, le=63)

    @model_validator(mode="after")
    def _one_region(self) -> OfRegion:
        if (self.box is None) == (self.cells is None):
            raise ValueError("a region is a `box` or a list of `cells`; give one of them")
        if self.box is not None and not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("a box is x0, y0, x1, y1 with x0 < x1 and y0 < y1, such as 0.2, 0.3, 0.4, 0.5")
        return self


class OfErrors(_Shown):
    """Samples of images that the network got wrong; with `label` only of images of that class, by index or name."""

    kind: Literal["errors"]
    label: Label | None = None


class OfClasses(_Shown):
    """Two classes to compare, by index or name: the first lies on the left, the second on the right."""

    kind: Literal["classes"]
    classes: tuple[Label, Label]

    @model_validator(mode="after")
    def _two_classes(self) -> OfClasses:
        if self.classes[0] == self.classes[1]:
            raise ValueError("a class is compared with another one; give two")
        return self


Chosen: TypeAlias = OfClass | OfRegion | OfErrors | OfClasses
SelectionRequest: TypeAlias = Annotated[OfClass | OfRegion | OfErrors, Field(discriminator="kind")]
PARSED: TypeAdapter[Chosen] = TypeAdapter(
    Annotated[OfClass | OfRegion | OfErrors | OfClasses, Field(discriminator="kind")]
)


def which(request: Chosen) -> dict[str, Any]:
    """The part of a request that says which samples, as JSON: it is the same however they are shown."""
    return request.model_dump(mode="json", exclude=set(HOW))


def speaks(request: Chosen) -> bool:
    """Whether a request is about what samples add to classes."""
    return isinstance(request, OfClass | OfClasses)


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
        case OfClass(label=label, by="rank"):
            return _known(index).by_rank(int(label))
        case OfClass(label=label):
            return _known(index).by_magnitude(int(label))
        case OfClasses(classes=classes):
            return np.unique(np.concatenate([_known(index).by_magnitude(int(label)) for label in classes]))
        case OfErrors(label=label):
            rows = Wanted(label=None if label is None else int(label), wrong=True).of(table, np.arange(len(table)))
        case OfRegion(box=(x0, y0, x1, y1)):
            rows = table.in_box(Box(x0, y0, x1, y1))
        case OfRegion(cells=cells, z=z):
            rows = np.concatenate([table.in_cell(levels[z], cell.column, cell.row) for cell in cells or ()])
    return np.unique(table.sample[rows]).astype(np.int64)


def _known(index: ClassIndex | None) -> ClassIndex:
    if index is None:
        raise ConflictError("the atlas was made by an earlier version, which kept no index of classes; delete it and "
                            "ask for it again, or ask under another seed")  # fmt: skip
    return index
