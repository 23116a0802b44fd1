"""Selections of an atlas's samples, each with a map of its own: jobs, whose id every route of an atlas takes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Response

from atlas_core.selections import SelectionRequest
from service.asked import Asked, ask, asked_of, page_of
from service.dependencies import PagingDep, ServicesDep
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import AtlasId
from service.routers.atlases import get_atlas
from service.schemas.atlases import Atlas
from service.schemas.jobs import Job
from service.schemas.pages import Page
from service.selecting import selected

router = APIRouter(prefix="/v1/atlases/{atlas}/selections", tags=["selections"], route_class=IdempotentRoute)


def _made(atlas: AtlasId, selection: Annotated[str, Path(description="id of the job")], services: ServicesDep) -> Asked:
    return Asked(services, atlas, "selection", selection)


MadeDep = Annotated[Asked, Depends(_made)]


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_selection(
    atlas: AtlasId, body: Annotated[SelectionRequest, Body()], response: Response, services: ServicesDep
) -> Any:
    """Ask for a map of some samples: of a class, a region or the errors; the same request twice is the same job."""
    return ask(services, selected(services.artifacts, atlas, body), response)


@router.get("", response_model=Page[Job])
def list_selections(atlas: AtlasId, services: ServicesDep, paging: PagingDep) -> Any:
    """Selections that were asked for of an atlas, in order."""
    return page_of(services, paging, asked_of(services, atlas, "selection"))


@router.get("/{selection}", response_model=Atlas)
def get_selection(made: MadeDep) -> Any:
    """The job, and once it has succeeded the manifest of its map."""
    return get_atlas(made.job["id"], made.services)


@router.delete("/{selection}", status_code=204)
def delete_selection(made: MadeDep) -> None:
    """Drop a selection and what was asked of it; one that still runs is cancelled."""
    made.drop()
