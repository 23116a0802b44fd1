"""Where does this image land? Through the interactive queue, and answered while the client waits."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.types import Message

from atlas_core import errors
from atlas_core.advance import INTERACTIVE, PROJECT
from atlas_core.errors import AtlasError, ConflictError, ImageError, UnknownLayerError
from service.dependencies import Services, ServicesDep
from service.errors import MediaTypeError, NoAnswerError, TooLargeError
from service.names import AtlasId
from service.routers.blobs import check_length
from service.schemas import Projection

router = APIRouter(prefix="/v1/atlases/{atlas}", tags=["projections"])
WAITERS = anyio.CapacityLimiter(64)
MULTIPART_OVERHEAD = 64 << 10
BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/jpeg": BINARY,
            "image/png": BINARY,
            "image/webp": BINARY,
            "application/octet-stream": BINARY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"image": {"type": "string", "format": "binary"}},
                    "required": ["image"],
                }
            },
        },
    }
}
SLUGS = {kind.slug: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AtlasError)}


@router.post("/projections", response_model=None, responses={200: {"model": Projection}}, openapi_extra=BODY)
async def project(
    atlas: AtlasId,
    request: Request,
    services: ServicesDep,
    layers: Annotated[list[str] | None, Query(description="of the atlas; all of them by default")] = None,
    positions: Annotated[Literal["default", "all"], Query(description="at most 14 x 14 a layer, or all")] = "default",
) -> dict[str, Any]:
    """Positions of an image on the map, with the cell at each level, distance, and the image's strongest classes."""
    await run_in_threadpool(_check_atlas, services, atlas, layers)
    data = await _image(request, services.settings.image_limit_bytes)
    seconds = services.settings.projection_seconds

    def ask() -> dict[str, Any] | None:
        name = services.mailbox.put(atlas, data, layers, positions, seconds)
        services.enqueue(PROJECT, [], INTERACTIVE)
        return services.mailbox.wait(name, seconds)

    answer = await anyio.to_thread.run_sync(ask, limiter=WAITERS)
    if answer is None:
        raise NoAnswerError(f"no worker answered within {seconds:.0f} s; try again, and see /readyz for the workers")
    if "error" in answer:
        raise _told(answer["error"])
    value: dict[str, Any] = answer["value"]
    return value


def _check_atlas(services: Services, atlas: str, layers: list[str] | None) -> None:
    plan = services.artifacts.plan(atlas)
    for name in layers or ():
        if name not in plan.spec.layers:
            raise UnknownLayerError(
                f"the atlas has no layer {name!r}; it has {', '.join(plan.spec.layers)}", pointer="/layers"
            )
    for chunk in plan.find("publish", step="index"):
        if services.artifacts.record(chunk) is None and chunk.parameters["layer"] in (layers or plan.spec.layers):
            raise ConflictError(f"the atlas {atlas} cannot place images yet; ask again when its layout is done")


async def _image(request: Request, limit: int) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _from_form(request, await _body(request, limit + MULTIPART_OVERHEAD), limit)
    if kind and kind != "application/octet-stream" and not kind.startswith("image/"):
        raise MediaTypeError(f"{kind} is no image; send a JPEG, PNG or WebP, or .npy as application/octet-stream")
    return await _body(request, limit)


async def _body(request: Request, limit: int) -> bytes:
    check_length(request, limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise TooLargeError(f"the image is over the limit of {limit:,} bytes")
    return bytes(body)


async def _from_form(request: Request, body: bytes, limit: int) -> bytes:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async with Request(request.scope, receive).form(max_files=1, max_fields=8) as form:
        image = form.get("image")
        if not isinstance(image, UploadFile):
            raise ImageError("the form has no file in its field `image`", pointer="/image")
        data = await image.read()
    if len(data) > limit:
        raise TooLargeError(f"the image is over the limit of {limit:,} bytes")
    return data


def _told(error: dict[str, Any]) -> AtlasError:
    kind = SLUGS.get(error["type"], AtlasError)
    return kind(error["detail"], pointer=error.get("pointer"))
