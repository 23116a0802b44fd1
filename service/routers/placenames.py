"""What the regions of a layer's map are called."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.dependencies import ServicesDep
from service.routers.levels import FOREVER, REVALIDATE, Version, matches
from service.routers.samples import SamplesDep
from service.schemas.placenames import NamedPlaces

router = APIRouter(prefix="/v1/atlases/{atlas}/layers/{layer:path}", tags=["samples"])
MADE: dict[int | str, dict[str, Any]] = {304: {"description": "They have not changed"}}


@router.get("/names", response_model=NamedPlaces, responses=MADE)
def list_names(samples: SamplesDep, services: ServicesDep, request: Request, v: Version = None) -> Response:
    """Names of regions by rank, countries, provinces and towns: what is said there more often than elsewhere."""
    tag, ranks = services.place_names.of(samples)
    headers = {"ETag": f'"{tag}"', "Cache-Control": FOREVER if v == tag else REVALIDATE}
    if matches(request, f'"{tag}"'):
        return Response(status_code=304, headers=headers)
    return JSONResponse({"layer": samples.layer, "ranks": ranks}, headers=headers)
