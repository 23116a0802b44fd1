"""Maps at a glance: for lists of atlases and of what was asked of them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from service.dependencies import ServicesDep
from service.names import AtlasId
from service.routers.levels import FOREVER, REVALIDATE, Version, matches

router = APIRouter(prefix="/v1", tags=["atlases"])
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/webp": {}}, "description": "The picture"},
    304: {"description": "It has not changed"},
}


@router.get("/atlases/{atlas}/thumbnail", responses=PICTURE, response_class=Response)
def get_thumbnail(atlas: AtlasId, request: Request, services: ServicesDep, v: Version = None) -> Response:
    """The coarsest level of the first layer on 320 x 320 pixels, as far as it can be seen now."""
    job, plan = services.artifacts.job(atlas), services.artifacts.plan(atlas)
    tag = services.thumbnails.tag(job, plan)
    if tag is None:
        raise services.artifacts.missing(plan, "nothing of this map can be seen yet")
    headers = {"ETag": f'"{tag}"', "Cache-Control": FOREVER if v == tag else REVALIDATE}
    if matches(request, f'"{tag}"'):
        return Response(status_code=304, headers=headers)
    return Response(services.thumbnails.picture(tag, plan), headers=headers, media_type="image/webp")
