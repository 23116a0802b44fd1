"""Icons on request over the wire."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from atlas_core.icons import IconsRequest
from service.schemas.jobs import Job


class IconPicture(BaseModel):
    """A picture; beside these it says what it is of: channel, class and name, share of a walk, or column and row."""

    model_config = ConfigDict(extra="allow")

    n: int
    width: int
    height: int
    sha256: str
    url: str
    fidelity: dict[str, Any]


class IconSheet(BaseModel):
    """All pictures on one."""

    width: int
    height: int
    sha256: str
    url: str


class IconRecipe(BaseModel):
    """How icons were rendered."""

    name: str
    version: int


class IconsDescription(BaseModel):
    """What icons are, and how true; `side` is of the level whose cells were named or gave the starts.

    `seeded_from_data` says that pictures of the dataset, or the image that was sent, are where they start.
    """

    schema_version: int
    request: IconsRequest
    side: int
    recipe: IconRecipe | None
    seeded_from_data: bool
    pictures: list[IconPicture]
    sheet: IconSheet
    digest: str


class Icons(Job):
    """Icons that were asked for; what they are once they are made."""

    description: IconsDescription | None = None
