"""Uploads by digest."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path as FilePath
from typing import IO, Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from atlas_core.errors import InputError, NotFoundError
from service.dependencies import ServicesDep
from service.errors import TooLargeError
from service.schemas import Blob

router = APIRouter(prefix="/v1/blobs", tags=["blobs"])
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 in hex")]


class DigestMismatchError(InputError):
    """A body that is not what its address says."""

    slug = "digest-mismatch"


@router.head("/{sha256}", responses={200: {"description": "The blob is stored"}})
def blob_exists(sha256: Digest, services: ServicesDep) -> Response:
    """Whether a blob is stored, and how long it is."""
    size = services.store.blob_size(sha256)
    if size is None:
        raise NotFoundError(f"the blob {sha256[:12]} is not stored; upload it with PUT")
    return Response(headers={"Content-Length": str(size)})


@router.put(
    "/{sha256}",
    status_code=201,
    response_model=Blob,
    responses={200: {"model": Blob, "description": "It was stored already"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def put_blob(sha256: Digest, request: Request, response: Response, services: ServicesDep) -> Blob:
    """Store the body under its SHA-256; the same again changes nothing."""
    known = await run_in_threadpool(services.store.blob_size, sha256)
    if known is not None:
        response.status_code = 200
        return Blob(sha256=sha256, bytes=known)
    with tempfile.NamedTemporaryFile(prefix="atlas-upload-") as file:
        size, found = await spool(request.stream(), file, services.settings.blob_limit_bytes, request)
        if found != sha256:
            raise DigestMismatchError(f"the body's SHA-256 is {found}, not {sha256}; send it whole and unchanged")
        await run_in_threadpool(services.store.put_blob_file, FilePath(file.name))
    return Blob(sha256=sha256, bytes=size)


async def spool(body: AsyncIterator[bytes], file: IO[bytes], limit: int, request: Request) -> tuple[int, str]:
    """Write a body to a file as it comes; returns its size and its SHA-256 in hex.

    Raises:
        TooLargeError: It is over the limit, by its header or in fact.
    """
    check_length(request, limit)
    size, digest = 0, hashlib.sha256()
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise TooLargeError(f"the body is over the limit of {limit:,} bytes")
        digest.update(piece)
        await run_in_threadpool(file.write, piece)
    file.flush()
    return size, digest.hexdigest()


def check_length(request: Request, limit: int) -> None:
    """Refuse a body whose header says that it is too long.

    Raises:
        TooLargeError: It is over the limit.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise TooLargeError(f"the body has {int(stated):,} bytes, the limit is {limit:,}")
