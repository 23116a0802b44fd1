"""Search by concept: all samples of a cell, of a rectangle of the map, or near a point of it, each with its crop."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from atlas_core.errors import InputError, NotFoundError
from atlas_core.plan import Plan
from service.artifacts import Artifacts
from service.dependencies import PagingDep, ServicesDep
from service.errors import NotYetError
from service.names import AtlasId
from service.routers.levels import FOREVER, PICTURE, REVALIDATE, Coordinate, PlaceDep, Version, matches
from service.routers.projections import BODY, gone_from, question_about, sent_image, while_connected
from service.sample_queries import AreaDep, FiltersDep, LayerName, SamplesDep, SpeakingDep, Wish, numbers_from
from service.samples import Samples, Source
from service.schemas.samples import SamplePage

router = APIRouter(prefix="/v1/atlases/{atlas}/layers/{layer:path}", tags=["samples"])
MOST_LIKE = 1000
"""Samples that an image is answered with at most, on all pages."""
MADE: dict[int | str, dict[str, Any]] = {202: {"description": "They are not known yet"}}
NONE_YET = JSONResponse(
    {"items": [], "next_page_token": None, "total": 0, "images": 0}, HTTPStatus.ACCEPTED,
    headers={"Retry-After": "1", "Cache-Control": "no-store"},
)  # fmt: skip


# The first of these, because the layer's name in the others takes the rest of a path.
@router.get("/levels/{z}/cells/{column}-{row}/samples", response_model=SamplePage, responses=MADE)
def list_samples_of_cell(
    place: PlaceDep, column: Coordinate, row: Coordinate, filters: SpeakingDep, paging: PagingDep, wish: Wish = False
) -> Any:
    """All samples of a cell, in the order of the map; also of one with too few samples to have an icon."""
    if column >= place.side or row >= place.side:
        raise NotFoundError(f"cell {column}-{row} lies outside of a level of {place.side} cells a side")
    samples = _laid_out(place.services.artifacts, place.plan, place.layer, wish=wish)
    if samples is None:
        return NONE_YET
    return _page(samples, samples.table.in_cell(place.side, column, row, filters.of(samples)), paging)


@router.get("/samples/{n}/crop", responses=PICTURE, response_class=Response)
def get_crop(
    samples: SamplesDep,
    n: Annotated[int, Path(ge=0, le=2**31 - 1, description="number of the sample")],
    request: Request,
    source: Annotated[
        Source, Query(description="kept with the sample, 20 pixels a side; or cut out anew; or the whole image")
    ] = "stored",
    v: Version = None,
) -> Response:
    """What a sample's receptive field shows; `dataset` reads its image, `image` shows all of that."""
    data, digest = samples.crop(n, source)
    etag = f'"{digest}-{n}-{source}"'
    headers = {"ETag": etag, "Cache-Control": FOREVER if v == digest else REVALIDATE}
    if matches(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="image/png")


@router.get("/samples", response_model=SamplePage, responses=MADE)
def list_samples(
    atlas: AtlasId,
    layer: LayerName,
    services: ServicesDep,
    filters: SpeakingDep,
    area: AreaDep,
    paging: PagingDep,
    near: Annotated[str | None, Query(description="a point of the map: x,y; nearest first")] = None,
    wish: Wish = False,
) -> Any:
    """All samples of the layer or of a part of the map, in its order; or all, by distance from a point."""
    samples = _laid_out(services.artifacts, services.artifacts.plan(atlas), layer, wish=wish)
    if samples is None:
        return NONE_YET
    wanted = filters.of(samples)
    if near is None:
        return _page(samples, samples.table.inside(area.area, wanted), paging)
    if area.given:
        raise InputError("samples are asked for by a part of the map or by `near`, not by both", pointer="/near")
    x, y = numbers_from("near", near, 2)
    rows, distance = samples.table.near(x, y, paging.start + paging.size, wanted)
    everyone = wanted.of(samples.table, np.arange(len(samples.table)))
    stop = paging.start + paging.size
    return {
        "items": samples.described(rows[paging.start :], distance[paging.start :]),
        "next_page_token": str(stop) if stop < len(everyone) else None,
        **_counted(samples, everyone),
    }


@router.post("/samples", response_model=SamplePage, openapi_extra=BODY)
async def find_samples_like(
    samples: SamplesDep,
    filters: FiltersDep,
    paging: PagingDep,
    request: Request,
    services: ServicesDep,
    row: Annotated[int | None, Query(ge=0, le=10_000, description="in the layer's grid; with `column`")] = None,
    column: Annotated[int | None, Query(ge=0, le=10_000, description="in the layer's grid; with `row`")] = None,
) -> Any:
    """The 1,000 samples most like an image at a position, or at any of it, by cosine distance in the layer."""
    if (row is None) != (column is None):
        raise InputError("a position is a row and a column; give both, or neither for the whole image", pointer="/row")
    wanted = await run_in_threadpool(filters.of, samples)
    about = await run_in_threadpool(question_about, services, samples.plan.id, [samples.layer], "default")
    told = {name: getattr(wanted, name) for name in ("label", "predicted", "wrong", "right")}
    like = {"count": MOST_LIKE, "row": row, "column": column, **told}
    question = about._replace(like=like)
    data = await sent_image(request, services.settings.image_limit_bytes)
    answer = await services.asking.kept(question, data)  # other pages of the same question are answered from memory
    if answer is None:
        answer = await while_connected(services.asking.answer(question, data), gone_from(request))
    return await run_in_threadpool(_answered, samples, json.loads(answer), paging)


def _laid_out(artifacts: Artifacts, plan: Plan, layer: str, *, wish: bool) -> Samples | None:
    """The samples of a layer; None where they are not laid out yet and nothing but a wish is refused by that."""
    try:
        return Samples(artifacts, plan, layer)
    except NotYetError:
        if wish:
            return None
        raise


def _answered(samples: Samples, answer: dict[str, Any], paging: PagingDep) -> dict[str, Any]:
    part = slice(paging.start, paging.start + paging.size)
    rows = samples.table.place[np.array(answer["sample"], dtype=np.int64)]
    return {
        "items": samples.described(rows[part], answer["distance"][part], answer["at"][part]),
        "next_page_token": str(part.stop) if part.stop < len(rows) else None,
        **_counted(samples, rows),
    }


def _page(samples: Samples, rows: Any, paging: PagingDep) -> dict[str, Any]:
    page = paging.page(rows)
    return page | {"items": samples.described(page["items"]), **_counted(samples, rows)}


def _counted(samples: Samples, rows: Any) -> dict[str, int]:
    return {"total": len(rows), "images": len(samples.table.images(rows)[0])}
