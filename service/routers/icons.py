"""Icons on request: any direction, the grid of an image, a dream, a composition; jobs of their own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from atlas_core.datasets.decode import decode
from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.icon_plan import Cells, largest_of, plan_icons, resolve
from atlas_core.icons import Dream, Grid, IconsRequest
from atlas_core.models.preprocessing import read_pixels, read_whole
from atlas_core.plan import Plan
from service.asked import Asked, ask, asked_of, page_of, stored
from service.dependencies import PagingDep, Services, ServicesDep
from service.errors import TooLargeError
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import AtlasId
from service.routers.atlases import described
from service.routers.levels import PNG, Version
from service.schemas.icons import Icons
from service.schemas.jobs import Job
from service.schemas.pages import Page

router = APIRouter(prefix="/v1/atlases/{atlas}/icons", tags=["icons"], route_class=IdempotentRoute)


def _made(atlas: AtlasId, icons: Annotated[str, Path(description="id of the job")], services: ServicesDep) -> Asked:
    return Asked(services, atlas, "icons", icons)


MadeDep = Annotated[Asked, Depends(_made)]
PICTURE = PNG | {304: {"description": "It has not changed"}}


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_icons(atlas: AtlasId, body: Annotated[IconsRequest, Body()], response: Response, services: ServicesDep) -> Any:
    """Ask for icons; the same request twice is the same job, and complete ones have succeeded at once."""
    plan = services.artifacts.plan(atlas)
    request = resolve(body, plan, lambda layer, side: _cells(services, plan, layer, side))
    _check_images(services, plan, request)
    return ask(services, plan_icons(plan, request), response)


def _cells(services: Services, plan: Plan, layer: str, side: int) -> Cells:
    try:
        blob = services.artifacts.cells_blob(plan, layer, side)
    except NotFoundError as error:  # says whether they are still being made
        raise ConflictError(error.detail) from None
    return services.artifacts.cells(blob)


def _check_images(services: Services, plan: Plan, request: IconsRequest) -> None:
    """Refuse at once what is no picture, or not uploaded."""
    if not isinstance(request, Grid | Dream):
        return
    for field in ("image", "mask"):
        blob = getattr(request, field, None)
        if blob is None:
            continue
        size = services.store.blob_size(blob)
        if size is None:
            raise InputError(f"the blob {blob[:12]} is not stored; upload it with PUT /v1/blobs/{blob}",
                             pointer=f"/{field}")  # fmt: skip
        if size > services.settings.image_limit_bytes:
            raise TooLargeError(f"the image is over the limit of {services.settings.image_limit_bytes:,} bytes")
        data = services.store.get_blob(blob)
        try:
            _check_picture(data, field, plan, request)
        except InputError as error:
            raise type(error)(error.detail, pointer=f"/{field}") from None


def _check_picture(data: bytes, field: str, plan: Plan, request: Grid | Dream) -> None:
    card = plan.model.card.input
    if field == "mask":
        decode(data)
    elif isinstance(request, Grid):
        read_pixels(data, card)
    else:
        read_whole(data, card, largest_of(plan.model.layer(str(request.layer))))


@router.get("", response_model=Page[Job])
def list_icons(atlas: AtlasId, services: ServicesDep, paging: PagingDep) -> Any:
    """Icons that were asked for of an atlas, in order."""
    return page_of(services, paging, asked_of(services, atlas, "icons"))


@router.get("/{icons}", response_model=Icons)
def get_icons(made: MadeDep) -> Any:
    """The job, and once it has succeeded what each picture is, how true it is, and where it can be had."""
    value = described(made.services, made.job)
    found = made.description
    if found is not None:
        base = value["links"]["self"]
        for picture in [*found["pictures"], found["sheet"]]:
            name = f"pictures/{picture['n']}" if "n" in picture else "sheet"
            picture["url"] = f"{base}/{name}?v={picture['sha256']}"
    return value | {"description": found}


@router.get("/{icons}/pictures/{n}", responses=PICTURE, response_class=Response)
def get_picture(
    made: MadeDep, n: Annotated[int, Path(ge=0, le=10_000)], request: Request, v: Version = None
) -> Response:
    """One picture; readable while others still render."""
    chunks = made.plan.find("render", step="pictures")
    for chunk in chunks:
        first, count = chunk.parameters["first"], chunk.parameters["count"]
        if first <= n < first + count:
            record = made.services.artifacts.record(chunk)
            if record is None:
                raise NotFoundError(f"picture {n} is not rendered yet; ask again later")
            return stored(made, record["blobs"][f"picture-{n}"], request, v)
    last = chunks[-1].parameters["first"] + chunks[-1].parameters["count"] - 1
    raise NotFoundError(f"there is no picture {n}; there are 0 to {last}")


@router.get("/{icons}/sheet", responses=PICTURE, response_class=Response)
def get_sheet(made: MadeDep, request: Request, v: Version = None) -> Response:
    """All pictures on one: a grid in the image's shape, a selection as on the map, all else in rows."""
    record = made.record
    if record is None:
        raise NotFoundError("these icons are not complete yet; ask again when their state is succeeded")
    return stored(made, record["blobs"]["sheet"], request, v)


@router.delete("/{icons}", status_code=204)
def delete_icons(made: MadeDep) -> None:
    """Drop icons; a job that still runs is cancelled. What nothing else uses is deleted soon after."""
    made.drop()
