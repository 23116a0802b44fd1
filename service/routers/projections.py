"""Where does this image land? Through the interactive queue, and answered while the client waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from http import HTTPStatus
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from atlas_core.advance import plan_of_attempt
from atlas_core.errors import ConflictError, ImageError, InputError
from service import batches
from service.asking import Question
from service.dependencies import Services, ServicesDep
from service.errors import MediaTypeError, TooLargeError
from service.kept_batches import check_kept, keep
from service.names import AtlasId
from service.routers.blobs import check_length
from service.schemas.jobs import Job
from service.schemas.projections import Projection

router = APIRouter(prefix="/v1/atlases/{atlas}", tags=["projections"])
MULTIPART_OVERHEAD = 64 << 10
MOST_FILES = 256
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
            batches.MEDIA_TYPE: {
                "schema": {"type": "string", "description": 'lines of {"id": ..., "image": base64}'},
            },
        },
    }
}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Projection,
        "description": "Where the image lands; of a batch, for each image a line with its `projection` or `problem`",
        "content": {batches.MEDIA_TYPE: {"schema": {"type": "string"}}},
    },
    202: {"model": Job, "description": "With `Prefer: respond-async`: the batch is a job, its results are kept"},
}
Positions = Literal["default", "all"]
Answer = TypeVar("Answer")


@router.post("/projections", response_model=None, responses=ANSWERS, openapi_extra=BODY)
async def project(
    atlas: AtlasId,
    request: Request,
    services: ServicesDep,
    layers: Annotated[list[str] | None, Query(description="of the atlas; all of them by default")] = None,
    positions: Annotated[Positions, Query(description="at most 14 x 14 a layer, or all")] = "default",
) -> Response:
    """Positions of an image on the map, with the cell at each level, distance, and the image's strongest classes.

    An image that was asked about a while ago is answered from memory, as `Cache-Status` says; with
    `Cache-Control: no-cache` it is projected anew, to the same bytes. A batch as `application/x-ndjson` is answered
    line by line, in order, while it is sent; with `Prefer: respond-async` it becomes a job.
    """
    question = await run_in_threadpool(question_about, services, atlas, layers, positions)
    fresh = "no-cache" in request.headers.get("cache-control", "")
    if "respond-async" in request.headers.get("prefer", ""):
        services.principal.check("write")
        check_kept(await run_in_threadpool(services.artifacts.plan, atlas))
        response = Response()
        items, gone = await _items(request, services)
        job = await while_connected(keep(services, question, items, response), gone)
        kept = Job.model_validate(job).model_dump(mode="json")
        headers = {name: response.headers[name] for name in ("location", "retry-after")}
        return JSONResponse(kept, HTTPStatus.ACCEPTED, headers | {"Preference-Applied": "respond-async"})
    if batches.MEDIA_TYPE in (_kind(request), request.headers.get("accept")):
        items, gone = await _items(request, services)
        return batches.BatchResponse(batches.answers(services.asking, question, items, fresh=fresh), gone)
    data = await sent_image(request, services.settings.image_limit_bytes)
    known = None if fresh else await services.asking.kept(question, data)
    answer = known or await while_connected(services.asking.answer(question, data), gone_from(request))
    status = "atlas; hit" if known else "atlas; fwd=miss"
    return Response(answer, media_type="application/json", headers={"Cache-Status": status})


async def _items(request: Request, services: Services) -> tuple[AsyncIterator[batches.Item], Coroutine[Any, Any, None]]:
    """The images of a batch, and what ends when the client goes."""
    settings = services.settings
    check_length(request, settings.batch_limit_bytes)
    if _kind(request) == batches.MEDIA_TYPE:
        body = batches.Body(request.receive, settings.batch_limit_bytes)
        return batches.items_of(body, settings.image_limit_bytes), body.read()
    if _kind(request) != "multipart/form-data":
        raise MediaTypeError(f"a batch comes as {batches.MEDIA_TYPE} or multipart/form-data, not {_kind(request)!r}")
    receive = _limited(request.receive, settings.batch_limit_bytes)
    try:
        form = await Request(request.scope, receive).form(max_files=MOST_FILES, max_fields=8)
    except ClientDisconnect:
        raise InputError("the form broke off; send it again") from None
    return batches.items_of_form(form, settings.image_limit_bytes), gone_from(request)


def _limited(receive: Receive, limit: int) -> Receive:
    """Raise TooLargeError where a body is longer than so many bytes."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLargeError(f"the batch is over the limit of {limit:,} bytes")
        return message

    return counted


async def gone_from(request: Request) -> None:
    """Wait until the client has gone; its body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def while_connected(work: Coroutine[Any, Any, Answer], gone: Coroutine[Any, Any, None]) -> Answer:
    """Do work for as long as the client is there.

    Args:
        work: The work.
        gone: Ends when the client goes.

    Raises:
        InputError: It went away, and will not read this.
    """
    tasks = asyncio.create_task(work), asyncio.create_task(gone)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await batches.cancelled(*tasks)
    if tasks[0].cancelled():
        raise InputError("the client went away")
    return tasks[0].result()


def question_about(services: Services, atlas: str, layers: list[str] | None, positions: Positions) -> Question:
    """What is asked, where it can be.

    Raises:
        NotFoundError: There is no such atlas.
        UnknownLayerError: It has no such layer.
        ConflictError: It cannot place images yet.
    """
    job = services.artifacts.job(atlas)
    plan = plan_of_attempt(services.store.whole, atlas, job["attempt"])
    for name in layers or ():
        plan.check_layer(name, "/layers")
    indexes = [chunk for chunk in plan.find("publish", step="index")
               if chunk.parameters["layer"] in (layers or plan.spec.layers)]  # fmt: skip
    if any(services.artifacts.record(chunk) is None for chunk in indexes):
        raise ConflictError(f"the atlas {atlas} cannot place images yet; ask again when its layout is done")
    learnt = [chunk for chunk in plan.find("publish", step="novelty") if services.artifacts.record(chunk) is not None]
    return Question(atlas, job["attempt"], tuple(chunk.key for chunk in (*indexes, *learnt)), layers, positions)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def sent_image(request: Request, limit: int) -> bytes:
    """The image of a request, raw or in a form.

    Raises:
        MediaTypeError: It says to be something else.
        TooLargeError: It has more bytes than that.
        InputError: It broke off.
    """
    kind = _kind(request)
    if kind == "multipart/form-data":
        return await _from_form(request, await _body(request, limit + MULTIPART_OVERHEAD), limit)
    if kind and kind != "application/octet-stream" and not kind.startswith("image/"):
        raise MediaTypeError(f"{kind} is no image; send a JPEG, PNG or WebP, or .npy as application/octet-stream")
    return await _body(request, limit)


async def _body(request: Request, limit: int) -> bytes:
    check_length(request, limit)
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > limit:
                raise TooLargeError(f"the image is over the limit of {limit:,} bytes")
    except ClientDisconnect:
        raise InputError(f"the body broke off after {len(body):,} bytes; send it again") from None
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
