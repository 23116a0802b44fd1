"""Flows over the wire."""

from __future__ import annotations

from pydantic import BaseModel


class Flow(BaseModel):
    """Where the samples of a cell lie at another layer's level of so many cells a `side`.

    Of its `samples`, `followed` have a twin there. `column`, `row` and `count` are of the cells that hold any, the
    fullest first, `share` of the followed; `points` are some of the twins' places on that map, x and y.
    """

    layer: str
    z: int
    side: int
    samples: int
    followed: int
    column: list[int]
    row: list[int]
    count: list[int]
    share: list[float]
    points: list[tuple[float, float]]
