"""Batches of images that nobody waits for: jobs whose answers are kept until they are dropped."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from fastapi.responses import StreamingResponse

from atlas_core.errors import ConflictError
from service.asked import Asked, asked_of, page_of
from service.batches import MEDIA_TYPE
from service.dependencies import PagingDep, ServicesDep
from service.names import AtlasId
from service.routers.atlases import described
from service.schemas.jobs import Job
from service.schemas.pages import Page

router = APIRouter(prefix="/v1/atlases/{atlas}/projections", tags=["projections"])
RESULTS: dict[int | str, dict[str, Any]] = {
    200: {"description": "A line for each image, in order", "content": {MEDIA_TYPE: {"schema": {"type": "string"}}}}
}
PIECE = 1 << 20


def _batch(atlas: AtlasId, batch: Annotated[str, Path(description="id of the job")], services: ServicesDep) -> Asked:
    return Asked(services, atlas, "projections", batch)


BatchDep = Annotated[Asked, Depends(_batch)]


@router.get("", response_model=Page[Job])
def list_batches(atlas: AtlasId, services: ServicesDep, paging: PagingDep) -> Any:
    """Batches that were asked about without waiting, in order."""
    return page_of(services, paging, asked_of(services, atlas, "projections"))


@router.get("/{batch}", response_model=Job)
def get_batch(batch: BatchDep) -> Any:
    """The job, and once it has succeeded the link to its results."""
    return described(batch.services, batch.job)


@router.get("/{batch}/results", response_class=Response, responses=RESULTS)
def get_results(batch: BatchDep) -> Response:
    """The answers, a line for each image, in the order in which they were sent."""
    record = batch.record
    if record is None:
        raise ConflictError(f"the batch {batch.job['id']} is {batch.job['state']}; ask again once it has succeeded")
    file = batch.services.store.open_blob(record["blobs"]["lines"])

    def pieces() -> Any:
        with file:
            while piece := file.read(PIECE):
                yield piece

    return StreamingResponse(pieces(), media_type=MEDIA_TYPE, headers={"Content-Length": str(record["info"]["bytes"])})


@router.delete("/{batch}", status_code=204)
def delete_batch(batch: BatchDep) -> None:
    """Drop a batch and its results; one that still runs is cancelled."""
    batch.drop()
