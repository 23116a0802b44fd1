"""Comparisons over the wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from atlas_core.selections import OfClasses
from service.schemas.jobs import Job
from service.schemas.samples import ClassName
from service.schemas.versions import VersionsDescription, VersionsSummary


class ClassComparison(OfClasses):
    """Two classes of an atlas, which is given by an id or alias."""

    atlas: Annotated[str, Field(min_length=1, max_length=200)]


class ComparedClasses(BaseModel):
    """Two classes on one picture, `side` cells a side.

    A sample lies at x = 0 where it adds `scale` or more to the logit of the first class beyond what it adds to the
    second's, at 1 where it is the other way round, in the middle where it adds to both alike; `clamped` lie at an edge.
    Up and down, similar samples lie together: `trustworthiness` says how far that may be believed, .5 is chance.
    """

    kind: Literal["classes"]
    layer: str
    classes: tuple[ClassName, ClassName]
    scale: float
    clamped: int
    samples: int
    images: int
    side: int
    trustworthiness: float
    links: dict[str, str]


class Comparison(Job):
    """A comparison; what it found once it is made, that of two models also in short."""

    description: Annotated[ComparedClasses | VersionsDescription, Field(discriminator="kind")] | None = None
    summary: VersionsSummary | None = None
