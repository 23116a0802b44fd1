"""Levels of a published, or half published, atlas: cells, tiles, icons, exemplars, posters."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from PIL import Image

from atlas_core.advance import TERMINAL
from atlas_core.cell_tables import FORMS
from atlas_core.demand import demand
from atlas_core.errors import DependencyError, InputError, NotFoundError
from atlas_core.featurevis.recipes import canvas_size, recipe_named
from atlas_core.manifest import seeded_from_data
from atlas_core.mapping import TILE_SIDE
from atlas_core.plan import Plan
from atlas_core.pyramid import png
from service.artifacts import Tile, said_of_tile
from service.cell_tables import Format, file_of, form_of, tag_of
from service.dependencies import Services, ServicesDep
from service.errors import NotYetError
from service.heatmaps import against
from service.names import AtlasId
from service.schemas.levels import Level
from service.schemas.pages import Page

# A layer's name may hold slashes, percent-encoded; servers decode them before routing, so it is matched as a path.
LEVEL = "/v1/atlases/{atlas}/layers/{layer:path}/levels/{z}"
router = APIRouter(prefix=LEVEL, tags=["levels"])
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}, "description": "The picture"}}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {}, "image/png": {}}, "description": "The picture"},
    304: {"description": "It has not changed"},
}


class Place:
    """A level of a layer of an atlas, from the path.

    Args:
        atlas: Its id, found by an id or an alias.
        layer: Name, percent-encoded.
        z: Level, from 0, the coarsest.
        services: What reads it.
    """

    def __init__(
        self,
        atlas: AtlasId,
        layer: Annotated[str, Path(description="percent-encoded name of the layer")],
        z: Annotated[int, Path(ge=0, le=63)],
        services: ServicesDep,
    ) -> None:
        """Find it; raises NotFoundError where there is none."""
        self.services: Services = services
        self.atlas, self.layer, self.z = atlas, layer, z
        self.plan: Plan = services.artifacts.plan(atlas)
        self.side: int = services.artifacts.side(self.plan, layer, z)

    @property
    def url(self) -> str:
        """Path of the level."""
        return f"/v1/atlases/{self.atlas}/layers/{quote(self.layer, safe='')}/levels/{self.z}"

    @property
    def icon_size(self) -> int | None:
        """Side of the level's icons in pixels once they are no previews; None where there are none."""
        if not self.plan.spec.rendered:
            return None
        model = self.plan.model
        return canvas_size(recipe_named(self.plan.spec.recipe), model.layer(self.layer), model.card.input)

    def cache(self, v: str | None, tag: str) -> str:
        """How long an answer may be kept: a year where it was asked for by its digest, or by the published atlas's."""
        known = v is not None and v in (tag, self.services.artifacts.job(self.atlas)["digest"])
        return FOREVER if known else REVALIDATE

    def tile(self, x: int, y: int) -> tuple[Tile, str]:
        """A tile that has cells, as it can be seen now, and the digest of its picture.

        One that is not there, or only as a preview, is made before its turn while its job runs.

        Raises:
            NotFoundError: There is none, or not yet.
        """
        artifacts = self.services.artifacts
        tile = artifacts.tile(self.plan, self.layer, self.side, x, y)
        if tile is None or (tile.preview and tile.blob is not None):
            self._demand(x, y)
        if tile is None:
            raise artifacts.missing(self.plan, f"tile {x}/{y} is not rendered yet")
        if tile.blob is None:
            raise NotFoundError(f"tile {x}/{y} has no cell")
        return tile, tile.blob

    def _demand(self, x: int, y: int) -> None:
        services = self.services
        if services.artifacts.job(self.atlas)["state"] not in TERMINAL:
            chunks = services.artifacts.tile_chunks(self.plan, self.layer, self.side, x, y)
            with suppress(DependencyError):  # then it comes in its turn
                demand(self.plan, chunks, services.ledger, services.enqueue)


PlaceDep = Annotated[Place, Depends()]
Coordinate = Annotated[int, Path(ge=0, le=10_000)]
Version = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="digest; makes the answer immutable")]


Wish = Annotated[bool, Query(description="answer 202 instead of 404 where it is not there yet and now comes earlier")]


@router.get("", response_model=Level)
def get_level(place: PlaceDep) -> Any:
    """A level: its side, the tiles that can be seen so far with their digests, its qualities once complete."""
    artifacts, plan, layer, side = place.services.artifacts, place.plan, place.layer, place.side
    tiles = artifacts.tiles(plan, layer, side)
    published = artifacts.published(plan, layer, side)
    qualities = published["info"] if published else None
    return {
        "layer": layer,
        "z": place.z,
        "side": side,
        "tile_side": TILE_SIDE,
        "state": _state(tiles, published=published is not None),
        "cells": qualities["cells"] if qualities else None,
        "icon_size": place.icon_size,
        "seeded_from_data": seeded_from_data(plan.spec),
        "tiles": [
            {
                "x": tile.x,
                "y": tile.y,
                "digest": tile.blob,
                "icons": tile.icons,
                "icon_size": tile.icon_size,
                "recipe": tile.recipe,
                "preview": tile.preview,
                "url": f"{place.url}/tiles/{tile.x}/{tile.y}?v={tile.blob}",
            }
            for tile in tiles
            if tile.blob is not None
        ],
        "qualities": qualities,
        "links": {"self": place.url, "cells": f"{place.url}/cells", "poster": f"{place.url}/poster"},
    }


def _state(tiles: list[Tile], *, published: bool) -> str:
    if published:
        return "published"
    if not tiles:
        return "waiting"
    return "previewed" if all(tile.preview for tile in tiles) else "rendering"


TABLES: dict[int | str, dict[str, Any]] = {
    200: {"content": {form.media_type: {} for form in FORMS.values()}, "description": "The cells"},
    304: {"description": "They have not changed"},
}


@router.get("/cells", response_model=Page[dict[str, Any]], responses=TABLES)
def list_cells(
    place: PlaceDep,
    request: Request,
    response: Response,
    class_: Annotated[str | None, Query(alias="class", description="index or name of a class among a cell's")] = None,
    min_count: Annotated[int, Query(ge=0, description="samples at least")] = 0,
    bbox: Annotated[str | None, Query(description="first column, first row, last column, last row")] = None,
    page_size: Annotated[int, Query(ge=1, le=200_000)] = 200_000,
    page_token: Annotated[str | None, Query(pattern="^[0-9]{1,12}$")] = None,
    format_: Annotated[Format | None, Query(alias="format", description="instead of Accept, for links")] = None,
    v: Version = None,
) -> Any:
    """Cells of a level; readable before its icons are rendered, and with `classes` null before these are known.

    By class 404 with Retry-After until then, and 422 where cells speak for none. As CSV or Parquet by `format` or by
    Accept: all of them, a row each, without pages.
    """
    blob, cells = _asked_cells(place, class_, min_count, _box(bbox))
    form = form_of(format_, request.headers.get("accept", ""))
    if form is not None or not request.url.query:
        etag = f'"{blob}"' if form is None else tag_of(place, blob, form, request.url.query)
        headers = {"ETag": etag, "Cache-Control": REVALIDATE, "Vary": "Accept"}
        if matches(request, etag):
            return unchanged(headers)
        if form is not None:
            return file_of(place, cells, form, headers)
        response.headers.update(headers)
    elif v is not None:
        response.headers["Cache-Control"] = place.cache(v, blob)
    start = int(page_token or 0)
    stop = start + page_size
    return {"items": cells[start:stop], "next_page_token": str(stop) if stop < len(cells) else None}


def _asked_cells(
    place: Place, class_: str | None, min_count: int, box: tuple[int, ...] | None
) -> tuple[str, list[dict[str, Any]]]:
    """Digest of a level's cells, and those of them that are asked for."""
    if class_ is not None and (reason := place.plan.unattributed(place.layer)) is not None:
        raise InputError(f"cells of {place.layer!r} cannot be asked by class: {reason}", pointer="/class")
    artifacts = place.services.artifacts
    blob = artifacts.cells_blob(place.plan, place.layer, place.side)
    found = artifacts.cells(blob)
    if class_ is not None and any(cell["classes"] is None for cell in found):
        raise artifacts.missing(place.plan, f"the classes of the cells of {place.layer!r} are not made yet")
    return blob, [
        cell
        for cell in found
        if cell["count"] >= min_count
        and (class_ is None or _has_class(cell, class_))
        and (box is None or (box[0] <= cell["column"] <= box[2] and box[1] <= cell["row"] <= box[3]))
    ]


@router.get(
    "/tiles/{x}/{y}", responses=PICTURE | {202: {"description": "It is made before its turn"}}, response_class=Response
)
def get_tile(
    place: PlaceDep, x: Coordinate, y: Coordinate, request: Request, v: Version = None, wish: Wish = False
) -> Response:
    """A block of 10 x 10 icons, row 0 on top; transparent where there is no cell. A preview until it is rendered."""
    try:
        tile, blob = place.tile(x, y)
    except NotYetError:
        if not wish:
            raise
        return Response(status_code=202, headers={"Retry-After": "1", "Cache-Control": "no-store"})
    accept = request.headers.get("accept", "")
    as_png = "image/png" in accept and "image/webp" not in accept
    etag = f'"{blob}-png"' if as_png else f'"{blob}"'
    headers = {"ETag": etag, "Cache-Control": FOREVER if v == blob else REVALIDATE, "Vary": "Accept", **_made(tile)}
    if matches(request, etag):
        return Response(status_code=304, headers=headers)
    data = place.services.store.get_blob(blob)
    if not as_png:
        return Response(data, headers=headers, media_type="image/webp")
    with Image.open(io.BytesIO(data)) as picture:
        shown = png(picture.convert("RGBA"), said_of_tile(place.plan, tile))
    return Response(shown, headers=headers, media_type="image/png")


@router.get("/poster", responses=PICTURE, response_class=Response)
def get_poster(place: PlaceDep, request: Request, v: Version = None) -> Response:
    """The whole level on one picture; without icons, how many samples its cells have."""
    record = place.services.artifacts.published(place.plan, place.layer, place.side)
    if record is None:
        raise place.services.artifacts.missing(place.plan, f"level {place.z} of {place.layer!r} is not complete yet")
    blob = record["blobs"]["poster"]
    headers = {"ETag": f'"{blob}"', "Cache-Control": FOREVER if v == blob else REVALIDATE}
    if matches(request, f'"{blob}"'):
        return Response(status_code=304, headers=headers)
    return Response(place.services.store.get_blob(blob), headers=headers, media_type="image/png")


@router.get("/cells/{column}-{row}")
def get_cell(place: PlaceDep, column: Coordinate, row: Coordinate) -> dict[str, Any]:
    """One cell: classes that it speaks for and `against`, coherence, its icon's fidelity and marks, exemplars."""
    cell = place.services.artifacts.cell(place.plan, place.layer, place.side, column, row)
    url = f"{place.url}/cells/{column}-{row}"
    exemplars = [f"{url}/exemplars/{number}" for number in range(len(cell["exemplars"]))]
    icon = {"icon": f"{url}/icon"} if place.plan.spec.rendered else {}
    return cell | {"against": against(place, cell), "links": {"self": url, **icon, "exemplars": exemplars}}


@router.get("/cells/{column}-{row}/icon", responses=PNG, response_class=Response)
def get_icon(place: PlaceDep, column: Coordinate, row: Coordinate) -> Response:
    """The icon of a cell; a preview until its tile is rendered."""
    artifacts = place.services.artifacts
    artifacts.cell(place.plan, place.layer, place.side, column, row)
    tile, _ = place.tile(column // TILE_SIDE, row // TILE_SIDE)
    headers = {"Cache-Control": REVALIDATE, **_made(tile)}
    return Response(artifacts.icon(place.plan, tile, column, row), headers=headers, media_type="image/png")


def _made(tile: Tile) -> dict[str, str]:
    """How a picture was made, as headers."""
    return {"Atlas-Recipe": tile.recipe, "Atlas-Preview": str(tile.preview).lower()}


@router.get("/cells/{column}-{row}/exemplars/{n}", responses=PNG, response_class=Response)
def get_exemplar(place: PlaceDep, column: Coordinate, row: Coordinate, n: Coordinate, v: Version = None) -> Response:
    """The patch of a real image that is an exemplar of a cell, as large as the layer's receptive field."""
    cell = place.services.artifacts.cell(place.plan, place.layer, place.side, column, row)
    if place.plan.spec.strict:
        raise NotFoundError("this atlas was made with privacy `strict` and keeps no exemplars")
    if n >= len(cell["exemplars"]):
        raise NotFoundError(f"cell {column}-{row} has exemplars 0 to {len(cell['exemplars']) - 1}")
    data = place.services.artifacts.exemplar(place.plan, place.layer, cell["exemplars"][n])
    return Response(data, headers={"Cache-Control": place.cache(v, "")}, media_type="image/png")


def _has_class(cell: dict[str, Any], wanted: str) -> bool:
    return any(wanted in (str(one["index"]), one["name"]) for one in cell["classes"])


def _box(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}(,\d{1,5}){3}", text):
        raise InputError("bbox is four numbers: first column, first row, last column, last row, such as 0,0,9,9")
    return tuple(int(part) for part in text.split(","))


def matches(request: Request, etag: str) -> bool:
    """Whether the reader has this version already."""
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known


def unchanged(headers: Mapping[str, str]) -> Response:
    """304 for what is sent compressed where a reader asks for that, which it varies by as the whole answer does."""
    answer = Response(status_code=304, headers=headers)
    answer.headers.add_vary_header("Accept-Encoding")
    return answer
