"""Search by concept: all samples of a cell, of a rectangle of the map, or near a point of it, each with its crop."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from atlas_core.errors import InputError, NotFoundError
from atlas_core.search import Box, Wanted
from service.dependencies import PagingDep, ServicesDep
from service.names import AtlasId
from service.routers.levels import FOREVER, PICTURE, REVALIDATE, Coordinate, PlaceDep, Version, matches
from service.routers.projections import BODY, gone_from, question_about, sent_image, while_connected
from service.samples import Samples
from service.schemas.samples import SamplePage

router = APIRouter(prefix="/v1/atlases/{atlas}/layers/{layer:path}", tags=["samples"])
MOST_LIKE = 1000
"""Samples that an image is answered with at most, on all pages."""


class Filters:
    """Which samples count.

    Args:
        label: Of their images.
        predicted: Of their images.
        wrong: Whether only those of images that the network got wrong.
    """

    def __init__(
        self,
        label: Annotated[str | None, Query(description="index or name of the images' label")] = None,
        predicted: Annotated[str | None, Query(description="index or name of what the network takes them for")] = None,
        wrong: Annotated[bool, Query(description="only of images that the network got wrong")] = False,
    ) -> None:
        """Take the parameters."""
        self._given = (label, predicted, wrong)

    def of(self, samples: Samples) -> Wanted:
        """The same for a layer's samples; raises InputError as `Samples.wanted` does."""
        label, predicted, wrong = self._given
        return samples.wanted(label, predicted, wrong=wrong)


def _samples(
    atlas: AtlasId, layer: Annotated[str, Path(description="percent-encoded name of the layer")], services: ServicesDep
) -> Samples:
    return Samples(services.artifacts, services.artifacts.plan(atlas), layer)


SamplesDep = Annotated[Samples, Depends(_samples)]
FiltersDep = Annotated[Filters, Depends()]


# The first of these, because the layer's name in the others takes the rest of a path.
@router.get("/levels/{z}/cells/{column}-{row}/samples", response_model=SamplePage)
def list_samples_of_cell(
    place: PlaceDep, column: Coordinate, row: Coordinate, filters: FiltersDep, paging: PagingDep
) -> Any:
    """All samples of a cell, in the order of the map; also of one with too few samples to have an icon."""
    if column >= place.side or row >= place.side:
        raise NotFoundError(f"cell {column}-{row} lies outside of a level of {place.side} cells a side")
    samples = Samples(place.services.artifacts, place.plan, place.layer)
    return _page(samples, samples.table.in_cell(place.side, column, row, filters.of(samples)), paging)


@router.get("/samples/{n}/crop", responses=PICTURE, response_class=Response)
def get_crop(
    samples: SamplesDep,
    n: Annotated[int, Path(ge=0, le=2**31 - 1, description="number of the sample")],
    request: Request,
    source: Annotated[
        Literal["stored", "dataset"], Query(description="kept with the sample, 20 pixels a side; or cut out anew")
    ] = "stored",
    v: Version = None,
) -> Response:
    """What a sample's receptive field shows; `dataset` reads its image, for a picture as large as the network sees."""
    data, digest = samples.crop(n, stored=source == "stored")
    etag = f'"{digest}-{n}-{source}"'
    headers = {"ETag": etag, "Cache-Control": FOREVER if v == digest else REVALIDATE}
    if matches(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="image/png")


@router.get("/samples", response_model=SamplePage)
def list_samples(
    samples: SamplesDep,
    filters: FiltersDep,
    paging: PagingDep,
    bbox: Annotated[str | None, Query(description="a rectangle of the map: x0,y0,x1,y1, each in 0 to 1, y up")] = None,
    near: Annotated[str | None, Query(description="a point of the map: x,y; nearest first")] = None,
) -> Any:
    """All samples of the layer or of a rectangle, in the order of the map; or all, by distance from a point."""
    wanted = filters.of(samples)
    if bbox is not None and near is not None:
        raise InputError("samples are asked for by `bbox` or by `near`, not by both", pointer="/near")
    if near is None:
        box = Box(*_numbers("bbox", bbox or "0,0,1,1", 4))
        if box.x0 >= box.x1 or box.y0 >= box.y1:
            raise InputError("bbox is x0,y0,x1,y1 with x0 < x1 and y0 < y1, such as 0.2,0.3,0.4,0.5", pointer="/bbox")
        return _page(samples, samples.table.in_box(box, wanted), paging)
    x, y = _numbers("near", near, 2)
    rows, distance = samples.table.near(x, y, paging.start + paging.size, wanted)
    total = samples.table.count(wanted)
    stop = paging.start + paging.size
    return {
        "items": samples.described(rows[paging.start :], distance[paging.start :]),
        "next_page_token": str(stop) if stop < total else None,
        "total": total,
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
    like = {"count": MOST_LIKE, "row": row, "column": column, **vars(wanted)}
    question = about._replace(like=like)
    data = await sent_image(request, services.settings.image_limit_bytes)
    answer = await services.asking.kept(question, data)  # other pages of the same question are answered from memory
    if answer is None:
        answer = await while_connected(services.asking.answer(question, data), gone_from(request))
    return await run_in_threadpool(_answered, samples, json.loads(answer), paging)


def _answered(samples: Samples, answer: dict[str, Any], paging: PagingDep) -> dict[str, Any]:
    total, part = len(answer["sample"]), slice(paging.start, paging.start + paging.size)
    rows = samples.table.place[np.array(answer["sample"][part], dtype=np.int64)]
    return {
        "items": samples.described(rows, answer["distance"][part], answer["at"][part]),
        "next_page_token": str(part.stop) if part.stop < total else None,
        "total": total,
    }


def _page(samples: Samples, rows: Any, paging: PagingDep) -> dict[str, Any]:
    page = paging.page(rows)
    return page | {"items": samples.described(page["items"]), "total": len(rows)}


def _numbers(name: str, text: str, count: int) -> list[float]:
    """Numbers from 0 to 1 with commas between them."""
    parts = text.split(",")
    if len(parts) == count and all(re.fullmatch(r"[0-9.e+-]{1,25}", part) for part in parts):
        try:
            numbers = [float(part) for part in parts]
        except ValueError:
            numbers = [math.nan]
        if all(0 <= number <= 1 for number in numbers):
            return numbers
    raise InputError(f"{name} is {count} numbers from 0 to 1 with commas between them, got {text[:60]!r}",
                     pointer=f"/{name}")  # fmt: skip
