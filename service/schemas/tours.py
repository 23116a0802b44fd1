"""Tours over the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from atlas_core.cards import Card


class Stop(Card):
    """One place of a tour.

    `view` is the whole state of the viewer there: the part of its address behind `#`.
    """

    caption: Annotated[str, Field(max_length=1000)]
    view: Annotated[str, Field(max_length=4000)]


class TourRequest(Card):
    """Places in the order in which they are played."""

    title: Annotated[str, Field(max_length=200)] = ""
    stops: Annotated[list[Stop], Field(max_length=100)]


class Tour(BaseModel):
    """The tour of a map; where nobody saved one yet an empty one of version 0."""

    version: int
    title: str
    stops: list[Stop]
    saved: str | None
