"""Names on the map, over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class PlaceName(BaseModel):
    """What a region is called: a class, or the word with which the names of several end.

    `x` and `y` are the mean place of the samples that say it; `share` is its part of all that is said in the region,
    `bits` how much oftener it is said there than on the whole map, as pointwise mutual information.
    """

    name: str
    classes: list[int]
    x: float
    y: float
    samples: int
    images: int
    share: float
    bits: float


class NamedRank(BaseModel):
    """The names of regions of one `width`, in sides of the map, the surest first; regions of a rank do not touch."""

    rank: Literal["country", "province", "town"]
    width: float
    names: list[PlaceName]


class NamedPlaces(BaseModel):
    """What the regions of a layer's map are called, wide regions first."""

    layer: str
    ranks: list[NamedRank]
