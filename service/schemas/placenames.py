"""Names on the map, over the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class PlaceName(BaseModel):
    """What a region is called: a class, or the word with which the names of several end.

    Regions of a `rank` are of one `width`, in sides of the map, and do not touch. `x` and `y` are the mean place of the
    samples that say the name; `share` is its part of all that is said in the region, `bits` how much oftener it is said
    there than on the whole map, as pointwise mutual information.
    """

    rank: Literal["country", "province", "town"]
    width: float
    name: str
    classes: list[int]
    x: float
    y: float
    samples: int
    images: int
    share: float
    bits: float
