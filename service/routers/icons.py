"""Icons on request: any direction, the grid of an image, a dream, a composition; jobs of their own."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from atlas_core import registry
from atlas_core.advance import TERMINAL, clear_up, submit
from atlas_core.datasets.decode import decode
from atlas_core.errors import ConflictError, DependencyError, InputError, NotFoundError
from atlas_core.icon_plan import Cells, largest_of, plan_icons, resolve
from atlas_core.icons import Dream, Grid, IconsRequest
from atlas_core.models.preprocessing import read_pixels, read_whole
from atlas_core.plan import Plan
from atlas_core.registry import Document
from service.dependencies import PagingDep, Services, ServicesDep
from service.errors import TooLargeError
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import AtlasId, lock_of
from service.routers.atlases import RETRY_SECONDS, described, drop
from service.routers.levels import FOREVER, PNG, REVALIDATE, Version, matches
from service.schemas import Icons, Job, Page

router = APIRouter(prefix="/v1/atlases/{atlas}/icons", tags=["icons"], route_class=IdempotentRoute)


class Made:
    """Icons of an atlas, from the path.

    Args:
        atlas: The atlas's id, found by an id or an alias.
        icons: Id of their job.
        services: What reads it.
    """

    def __init__(
        self, atlas: AtlasId, icons: Annotated[str, Path(description="id of the job")], services: ServicesDep
    ) -> None:
        """Find them; raises NotFoundError where there are none."""
        self.services: Services = services
        self.job = services.artifacts.job(icons, "icons")
        if self.job["atlas"] != atlas:
            raise NotFoundError(f"the atlas {atlas} has no icons {icons!r}; list /v1/atlases/{atlas}/icons")

    @property
    def record(self) -> Document | None:
        """What was made, None while it is not complete."""
        plan = self.services.artifacts.plan(self.job["id"], "icons")
        return self.services.artifacts.record(plan.chunks[-1])

    @property
    def description(self) -> Document | None:
        """What the pictures are, None while they are not complete."""
        record = self.record
        if record is None:
            return None
        found: Document = json.loads(self.services.store.get_blob(record["blobs"]["description"]))
        return found

    def picture(self, blob: str, request: Request, version: str | None) -> Response:
        """The answer with a picture."""
        headers = {"ETag": f'"{blob}"', "Cache-Control": FOREVER if version == blob else REVALIDATE}
        if matches(request, f'"{blob}"'):
            return Response(status_code=304, headers=headers)
        return Response(self.services.store.get_blob(blob), headers=headers, media_type="image/png")


MadeDep = Annotated[Made, Depends()]
PICTURE = PNG | {304: {"description": "It has not changed"}}


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_icons(atlas: AtlasId, body: Annotated[IconsRequest, Body()], response: Response, services: ServicesDep) -> Any:
    """Ask for icons; the same request twice is the same job, and complete ones have succeeded at once."""
    plan = services.artifacts.plan(atlas)
    request = resolve(body, plan, lambda layer, side: _cells(services, plan, layer, side))
    _check_images(services, plan, request)
    with services.ledger.lock(lock_of("atlas", atlas)):
        services.artifacts.job(atlas)  # not dropped meanwhile
        job = submit(plan_icons(plan, request), None, services.store, services.ledger, services.enqueue)
    response.headers["Location"] = f"/v1/atlases/{atlas}/icons/{job['id']}"
    response.headers["Retry-After"] = "0" if job["state"] in TERMINAL else RETRY_SECONDS
    return described(services, job)


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
    services.artifacts.job(atlas)
    page = paging.page(registry.icons_of(services.store, atlas))
    return page | {"items": [described(services, job) for job in page["items"]]}


@router.get("/{icons}", response_model=Icons)
def get_icons(made: MadeDep) -> Any:
    """The job, and once it has succeeded what each picture is, how true it is, and where it can be had."""
    value = described(made.services, made.job)
    found = made.description if made.job["state"] == "succeeded" else None
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
    plan = made.services.artifacts.plan(made.job["id"], "icons")
    chunks = plan.find("render", step="pictures")
    for chunk in chunks:
        first, count = chunk.parameters["first"], chunk.parameters["count"]
        if first <= n < first + count:
            record = made.services.artifacts.record(chunk)
            if record is None:
                raise NotFoundError(f"picture {n} is not rendered yet; ask again later")
            return made.picture(record["blobs"][f"picture-{n}"], request, v)
    last = chunks[-1].parameters["first"] + chunks[-1].parameters["count"] - 1
    raise NotFoundError(f"there is no picture {n}; there are 0 to {last}")


@router.get("/{icons}/sheet", responses=PICTURE, response_class=Response)
def get_sheet(made: MadeDep, request: Request, v: Version = None) -> Response:
    """All pictures on one: a grid in the image's shape, a selection as on the map, all else in rows."""
    record = made.record
    if record is None:
        raise NotFoundError("these icons are not complete yet; ask again when their state is succeeded")
    return made.picture(record["blobs"]["sheet"], request, v)


@router.delete("/{icons}", status_code=204)
def delete_icons(made: MadeDep) -> None:
    """Drop icons; a job that still runs is cancelled. What nothing else uses is deleted soon after."""
    with made.services.ledger.lock(lock_of("atlas", made.job["atlas"])):  # not asked for again meanwhile
        drop(made.services, made.job["id"])
    with suppress(DependencyError):  # then a later one finds it
        clear_up(made.services.ledger, made.services.enqueue)
