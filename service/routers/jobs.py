"""Jobs of every kind: list, look at, cancel."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from atlas_core import registry
from atlas_core.aliases import resolve
from service.asked import page_of
from service.dependencies import PagingDep, ServicesDep
from service.names import JobId
from service.routers.atlases import cancelled, described
from service.schemas.jobs import Job
from service.schemas.pages import Page

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])
State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
States = Annotated[list[State] | None, Query(description="any of these")]
Kind = Annotated[str | None, Query(description="such as atlas, selection or icons")]


@router.get("", response_model=Page[Job])
def list_jobs(
    services: ServicesDep, paging: PagingDep, atlas: str | None = None, kind: Kind = None, state: States = None
) -> Any:
    """All jobs, in order of submission; those asked of an atlas, of a kind, in a state."""
    named = None if atlas is None else resolve(services.store, "atlas", atlas)
    jobs = [job for job in registry.documents(services.store, "jobs")
            if not job.get("deleted") and named in (None, job.get("atlas")) and kind in (None, job["kind"])
            and (state is None or job["state"] in state)]  # fmt: skip
    return page_of(services, paging, jobs)


@router.get("/{job}", response_model=Job)
def get_job(job: JobId, services: ServicesDep) -> Any:
    """State and progress of any job; an atlas's id is its job's id."""
    return described(services, services.artifacts.job(job, None))


@router.post("/{job}/cancel", status_code=202, response_model=Job)
def cancel_job(job: JobId, services: ServicesDep) -> Any:
    """Stop a job; what is finished is kept."""
    return cancelled(services, job)
