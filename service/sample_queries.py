"""What a query may say of samples: which layer's, in which part of the map, by what is known of them."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Path, Query

from atlas_core.errors import InputError
from atlas_core.polygon import Polygon
from atlas_core.search import Area, Box, Wanted
from service.dependencies import ServicesDep
from service.names import AtlasId
from service.samples import Samples


class Filters:
    """Which samples count.

    Args:
        label: Of their images.
        predicted: Of their images.
        wrong: Whether only those of images that the network got wrong.
        right: Whether only those of images that the network got right.
    """

    def __init__(
        self,
        label: Annotated[str | None, Query(description="index or name of the images' label")] = None,
        predicted: Annotated[str | None, Query(description="index or name of what the network takes them for")] = None,
        wrong: Annotated[bool, Query(description="only of images that the network got wrong")] = False,
        right: Annotated[bool, Query(description="only of images that the network got right")] = False,
    ) -> None:
        """Take the parameters."""
        self._label, self._predicted, self._wrong, self._right = label, predicted, wrong, right

    def of(self, samples: Samples) -> Wanted:
        """The same for a layer's samples; raises InputError as `Samples.wanted` does."""
        return samples.wanted(self._label, self._predicted, wrong=self._wrong, right=self._right)


FiltersDep = Annotated[Filters, Depends()]


class Speaking:
    """Which samples count, also by what they add to classes and by their image.

    Args:
        filters: What else is asked of them.
        speaks_for: A class.
        by: How samples speak for it, as of a selection.
        image: Id of their image, with privacy `strict` its place in the listing.
    """

    def __init__(
        self,
        filters: FiltersDep,
        speaks_for: Annotated[
            str | None, Query(max_length=300, description="index or name of a class that samples add to")
        ] = None,
        by: Annotated[
            Literal["magnitude", "rank"], Query(description="the 2,000 that add most to it; or to no class more")
        ] = "magnitude",
        image: Annotated[str | None, Query(max_length=4096, description="id of an image, as samples tell it")] = None,
    ) -> None:
        """Take the parameters."""
        self._filters, self._speaks_for, self._by, self._image = filters, speaks_for, by, image

    def of(self, samples: Samples) -> Wanted:
        """The same for a layer's samples; raises as `wanted`, `speaking` and `image_named` of `Samples` do."""
        wanted = self._filters.of(samples)
        if self._image is not None:
            wanted = replace(wanted, image=samples.image_named(self._image))
        if self._speaks_for is None:
            return wanted
        return replace(wanted, among=samples.speaking(self._speaks_for, self._by))


class InArea:
    """A part of the map, all of it by default.

    Args:
        bbox: A rectangle.
        polygon: A polygon.

    Raises:
        InputError: It is none, or two are given.
    """

    def __init__(
        self,
        bbox: Annotated[str | None, Query(description="a rectangle: x0,y0,x1,y1, each in 0 to 1, y up")] = None,
        polygon: Annotated[
            str | None, Query(max_length=20_000, description="a polygon: x,y of each corner in turn, each in 0 to 1")
        ] = None,
    ) -> None:
        """Read it."""
        self.given = bbox is not None or polygon is not None
        if bbox is not None and polygon is not None:
            raise InputError("samples are asked for by `bbox` or by `polygon`, not by both", pointer="/polygon")
        self.area: Area = _box(bbox or "0,0,1,1") if polygon is None else _polygon(polygon)


Wish = Annotated[bool, Query(description="answer 202 with none instead of 404 where they are not known yet")]
LayerName = Annotated[str, Path(description="percent-encoded name of the layer")]


def _samples(atlas: AtlasId, layer: LayerName, services: ServicesDep) -> Samples:
    return Samples(services.artifacts, services.artifacts.plan(atlas), layer)


SamplesDep = Annotated[Samples, Depends(_samples)]
SpeakingDep = Annotated[Speaking, Depends()]
AreaDep = Annotated[InArea, Depends()]


def _box(text: str) -> Box:
    box = Box(*numbers_from("bbox", text, 4))
    if box.x0 >= box.x1 or box.y0 >= box.y1:
        raise InputError("bbox is x0,y0,x1,y1 with x0 < x1 and y0 < y1, such as 0.2,0.3,0.4,0.5", pointer="/bbox")
    return box


def _polygon(text: str) -> Polygon:
    count = text.count(",") + 1
    if count < 6 or count % 2:
        raise InputError("polygon is x,y of three corners or more, such as 0.2,0.2,0.8,0.2,0.5,0.9", pointer="/polygon")
    numbers = numbers_from("polygon", text, count)
    return Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


def numbers_from(name: str, text: str, count: int) -> list[float]:
    """Numbers from 0 to 1 with commas between them.

    Args:
        name: Of the parameter.
        text: What was given.
        count: How many they must be.

    Raises:
        InputError: They are no such numbers.
    """
    parts = text.split(",")
    if len(parts) == count and all(re.fullmatch(r"[0-9.e+-]{1,25}", part) for part in parts):
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            numbers = [math.nan]
        if all(0 <= number <= 1 for number in numbers):
            return numbers
    raise InputError(f"{name} is {count} numbers from 0 to 1 with commas between them, got {text[:60]!r}",
                     pointer=f"/{name}")  # fmt: skip
