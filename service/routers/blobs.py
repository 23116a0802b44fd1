"""Uploads by digest: whole, in parts that can be resumed, or straight into the store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import IO, Annotated, Any, BinaryIO

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from atlas_core.errors import ConflictError, InputError, NotFoundError
from atlas_core.scratch import scratch
from service.dependencies import Services, ServicesDep
from service.errors import TooLargeError, problem
from service.schemas.blobs import Blob, BlobPart, SignedUpload

router = APIRouter(prefix="/v1/blobs", tags=["blobs"])
SIGNED_SECONDS = 3600
RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 in hex")]
Token = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="Of the signed upload")]
ContentRange = Annotated[str | None, Header(description="`bytes FIRST-LAST/TOTAL` of a part")]
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class DigestMismatchError(InputError):
    """A body that is not what its address says."""

    slug = "digest-mismatch"


@router.head("/{sha256}", responses={200: {"description": "The blob is stored"}})
def blob_exists(sha256: Digest, services: ServicesDep) -> Response:
    """Whether a blob is stored, and how long it is; of one sent in parts `Upload-Offset`, from where to go on."""
    size = services.store.blob_size(sha256)
    if size is not None:
        return Response(headers={"Content-Length": str(size)})
    received = services.store.uploads.received(sha256)
    if received is None:
        raise NotFoundError(f"the blob {sha256[:12]} is not stored; upload it with PUT")
    detail = f"the blob {sha256[:12]} is not complete; PUT the parts from byte {received.offset:,} on"
    headers = {"Upload-Offset": str(received.offset), "Upload-Length": str(received.total)}
    return problem(HTTPStatus.NOT_FOUND, NotFoundError.slug, detail, headers=headers)


@router.put(
    "/{sha256}",
    status_code=201,
    response_model=Blob,
    responses={
        200: {"model": Blob, "description": "It was stored already"},
        202: {"model": BlobPart, "description": "The part is kept, others are missing"},
    },
    openapi_extra=BODY,
)
async def put_blob(
    sha256: Digest, request: Request, services: ServicesDep, content_range: ContentRange = None
) -> Response:
    """Store the body under its SHA-256, or as a part of it (`Content-Range`); the same again changes nothing."""
    limit = services.settings.blob_limit_bytes
    known = await run_in_threadpool(services.store.blob_size, sha256)
    if known is not None:
        return _stored(sha256, known, 200)
    span = None if content_range is None else _span(content_range, limit)
    await run_in_threadpool(services.upload, check_length(request, limit))
    with scratch() as folder, (folder / "upload").open("wb") as file:
        size, found = await spool(request.stream(), file, limit if span is None else span[1] - span[0], request)
        if not request.headers.get("content-length"):
            await run_in_threadpool(services.upload, size)
        path = FilePath(file.name)
        if span is not None:
            return await run_in_threadpool(_put_part, services, sha256, span, path, size)
        if found != sha256:
            raise DigestMismatchError(f"the body's SHA-256 is {found}, not {sha256}; send it whole and unchanged")
        await run_in_threadpool(services.store.put_blob_file, path)
        await run_in_threadpool(services.uploaded, sha256)
    return _stored(sha256, size, 201)


@router.post("/{sha256}/uploads", status_code=201)
def sign_upload(sha256: Digest, services: ServicesDep) -> SignedUpload:
    """A URL to which the client can PUT the bytes, straight into the store; 409 where the store cannot sign."""
    if services.store.blob_size(sha256) is not None:
        raise ConflictError(f"the blob {sha256[:12]} is stored already; there is nothing to upload")
    token, url = services.store.uploads.signed(sha256, SIGNED_SECONDS)
    complete = f"/v1/blobs/{sha256}/uploads/{token}"
    return SignedUpload(method="PUT", url=url, expires_seconds=SIGNED_SECONDS, complete=complete)


@router.post(
    "/{sha256}/uploads/{token}",
    status_code=201,
    response_model=Blob,
    responses={200: {"model": Blob, "description": "It was stored already"}},
)
def complete_upload(sha256: Digest, token: Token, services: ServicesDep) -> Response:
    """Make what was PUT to a signed URL a blob, once its bytes are read and match."""
    uploads, limit = services.store.uploads, services.settings.blob_limit_bytes
    known = services.store.blob_size(sha256)
    if known is not None:
        return _stored(sha256, known, 200)
    size = uploads.whole_size(sha256, token)
    if size > limit:
        uploads.drop(sha256)
        raise TooLargeError(f"the upload has {size:,} bytes, the limit is {limit:,}")
    services.upload(size)
    return _complete(services, sha256, lambda into: uploads.read_whole(sha256, token, into))


def _stored(sha256: str, size: int, status: int) -> Response:
    return JSONResponse(Blob(sha256=sha256, bytes=size).model_dump(), status)


def _span(text: str, limit: int) -> tuple[int, int, int]:
    """First byte, the one behind the last, and the length of the whole, of a Content-Range.

    Raises:
        InputError: It is none, or lies outside of the whole.
        TooLargeError: The whole is over the limit.
    """
    found = RANGE.fullmatch(text.strip())
    if found is None:
        raise InputError(f"the Content-Range {text[:80]!r} cannot be read; write it as bytes FIRST-LAST/TOTAL")
    first, last, total = map(int, found.groups())
    if not first <= last < total:
        raise InputError(f"the Content-Range says bytes {first:,} to {last:,} of {total:,}; it must lie within")
    if total > limit:
        raise TooLargeError(f"the upload has {total:,} bytes, the limit is {limit:,}")
    return first, last + 1, total


def _put_part(services: Services, sha256: str, span: tuple[int, int, int], part: FilePath, size: int) -> Response:
    first, stop, total = span
    if size != stop - first:
        raise InputError(f"the part has {size:,} bytes, its Content-Range says {stop - first:,}; send both alike")
    uploads = services.store.uploads
    received = uploads.put_part(sha256, first, total, part)
    if received.complete:
        return _complete(services, sha256, lambda into: uploads.read_parts(sha256, into))
    kept = BlobPart(sha256=sha256, offset=received.offset, total=total)
    return JSONResponse(kept.model_dump(), 202, headers={"Upload-Offset": str(received.offset)})


def _complete(services: Services, sha256: str, read: Callable[[BinaryIO], str]) -> Response:
    """Read an upload to its end, and store it if it is what it should be; then, or if not, its parts are dropped."""
    store = services.store
    with scratch() as folder, (folder / "upload").open("wb") as file:
        try:
            found = read(file)
        except NotFoundError:
            known = store.blob_size(sha256)
            if known is None:
                raise
            return _stored(sha256, known, 200)  # another request completed it first
        file.flush()
        if found == sha256:
            store.put_blob_file(FilePath(file.name))
            services.uploaded(sha256)
        store.uploads.drop(sha256)
        if found != sha256:
            raise DigestMismatchError(f"the upload's SHA-256 is {found}, not {sha256}; it was dropped, begin again")
        return _stored(sha256, file.tell(), 201)


async def spool(body: AsyncIterator[bytes], file: IO[bytes], limit: int, request: Request) -> tuple[int, str]:
    """Write a body to a file as it comes; returns its size and its SHA-256 in hex.

    Raises:
        TooLargeError: It is over the limit, by its header or in fact.
        InputError: The client went away in the middle.
    """
    check_length(request, limit)
    size, digest = 0, hashlib.sha256()
    try:
        async for piece in body:
            size += len(piece)
            if size > limit:
                raise TooLargeError(f"the body is over the limit of {limit:,} bytes")
            digest.update(piece)
            await run_in_threadpool(file.write, piece)
    except ClientDisconnect:
        raise InputError(f"the body broke off after {size:,} bytes; send it again") from None
    file.flush()
    return size, digest.hexdigest()


def check_length(request: Request, limit: int) -> int:
    """Refuse a body whose header says that it is too long; returns what it says, 0 where it says nothing.

    Raises:
        TooLargeError: It is over the limit.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated) > limit:
        raise TooLargeError(f"the body has {int(stated):,} bytes, the limit is {limit:,}")
    return int(stated) if stated.isdigit() else 0
