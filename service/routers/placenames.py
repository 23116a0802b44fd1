"""What the regions of a layer's map are called."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from service.dependencies import Paging, ServicesDep
from service.errors import NotYetError
from service.names import AtlasId
from service.routers.levels import FOREVER, REVALIDATE, Version, matches, unchanged
from service.sample_queries import LayerName, Wish
from service.samples import Samples
from service.schemas.pages import Page
from service.schemas.placenames import PlaceName

router = APIRouter(prefix="/v1/atlases/{atlas}/layers/{layer:path}", tags=["samples"])
MOST = 10_000
"""Names on a page: those of a whole layer are fewer."""
MADE: dict[int | str, dict[str, Any]] = {
    202: {"description": "They are not known yet"},
    304: {"description": "They have not changed"},
}


@router.get("/names", response_model=Page[PlaceName], responses=MADE)
def list_names(
    atlas: AtlasId,
    layer: LayerName,
    services: ServicesDep,
    request: Request,
    v: Version = None,
    wish: Wish = False,
    page_size: Annotated[int, Query(ge=1, le=MOST)] = MOST,
    page_token: Annotated[str | None, Query(pattern="^[0-9]{1,12}$")] = None,
) -> Response:
    """Names of regions, countries before provinces before towns: what is said there more often than elsewhere."""
    paging = Paging(page_size, page_token)
    try:
        samples = Samples(services.artifacts, services.artifacts.plan(atlas), layer)
        tag, names = services.place_names.of(samples)
    except NotYetError:
        if not wish:
            raise
        return JSONResponse(paging.page([]), status_code=202, headers={"Retry-After": "1", "Cache-Control": "no-store"})
    etag = f'"{tag}-{paging.start}-{paging.size}"'
    published = services.artifacts.job(samples.plan.id, None)["digest"]
    headers = {"ETag": etag, "Cache-Control": FOREVER if v is not None and v in (tag, published) else REVALIDATE}
    if matches(request, etag):
        return unchanged(headers)
    return JSONResponse(paging.page(names), headers=headers)
