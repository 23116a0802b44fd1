"""Comparisons, jobs of their own: of two classes of an atlas, which is a map as an atlas is; and of two models."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from atlas_core import registry
from atlas_core.aliases import resolve as resolve_name
from atlas_core.errors import InputError, NotFoundError
from atlas_core.plan import Plan
from atlas_core.registry import Document
from atlas_core.selections import OfClasses
from atlas_core.versions.request import VersionsRequest
from service.asked import Made, ask, page_of
from service.dependencies import PagingDep, Services, ServicesDep
from service.idempotency import IDEMPOTENT, IdempotentRoute
from service.routers.atlases import described
from service.schemas.comparisons import ClassComparison, Comparison
from service.schemas.jobs import Job
from service.schemas.pages import Page
from service.selecting import selected
from service.versions import planned, summary_of, told

router = APIRouter(prefix="/v1/comparisons", tags=["comparisons"], route_class=IdempotentRoute)
KIND = "comparison"
ComparisonId = Annotated[str, Path(description="id of the job")]


def _job(comparison: ComparisonId, services: ServicesDep) -> Document:
    try:
        return services.artifacts.job(comparison, KIND)
    except NotFoundError:
        raise NotFoundError(f"there is no comparison {comparison!r} here; list /v1/comparisons") from None


JobDep = Annotated[Document, Depends(_job)]


Request = Annotated[ClassComparison | VersionsRequest, Body(discriminator="kind")]


@router.post("", status_code=202, response_model=Job, dependencies=[IDEMPOTENT])
def add_comparison(body: Request, response: Response, services: ServicesDep) -> Any:
    """Ask for a comparison; the same request twice is the same job."""
    return ask(services, _planned(services, body), response)


def _planned(services: Services, request: ClassComparison | VersionsRequest) -> Plan:
    """The plan of a comparison, by its kind."""
    return _of_classes(services, request) if isinstance(request, ClassComparison) else planned(services, request)


def _of_classes(services: Services, request: ClassComparison) -> Plan:
    content = OfClasses(**request.model_dump(exclude={"atlas"}))
    try:
        return selected(services.artifacts, resolve_name(services.store, "atlas", request.atlas), content)
    except NotFoundError as error:
        raise InputError(error.detail, pointer="/atlas") from None


@router.get("", response_model=Page[Job])
def list_comparisons(
    services: ServicesDep,
    paging: PagingDep,
    atlas: Annotated[str | None, Query(max_length=200, description="only of this atlas, by an id or alias")] = None,
) -> Any:
    """All comparisons, in order of submission."""
    whose = None if atlas is None else resolve_name(services.store, "atlas", atlas)
    jobs = [job for job in registry.documents(services.store, "jobs")
            if job["kind"] == KIND and whose in (None, job["atlas"]) and not job.get("deleted")]  # fmt: skip
    return page_of(services, paging, jobs)


@router.get("/{comparison}", response_model=Comparison)
def get_comparison(job: JobDep, services: ServicesDep) -> Any:
    """The job, and once it has succeeded what was found."""
    plan, found = services.artifacts.plan(job["id"], KIND), None
    if job["state"] == "succeeded":
        found = _compared_classes(services, plan) if plan.apart else told(services, plan, registry.address_of(job))
    return described(services, job) | {"description": found, "summary": _in_short(services, plan)}


def _in_short(services: Services, plan: Plan) -> Document | None:
    return None if plan.apart else summary_of(services, plan)


def _compared_classes(services: Services, plan: Plan) -> Document | None:
    manifest, request = services.artifacts.manifest(plan), plan.request or {}
    if manifest is None:
        return None
    layer = request["layer"]
    laid = manifest["layers"][layer]["layout"]
    level = f"/v1/atlases/{plan.id}/layers/{quote(layer, safe='')}/levels/0"
    return {
        "kind": "classes",
        "layer": layer,
        "classes": [plan.model.told_class(label) for label in request["classes"]],
        **{name: laid[name] for name in ("scale", "clamped", "trustworthiness")},
        **{name: request[name] for name in ("samples", "images", "side")},
        "links": {"level": level, "poster": f"{level}/poster", "manifest": f"/v1/atlases/{plan.id}/manifest"},
    }


@router.delete("/{comparison}", status_code=204)
def delete_comparison(job: JobDep, services: ServicesDep) -> None:
    """Drop a comparison; one that still runs is cancelled."""
    Made(services, KIND, job["id"]).drop()
