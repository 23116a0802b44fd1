"""Atlases and their jobs: ask for, look at, cancel, drop."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from atlas_core import registry
from atlas_core.advance import TERMINAL, clear_up, drop_job, end_job
from atlas_core.aliases import check_unnamed, lock_of
from atlas_core.build import plan
from atlas_core.errors import DependencyError, NotFoundError
from atlas_core.registry import Document
from atlas_core.spec import AtlasSpec
from service.dependencies import PagingDep, Services, ServicesDep
from service.estimates import dry_run, eta_seconds
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.names import AtlasId
from service.progress import progress_of, standing
from service.routers.registered import check_ready
from service.schemas.atlases import Atlas, AtlasRequest, DryRun
from service.schemas.jobs import Job
from service.schemas.pages import Page

router = APIRouter(prefix="/v1", route_class=IdempotentRoute)
RETRY_SECONDS = "2"
RESULTS = {"icons": "sheet", "projections": "results"}
"""Last part of the path to what a job of a kind has made."""


@router.post(
    "/atlases",
    status_code=202,
    response_model=Job,
    responses={200: {"model": DryRun, "description": "With `dry_run`: what it would take; nothing is made"}},
    tags=["atlases"],
    dependencies=[IDEMPOTENT],
)
def add_atlas(body: AtlasRequest, response: Response, services: ServicesDep) -> Any:
    """Ask for an atlas; the same request twice is the same atlas, and a complete one has succeeded at once."""
    spec = AtlasSpec(**body.model_dump(exclude={"name", "dry_run"}))
    planned = plan(spec, *check_ready(services, spec.model, spec.dataset, spec.anchor)).owned_by(
        services.principal.owner
    )
    if body.dry_run:
        return JSONResponse(DryRun(**dry_run(services, planned)).model_dump(mode="json"))
    job = services.submit(planned, body.name)
    response.headers["Location"] = f"/v1/atlases/{planned.id}"
    response.headers["Retry-After"] = "0" if job["state"] in TERMINAL else RETRY_SECONDS
    return described(services, job)


@router.get("/atlases", response_model=Page[Job], tags=["atlases"])
def list_atlases(services: ServicesDep, paging: PagingDep) -> Any:
    """All atlases, in order of submission."""
    jobs = [job for job in registry.documents(services.store, "jobs")
            if job["kind"] == "atlas" and not job.get("deleted")]  # fmt: skip
    page = paging.page(jobs)
    return page | {"items": [described(services, job) for job in page["items"]]}


@router.get("/atlases/{atlas}", response_model=Atlas, tags=["atlases"])
def get_atlas(atlas: AtlasId, services: ServicesDep) -> Any:
    """State, progress by stage, error, links; the manifest once it is published."""
    job = services.artifacts.job(atlas)
    manifest = services.artifacts.manifest(services.artifacts.plan(atlas)) if job["state"] == "succeeded" else None
    return described(services, job) | {"manifest": manifest}


@router.get("/atlases/{atlas}/manifest", tags=["atlases"])
def get_manifest(atlas: AtlasId, services: ServicesDep) -> dict[str, Any]:
    """The manifest: every artifact with its digest, seeds, versions and measured qualities."""
    manifest = services.artifacts.manifest(services.artifacts.plan(atlas))
    if manifest is None:
        raise NotFoundError(f"the atlas {atlas} is not published yet; ask again when its state is succeeded")
    return manifest


@router.post("/atlases/{atlas}/cancel", status_code=202, response_model=Job, tags=["atlases"])
def cancel_atlas(atlas: AtlasId, services: ServicesDep) -> Any:
    """Stop the work; what is finished is kept, and asking for the same atlas again continues it."""
    services.artifacts.job(atlas)
    return cancelled(services, atlas)


@router.delete("/atlases/{atlas}", status_code=204, tags=["atlases"])
def delete_atlas(atlas: AtlasId, services: ServicesDep) -> None:
    """Drop an atlas and what was asked of it; what still runs is cancelled. What nothing else uses goes soon after."""
    services.artifacts.job(atlas)
    with services.ledger.lock(lock_of("atlas", atlas)):
        check_unnamed(services.store, "atlas", atlas)
        drop_all(services, atlas)
    with suppress(DependencyError):  # then a later one finds it
        clear_up(services.ledger, services.enqueue)


def cancelled(services: Services, name: str) -> Document:
    """A job after it was cancelled; one that had ended stays as it was."""
    return described(services, _ended(services, name))


def _ended(services: Services, name: str) -> Document:
    job = services.artifacts.job(name, None)
    services.check_own(job, f"the {job['kind']} {name}")
    if job["state"] not in TERMINAL:
        job = end_job(name, services.store.whole, services.ledger, state="cancelled")
    return job


def drop(services: Services, name: str) -> None:
    """Cancel a job where it runs, and have what nothing else uses collected as garbage."""
    _ended(services, name)
    drop_job(name, services.store, services.ledger)


def drop_all(services: Services, name: str) -> None:
    """Drop a job, and before it what was asked of it where it makes a map; an audit is a record of its own."""
    for job in registry.asked_of(services.store, name):
        if job["kind"] != "audit":
            drop_all(services, job["id"])
    drop(services, name)


def links_of(job: Document) -> dict[str, str]:
    """Where a job and its result are."""
    own, base, state = f"/v1/jobs/{job['id']}", registry.address_of(job), job["state"]
    links = {"self": base, "job": own, "events": f"{own}/events", "cancel": f"{own}/cancel"}
    if job["atlas"] is not None:
        links["atlas"] = f"/v1/atlases/{job['atlas']}"
    if registry.is_map(job):
        mapped = f"/v1/atlases/{job['id']}"
        links |= {"map": mapped, "events": f"{mapped}/events", "cancel": f"{mapped}/cancel", "icons": f"{mapped}/icons",
                  "tour": f"{mapped}/tour", "viewer": f"/?atlas={job['id']}"}  # fmt: skip
        if state == "succeeded":
            links |= {"manifest": f"{mapped}/manifest", "projections": f"{mapped}/projections"}
    if job["kind"] == "atlas":
        links |= {asked: f"{base}/{asked}" for asked in ("drift", "patches", "selections", "confusions")}
    if state == "succeeded" and job["kind"] in RESULTS:
        links[RESULTS[job["kind"]]] = f"{base}/{RESULTS[job['kind']]}"
    return links


def described(services: Services, job: Document) -> Document:
    """A job as it is answered: with its progress and its links."""
    planned = services.artifacts.plan(job["id"], None)
    now = standing(job, planned, services.store, services.ledger)
    eta = eta_seconds(services, job, planned, now)
    links = links_of(job)
    if registry.is_map(job) and (tag := services.thumbnails.tag(job, planned)):
        links["thumbnail"] = f"{links['map']}/thumbnail?v={tag}"
    return job | {"progress": progress_of(planned, now), "eta_seconds": eta, "links": links}
