"""Icons on request: what can be asked of a made map beyond its cells' own icons, in its canonical form."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter, model_validator

from atlas_core.cards import Card
from atlas_core.keys import digest

MOST_ICONS = 400
"""Of one request."""
Label = Annotated[int, Field(ge=0)] | Annotated[str, Field(min_length=1, max_length=300)]
Image = Annotated[
    str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of a picture that was PUT to /v1/blobs, in hex")
]
Share = Annotated[float, Field(ge=0, le=1)]


class Cell(Card):
    """A cell of the request's level."""

    column: int = Field(ge=0)
    row: int = Field(ge=0)


class WeightedCell(Cell):
    """A cell that counts so much; below 0 the sum leads away from it."""

    weight: float = Field(default=1.0, ge=-100, le=100)


class PlacedCell(Cell):
    """A cell on a canvas: its middle from the left and from the top, and how far it reaches, in sides of the canvas."""

    x: Share
    y: Share
    radius: float = Field(default=0.25, ge=0.02, le=1)


class _Request(Card):
    """What all requests have in common.

    `layer` is the atlas's first by default, `z` counts its levels from the coarsest, `recipe` is the atlas's own by
    default; an atlas without icons takes `vivid`, with `privacy: strict` `pure`.
    """

    layer: Annotated[str, Field(min_length=1, max_length=300)] | None = None
    z: int = Field(default=0, ge=0, le=63)
    recipe: Literal["fast", "detail", "vivid", "pure"] | None = None


class Channels(_Request):
    """Channels of the layer: for each what the layer shows on average where that channel is active."""

    kind: Literal["channels"]
    channels: list[Annotated[int, Field(ge=0)]] = Field(min_length=1, max_length=MOST_ICONS)


class Classes(_Request):
    """Classes, by index or name.

    `of: cells` is the mean of the level's cells, each weighted by what it adds to the class beyond what it adds to
    classes on average: what the layer has seen of the class. `of: logit` raises the class's logit itself through the
    whole network, on a canvas as large as its input, from noise (recipe `pure`): what the network would call
    the class, and no more than that.
    """

    kind: Literal["classes"]
    classes: list[Label] = Field(min_length=1, max_length=MOST_ICONS)
    of: Literal["cells", "logit"] = "cells"


class Sum(_Request):
    """A weighted sum of cells, as they differ from the layer's mean: one icon."""

    kind: Literal["sum"]
    cells: list[WeightedCell] = Field(min_length=1, max_length=100)


class Walk(_Request):
    """From one cell to another in so many steps, both ends counted.

    `along: map` follows the straight line across the map, past the cells that lie there; `along: means` the straight
    line between the two means.
    """

    kind: Literal["path"]
    start: Cell
    end: Cell
    steps: int = Field(default=10, ge=2, le=100)
    along: Literal["map", "means"] = "map"


class Selection(_Request):
    """An icon for each cell of a selection: a list, a box or those that speak most for a class.

    `box` is the first column, first row, last column and last row.
    """

    kind: Literal["selection"]
    cells: list[Cell] | None = Field(default=None, min_length=1, max_length=MOST_ICONS)
    box: tuple[int, int, int, int] | None = None
    label: Label | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Selection:
        if sum(value is not None for value in (self.cells, self.box, self.label)) != 1:
            raise ValueError("a selection is given by one of cells, box and label")
        return self


class Grid(_Request):
    """An icon for each position of an image, at most 14 x 14, put together in its shape.

    With `sized` an icon's area is as the length of the activation that it shows, the longest filling its place.
    """

    kind: Literal["grid"]
    image: Image
    sized: bool = False


class WholeLayer(Card):
    """Whatever the layer sees in the image."""

    of: Literal["layer"]


class OneChannel(Card):
    """A channel of the layer."""

    of: Literal["channel"]
    channel: int = Field(ge=0)


class OneCell(Cell):
    """The direction of a cell."""

    of: Literal["cell"]


class OneClass(Card):
    """The direction of a class, as for `classes` of `cells`."""

    of: Literal["class"]
    label: Label


DreamTarget: TypeAlias = Annotated[WholeLayer | OneChannel | OneCell | OneClass, Field(discriminator="of")]


class Dream(_Request):
    """An image changed so that something grows stronger in it.

    Strength is `steps` times `rate`. Where `mask`, a picture of any size, is white the image may change, where it is
    black it stays. Dreams start from the image and have no recipe.
    """

    kind: Literal["dream"]
    image: Image
    target: DreamTarget = WholeLayer(of="layer")
    mask: Image | None = None
    steps: int = Field(default=32, ge=1, le=256)
    rate: float = Field(default=0.1, gt=0, le=1)
    recipe: None = None


class Composition(_Request):
    """Cells placed on a square canvas of `size` pixels, rendered as one picture.

    Every place belongs to the cells near it, measured by their radii; `ground` is the cell that fills what none
    reaches, without one the nearest does. `size` is at most twice the longer side of the model's input, by default that
    side.
    """

    kind: Literal["composition"]
    cells: list[PlacedCell] = Field(min_length=1, max_length=32)
    ground: Cell | None = None
    size: int | None = Field(default=None, ge=8, le=8192)


IconsRequest: TypeAlias = Annotated[
    Channels | Classes | Sum | Walk | Selection | Grid | Dream | Composition, Field(discriminator="kind")
]
_REQUEST: TypeAdapter[IconsRequest] = TypeAdapter(IconsRequest)


def parse_request(value: Any) -> IconsRequest:
    """A request from JSON that was valid before; a pydantic error otherwise."""
    return _REQUEST.validate_python(value)


def icons_id(atlas: str, request: IconsRequest) -> str:
    """Id of the job that makes these icons of an atlas; the request is resolved, so the same icons are one job."""
    return digest(["icons", atlas, request.model_dump(mode="json")])[:24]
