"""The patch test: patches pasted on images of a class, and how many turn into another; a job of its own."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Request, Response

from atlas_core import registry
from atlas_core.aliases import resolve as resolve_name
from atlas_core.audit.patches import OfImages, PatchRequest, plan_patches, resolve
from atlas_core.errors import CardError, ConflictError, InputError, NotFoundError
from atlas_core.facts import DatasetFacts
from atlas_core.models.preprocessing import read_whole
from atlas_core.plan import Plan
from atlas_core.registry import Document
from service.asked import Asked, ask, asked_of, stored, summarised, summary_of
from service.dependencies import PagingDep, Services, ServicesDep
from service.errors import TooLargeError
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import AtlasId
from service.routers.atlases import described
from service.routers.levels import PNG, Version
from service.schemas.jobs import Job
from service.schemas.pages import Page
from service.schemas.patches import Patches, PatchesJob

router = APIRouter(prefix="/v1/atlases/{atlas}/patches", tags=["patches"], route_class=IdempotentRoute)
PICTURE = PNG | {304: {"description": "It has not changed"}}


def _made(atlas: AtlasId, patches: Annotated[str, Path(description="id of the job")], services: ServicesDep) -> Asked:
    return Asked(services, atlas, "patches", patches)


MadeDep = Annotated[Asked, Depends(_made)]


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_patches(
    atlas: AtlasId, body: Annotated[PatchRequest, Body()], response: Response, services: ServicesDep
) -> Any:
    """Paste patches on images that the model recognises, and count what flips; the same twice is the same job."""
    state = services.artifacts.job(atlas)["state"]
    if state != "succeeded":
        raise ConflictError(f"the atlas {atlas} is {state}; test patches of it once it has succeeded")
    plan = services.artifacts.plan(atlas)
    dataset = None if body.dataset is None else _dataset(services, body.dataset)
    request = resolve(body, plan, dataset, partial(_cells, services, plan))
    if isinstance(request.patches, OfImages):
        for number, blob in enumerate(request.patches.images):
            _check_image(services, plan, blob, f"/patches/images/{number}")
    return ask(services, plan_patches(plan, request, dataset), response)


def _dataset(services: Services, name: str) -> DatasetFacts:
    try:
        return registry.dataset_facts(services.store, resolve_name(services.store, "dataset", name))
    except NotFoundError as error:
        raise CardError(error.detail, pointer="/dataset") from None


def _cells(services: Services, plan: Plan, layer: str, side: int) -> list[Document]:
    return services.artifacts.cells(services.artifacts.cells_blob(plan, layer, side))


def _check_image(services: Services, plan: Plan, blob: str, pointer: str) -> None:
    """Refuse at once what is no picture, or not uploaded."""
    size = services.store.blob_size(blob)
    if size is None:
        raise InputError(f"the blob {blob[:12]} is not stored; upload it with PUT /v1/blobs/{blob}", pointer=pointer)
    if size > services.settings.image_limit_bytes:
        raise TooLargeError(f"the image is over the limit of {services.settings.image_limit_bytes:,} bytes")
    try:
        read_whole(services.store.get_blob(blob), plan.model.card.input, 1.0)
    except InputError as error:
        raise type(error)(error.detail, pointer=pointer) from None


@router.get("", response_model=Page[PatchesJob])
def list_patches(atlas: AtlasId, services: ServicesDep, paging: PagingDep) -> Any:
    """Patch tests that were asked for of an atlas, in order, each with its verdict."""
    return summarised(services, paging, asked_of(services, atlas, "patches"))


@router.get("/{patches}", response_model=Patches)
def get_patches(made: MadeDep) -> Any:
    """The job, and once it has succeeded what flips, beside what controls do."""
    value = described(made.services, made.job)
    found, base = made.description, value["links"]["self"]
    for patch in [] if found is None else found["patches"]:
        patch["url"] = f"{base}/pictures/{patch['n']}?v={patch['picture']}"
    return value | {"summary": summary_of(made.services, made.job), "description": found}


@router.get("/{patches}/pictures/{n}", responses=PICTURE, response_class=Response)
def get_patch(made: MadeDep, n: Annotated[int, Path(ge=0, le=10_000)], request: Request, v: Version = None) -> Response:
    """One patch, as it was pasted at the largest size."""
    found = made.description
    if found is None:
        raise made.services.artifacts.missing(made.plan, "this patch test is not complete yet")
    if n >= len(found["patches"]):
        raise NotFoundError(f"this test has no patch {n}; it has {len(found['patches'])}")
    return stored(made, found["patches"][n]["picture"], request, v)


@router.get("/{patches}/sheet", responses=PICTURE, response_class=Response)
def get_patches_sheet(made: MadeDep, request: Request, v: Version = None) -> Response:
    """The surest flips as pairs, image and image with patch, and what the model says of both."""
    record = made.record
    if record is None:
        raise made.services.artifacts.missing(made.plan, "this patch test is not complete yet")
    if "sheet" not in record["blobs"]:
        raise NotFoundError("this patch test has no sheet: nothing could be pasted; its description says why")
    return stored(made, record["blobs"]["sheet"], request, v)


@router.delete("/{patches}", status_code=204)
def delete_patches(made: MadeDep) -> None:
    """Drop a test; one that still runs is cancelled."""
    made.drop()
