"""The tour of a map: its saved places, kept here so that whoever looks at the map can play them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response

from atlas_core import tours
from atlas_core.aliases import lock_of
from service.dependencies import ServicesDep
from service.names import AtlasId
from service.routers.aliases import expected_version
from service.routers.levels import REVALIDATE, matches, unchanged
from service.schemas.tours import Tour, TourRequest

router = APIRouter(prefix="/v1/atlases/{atlas}/tour", tags=["tours"])
IfMatch = Annotated[
    str | None,
    Header(pattern=r'^(\*|"[0-9]{1,6}")$', description='the ETag that the caller knows, `"0"` of a map without a tour'),
]


@router.get("", response_model=Tour, responses={304: {"description": "Nobody saved since"}})
def get_tour(atlas: AtlasId, request: Request, response: Response, services: ServicesDep) -> Any:
    """The saved places of a map; an empty tour where there are none."""
    services.artifacts.job(atlas)
    tour = _tagged(response, tours.get(services.store, atlas))
    response.headers["Cache-Control"] = REVALIDATE
    if matches(request, response.headers["ETag"]):
        return unchanged(response.headers)
    return tour


@router.put("", response_model=Tour)
def put_tour(
    atlas: AtlasId, body: TourRequest, response: Response, services: ServicesDep, if_match: IfMatch = None
) -> Any:
    """Save the places of a map; with `If-Match` only where nobody else did since they were read."""
    stops = [stop.model_dump() for stop in body.stops]
    with services.ledger.lock(lock_of("atlas", atlas)):  # under which it is dropped
        services.check_own(services.artifacts.job(atlas), f"the map {atlas}")
        return _tagged(response, tours.put(services.store, atlas, body.title, stops, expected_version(if_match)))


def _tagged(response: Response, tour: dict[str, Any]) -> dict[str, Any]:
    response.headers["ETag"] = f'"{tour["version"]}"'
    return tour
