"""Levels of a published, or half published, atlas: cells, tiles, icons, exemplars, posters."""

from __future__ import annotations

import io
import re
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from PIL import Image

from atlas_core.build import TILE_SIDE, Plan
from atlas_core.errors import InputError, NotFoundError
from atlas_core.manifest import said_of_icons, seeded_from_data
from atlas_core.pyramid import png
from service.dependencies import Services, ServicesDep
from service.names import AtlasId
from service.schemas import Level, Page

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


PlaceDep = Annotated[Place, Depends()]
Coordinate = Annotated[int, Path(ge=0, le=10_000)]
Version = Annotated[str | None, Query(pattern="^[0-9a-f]{64}$", description="digest; makes the answer immutable")]


@router.get("", response_model=Level)
def get_level(place: PlaceDep) -> Any:
    """A level: its side, the tiles rendered so far with their digests, its measured qualities once complete."""
    artifacts, plan, layer, side = place.services.artifacts, place.plan, place.layer, place.side
    tiles = artifacts.tiles(plan, layer, side)
    published = artifacts.published(plan, layer, side)
    qualities = published["info"] if published else None
    return {
        "layer": layer,
        "z": place.z,
        "side": side,
        "tile_side": TILE_SIDE,
        "state": "published" if published else "rendering" if tiles else "waiting",
        "cells": qualities["cells"] if qualities else None,
        "icon_size": tiles[0][1]["info"]["size"] if tiles else None,
        "seeded_from_data": seeded_from_data(plan.spec),
        "tiles": [
            {
                "x": chunk.parameters["x"],
                "y": chunk.parameters["y"],
                "digest": record["blobs"]["tile"],
                "icons": record["info"]["icons"],
                "url": f"{place.url}/tiles/{chunk.parameters['x']}/{chunk.parameters['y']}?v={record['blobs']['tile']}",
            }
            for chunk, record in tiles
            if "tile" in record["blobs"]
        ],
        "qualities": qualities,
        "links": {"self": place.url, "cells": f"{place.url}/cells", "poster": f"{place.url}/poster"},
    }


@router.get("/cells", response_model=Page[dict[str, Any]])
def list_cells(
    place: PlaceDep,
    request: Request,
    response: Response,
    class_: Annotated[str | None, Query(alias="class", description="index or name of a class among a cell's")] = None,
    min_count: Annotated[int, Query(ge=0, description="samples at least")] = 0,
    bbox: Annotated[str | None, Query(description="first column, first row, last column, last row")] = None,
    page_size: Annotated[int, Query(ge=1, le=200_000)] = 200_000,
    page_token: Annotated[str | None, Query(pattern="^[0-9]{1,12}$")] = None,
) -> Any:
    """Cells of a level; readable before its icons are rendered. 422 for a class where cells speak for none."""
    if class_ is not None and (reason := place.plan.unattributed(place.layer)) is not None:
        raise InputError(f"cells of {place.layer!r} cannot be asked by class: {reason}", pointer="/class")
    blob = place.services.artifacts.cells_blob(place.plan, place.layer, place.side)
    box = _box(bbox)
    cells = [
        cell
        for cell in place.services.artifacts.cells(blob)
        if cell["count"] >= min_count
        and (class_ is None or _has_class(cell, class_))
        and (box is None or (box[0] <= cell["column"] <= box[2] and box[1] <= cell["row"] <= box[3]))
    ]
    if not request.url.query:
        etag = f'"{blob}"'
        response.headers.update({"ETag": etag, "Cache-Control": REVALIDATE})
        if _matches(request, etag):
            return Response(status_code=304, headers={"ETag": etag, "Cache-Control": REVALIDATE})
    start = int(page_token or 0)
    stop = start + page_size
    return {"items": cells[start:stop], "next_page_token": str(stop) if stop < len(cells) else None}


@router.get("/tiles/{x}/{y}", responses=PICTURE, response_class=Response)
def get_tile(place: PlaceDep, x: Coordinate, y: Coordinate, request: Request, v: Version = None) -> Response:
    """A block of 10 x 10 icons, row 0 on top; transparent where there is no cell."""
    blob = place.services.artifacts.tile(place.plan, place.layer, place.side, x, y)
    accept = request.headers.get("accept", "")
    as_png = "image/png" in accept and "image/webp" not in accept
    etag = f'"{blob}-png"' if as_png else f'"{blob}"'
    headers = {"ETag": etag, "Cache-Control": FOREVER if v == blob else REVALIDATE, "Vary": "Accept"}
    if _matches(request, etag):
        return Response(status_code=304, headers=headers)
    data = place.services.store.get_blob(blob)
    if not as_png:
        return Response(data, headers=headers, media_type="image/webp")
    with Image.open(io.BytesIO(data)) as picture:
        shown = png(picture.convert("RGBA"), said_of_icons(place.plan.spec))
    return Response(shown, headers=headers, media_type="image/png")


@router.get("/poster", responses=PICTURE, response_class=Response)
def get_poster(place: PlaceDep, request: Request, v: Version = None) -> Response:
    """The whole level on one picture; without icons, how many samples its cells have."""
    record = place.services.artifacts.published(place.plan, place.layer, place.side)
    if record is None:
        raise NotFoundError(f"level {place.z} of {place.layer!r} is not complete yet; ask again later")
    blob = record["blobs"]["poster"]
    headers = {"ETag": f'"{blob}"', "Cache-Control": FOREVER if v == blob else REVALIDATE}
    if _matches(request, f'"{blob}"'):
        return Response(status_code=304, headers=headers)
    return Response(place.services.store.get_blob(blob), headers=headers, media_type="image/png")


@router.get("/cells/{column}-{row}")
def get_cell(place: PlaceDep, column: Coordinate, row: Coordinate) -> dict[str, Any]:
    """One cell: classes by attribution, coherence, its icon's fidelity and marks, exemplars."""
    cell = place.services.artifacts.cell(place.plan, place.layer, place.side, column, row)
    url = f"{place.url}/cells/{column}-{row}"
    exemplars = [f"{url}/exemplars/{number}" for number in range(len(cell["exemplars"]))]
    icon = {"icon": f"{url}/icon"} if place.plan.spec.rendered else {}
    return cell | {"links": {"self": url, **icon, "exemplars": exemplars}}


@router.get("/cells/{column}-{row}/icon", responses=PNG, response_class=Response)
def get_icon(place: PlaceDep, column: Coordinate, row: Coordinate) -> Response:
    """The icon of a cell."""
    data = place.services.artifacts.icon(place.plan, place.layer, place.side, column, row)
    return Response(data, headers={"Cache-Control": REVALIDATE}, media_type="image/png")


@router.get("/cells/{column}-{row}/exemplars/{n}", responses=PNG, response_class=Response)
def get_exemplar(place: PlaceDep, column: Coordinate, row: Coordinate, n: Coordinate) -> Response:
    """The patch of a real image that is an exemplar of a cell, as large as the layer's receptive field."""
    cell = place.services.artifacts.cell(place.plan, place.layer, place.side, column, row)
    if place.plan.spec.strict:
        raise NotFoundError("this atlas was made with privacy `strict` and keeps no exemplars")
    if n >= len(cell["exemplars"]):
        raise NotFoundError(f"cell {column}-{row} has exemplars 0 to {len(cell['exemplars']) - 1}")
    data = place.services.artifacts.exemplar(place.plan, place.layer, cell["exemplars"][n])
    return Response(data, headers={"Cache-Control": REVALIDATE}, media_type="image/png")


def _has_class(cell: dict[str, Any], wanted: str) -> bool:
    return any(wanted in (str(one["index"]), one["name"]) for one in cell["classes"])


def _box(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,5}(,\d{1,5}){3}", text):
        raise InputError("bbox is four numbers: first column, first row, last column, last row, such as 0,0,9,9")
    return tuple(int(part) for part in text.split(","))


def _matches(request: Request, etag: str) -> bool:
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return etag in known or "*" in known
