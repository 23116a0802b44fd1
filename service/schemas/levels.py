"""Levels and tiles over the wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel


class Tile(BaseModel):
    """A tile that has cells as it can be seen now: with `preview` until it is rendered by the atlas's recipe.

    `icon_size` is in pixels, of this picture; a preview's may be another than the level's.
    """

    x: int
    y: int
    digest: str
    icons: int
    icon_size: int
    recipe: str
    preview: bool
    url: str


class Level(BaseModel):
    """A level of a layer; `qualities` is its entry in the manifest, once it is published.

    It is `previewed` while all tiles that can be seen are previews. `icon_size` is that of the finished icons.
    `seeded_from_data` says whether pictures of the dataset went into its icons; null where there are none.
    """

    layer: str
    z: int
    side: int
    tile_side: int
    state: Literal["waiting", "previewed", "rendering", "published"]
    cells: int | None
    icon_size: int | None
    seeded_from_data: bool | None
    tiles: list[Tile]
    qualities: dict[str, Any] | None
    links: dict[str, str]
