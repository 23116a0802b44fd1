"""A dataset against an atlas: a job of its own; those of a series are results over time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response

from atlas_core import registry
from atlas_core.aliases import resolve as resolve_name
from atlas_core.drift_plan import SERIES, DriftRequest, plan_drift, resolve
from atlas_core.errors import CardError, ConflictError, NotFoundError
from atlas_core.keys import digest
from atlas_core.registry import Document
from service.asked import Asked, ask, asked_of, picture, summarised, summary_of
from service.dependencies import PagingDep, ServicesDep
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import AtlasId
from service.routers.atlases import described
from service.routers.levels import PNG, Version
from service.schemas.drift import Drift, DriftJob
from service.schemas.jobs import Job
from service.schemas.pages import Page

router = APIRouter(prefix="/v1/atlases/{atlas}/drift", tags=["drift"], route_class=IdempotentRoute)
PICTURE = PNG | {304: {"description": "It has not changed"}}


def _made(atlas: AtlasId, drift: Annotated[str, Path(description="id of the job")], services: ServicesDep) -> Asked:
    return Asked(services, atlas, "drift", drift)


MadeDep = Annotated[Asked, Depends(_made)]


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_drift(atlas: AtlasId, body: Annotated[DriftRequest, Body()], response: Response, services: ServicesDep) -> Any:
    """Compare a dataset with the atlas's own; the same request twice is the same job."""
    state = services.artifacts.job(atlas, "atlas")["state"]
    if state != "succeeded":
        raise ConflictError(f"the atlas {atlas} is {state}; compare with it once it has succeeded")
    try:
        dataset = registry.dataset_facts(services.store, resolve_name(services.store, "dataset", body.dataset))
    except NotFoundError as error:
        raise CardError(error.detail, pointer="/dataset") from None
    plan = services.artifacts.plan(atlas)
    return ask(services, plan_drift(plan, resolve(body, plan, dataset), dataset), response)


@router.get("", response_model=Page[DriftJob])
def list_drift(
    atlas: AtlasId,
    services: ServicesDep,
    paging: PagingDep,
    series: Annotated[str | None, Query(pattern=SERIES, description="of one series only")] = None,
) -> Any:
    """Comparisons that were asked for of an atlas, in order of submission, each with its result in short."""
    jobs = [job for job in asked_of(services, atlas, "drift") if series in (None, job["request"]["series"])]
    return summarised(services, paging, jobs)


@router.get("/{drift}", response_model=Drift)
def get_drift(made: MadeDep) -> Any:
    """The job, and once it has succeeded whether there is drift, where, and how small a one could have been seen."""
    value = described(made.services, made.job)
    found = made.description
    if found is not None and not made.plan.spec.strict:
        for _, patch in _patches(found):
            patch["url"] = f"{value['links']['self']}/exemplars/{patch['n']}?v={_tag(found, patch['n'])}"
    return value | {"summary": summary_of(made.services, made.job), "description": found}


def _patches(description: Document) -> Iterator[tuple[str, Document]]:
    """Every patch that a description shows, with its layer, in the order of their numbers."""
    for name, layer in description["layers"].items():
        shown = [patch for cell in layer["cells"]["moved"] for patch in cell["exemplars"]]
        yield from ((name, patch) for patch in (*shown, *layer["without_home"]["images"]))


@router.get("/{drift}/exemplars/{n}", responses=PICTURE, response_class=Response)
def get_exemplar(
    made: MadeDep, n: Annotated[int, Path(ge=0, le=100_000)], request: Request, v: Version = None
) -> Response:
    """A patch that the comparison shows, as the network sees it."""
    plan, found = made.plan, made.description
    if plan.spec.strict:
        raise NotFoundError("this atlas was made with privacy `strict`, which shows no picture")
    if found is None:
        raise NotFoundError("this comparison is not complete yet; ask again when its state is succeeded")
    for layer, patch in _patches(found):
        if patch["n"] == n:
            seen = plan if patch["of"] == "atlas" else plan.seen_as("dataset")
            return picture(partial(made.services.artifacts.exemplar, seen, layer, patch), _tag(found, n), request, v)
    raise NotFoundError(f"this comparison shows no patch {n}")


def _tag(description: Document, n: int) -> str:
    return digest([description["digest"], n])


@router.delete("/{drift}", status_code=204)
def delete_drift(made: MadeDep) -> None:
    """Drop a comparison, also from its series; one that still runs is cancelled."""
    made.drop()
