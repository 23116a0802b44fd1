"""What a comparison of two models shows: its summary, its pictures, its points and the patches of its cells."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from atlas_core.errors import NotFoundError
from atlas_core.plan import Plan
from service.asked import picture
from service.dependencies import Services, ServicesDep
from service.halves import points_table, told_cells, twins_of
from service.routers.comparisons import KIND, JobDep
from service.routers.levels import PNG, Version
from service.schemas.versions import HalvesCells
from service.versions import blob_of, exemplar

router = APIRouter(prefix="/v1/comparisons/{comparison}", tags=["comparisons"])
PICTURE = PNG | {304: {"description": "It has not changed"}}
Number = Annotated[int, Path(ge=0, le=100_000)]


def _plan(job: dict[str, Any], services: Services) -> Plan:
    plan = services.artifacts.plan(job["id"], KIND)
    if (plan.request or {}).get("kind") != "models":
        raise NotFoundError(f"the comparison {job['id']} is of two classes, and a map; look at it as at an atlas")
    return plan


@router.get("/summary", response_class=Response, responses={200: {"content": {"text/markdown": {}}}})
def get_summary(job: JobDep, services: ServicesDep) -> Response:
    """What changed, in 15 lines of Markdown at most that a release note can quote."""
    blob = blob_of(services, _plan(job, services), "summary")
    return Response(services.store.get_blob(blob), media_type="text/markdown; charset=utf-8")


@router.get("/pictures/{n}", responses=PICTURE, response_class=Response)
def get_picture(job: JobDep, services: ServicesDep, n: Number, request: Request, v: Version = None) -> Response:
    """Both halves of a layer's map side by side, for each in order; then rows of pictures of what changed."""
    blob = blob_of(services, _plan(job, services), f"evidence-{n}")
    return picture(partial(services.store.get_blob, blob), blob, request, v)


@router.get("/points/{n}", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}})
def get_points(job: JobDep, services: ServicesDep, n: Number) -> Response:
    """The points of both halves of the map of the layer of this number: float32, x and y of each, the old half's first.

    `X-Points` tells how many each half has.
    """
    table = points_table(services, _plan(job, services), n)
    old, new = table["old"], table["new"]
    return Response(old.tobytes() + new.tobytes(), media_type="application/octet-stream",
                    headers={"X-Points": f"{len(old)}, {len(new)}"})  # fmt: skip


@router.get("/twins/{n}", response_class=Response, responses={200: {"content": {"application/octet-stream": {}}}})
def get_twins(job: JobDep, services: ServicesDep, n: Number) -> Response:
    """Of each of the old half's points the place of its twin among the new half's, int32; -1 where it has none."""
    return Response(twins_of(services, _plan(job, services), n).tobytes(), media_type="application/octet-stream")


@router.get("/coupled/{n}", response_model=HalvesCells)
def get_cells(job: JobDep, services: ServicesDep, n: Number) -> Any:
    """The filled cells of both halves of the map: how full, of which class, and what both models get right in them."""
    return told_cells(services, _plan(job, services), n)


@router.get("/exemplars/{n}", responses=PICTURE, response_class=Response)
def get_patch(job: JobDep, services: ServicesDep, n: Number, request: Request, v: Version = None) -> Response:
    """A patch of a cell that changed, as the network sees it."""
    tag, read = exemplar(services, _plan(job, services), n)
    return picture(read, tag, request, v)
