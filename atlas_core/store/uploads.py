"""Bytes on their way to become a blob: parts sent to the service, or wholes put straight into the store.

All lies below `uploads/SHA256/`, so that any process can take the next part. Nothing of it is trusted: it becomes a
blob when its bytes have been read and match the digest. What is never finished is for the garbage collection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple
from uuid import uuid4

from atlas_core.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from atlas_core.store.objects import ObjectInfo, Objects

PART = re.compile(r"uploads/[0-9a-f]{64}/part-(\d+)-(\d+)-of-(\d+)")
TOKEN = re.compile(r"[0-9a-f]{32}")
MOST_PARTS = 10_000


class UploadInfo(NamedTuple):
    """Something under `uploads/`: its path, its length in bytes, when it was written."""

    path: str
    size: int
    last_modified: datetime


class Received(NamedTuple):
    """How far an upload in parts is: bytes there from the first without a gap, and bytes in all."""

    offset: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether every byte is there."""
        return self.offset == self.total


class Uploads:
    """What is being uploaded to a store.

    Args:
        objects: The store's object storage.
        public: The same as the clients reach it, to sign URLs.
    """

    def __init__(self, objects: Objects, public: Objects) -> None:
        """Take the storage."""
        self._objects = objects
        self._public = public

    # In parts

    def put_part(self, sha256: str, start: int, total: int, file: Path) -> Received:
        """Keep a part.

        Args:
            sha256: Of the whole.
            start: Place of the part's first byte.
            total: Length of the whole in bytes.
            file: The part's bytes, at least one, all within the whole.

        Raises:
            ConflictError: The upload was begun with another total, or has too many parts.
        """
        parts = self._parts(sha256)
        if any(part.total != total for part in parts):
            raise ConflictError(f"the upload of {sha256[:12]} was begun with {parts[0].total:,} bytes in all, not "
                                f"{total:,}; send the whole file by one PUT")  # fmt: skip
        if len(parts) >= MOST_PARTS:
            raise ConflictError(f"the upload has {MOST_PARTS:,} parts already; send the whole file by one PUT")
        stop = start + file.stat().st_size
        self._objects.write_file(f"uploads/{sha256}/part-{start}-{stop}-of-{total}", file)
        return _received([*parts, _Part(start, stop, total, "")])

    def received(self, sha256: str) -> Received | None:
        """How far an upload in parts is, None where there is none."""
        parts = self._parts(sha256)
        return _received(parts) if parts else None

    def read_parts(self, sha256: str, into: BinaryIO) -> str:
        """Write the parts of a complete upload to a file, in order; returns the SHA-256 of the bytes in hex.

        Raises:
            NotFoundError: A part is missing.
        """
        digest, offset = hashlib.sha256(), 0
        parts = self._parts(sha256)
        for part in _chain(parts):
            skipped = offset - part.start
            for piece in self._objects.pieces(part.path, part.stop - part.start):
                fresh = piece[skipped:] if skipped < len(piece) else b""
                skipped = max(0, skipped - len(piece))
                digest.update(fresh)
                into.write(fresh)
            offset = part.stop
        if not parts or offset != parts[0].total:
            raise NotFoundError(f"the upload of {sha256[:12]} lacks bytes from {offset:,}; send them")
        return digest.hexdigest()

    # Straight into the store

    def signed(self, sha256: str, seconds: float) -> tuple[str, str]:
        """A token, and a URL to which the whole can be PUT for so many seconds.

        Raises:
            ConflictError: The store cannot sign.
        """
        token = uuid4().hex
        return token, self._public.signed("PUT", f"uploads/{sha256}/whole-{token}", seconds)

    def whole_size(self, sha256: str, token: str) -> int:
        """Length in bytes of what was put straight into the store.

        Raises:
            NotFoundError: Nothing was.
        """
        size = self._objects.size(f"uploads/{sha256}/whole-{token}") if TOKEN.fullmatch(token) else None
        if size is None:
            raise NotFoundError(f"nothing was uploaded for {sha256[:12]} under this token; PUT it to the signed URL")
        return size

    def read_whole(self, sha256: str, token: str, into: BinaryIO) -> str:
        """Write what was put straight into the store to a file; returns the SHA-256 of the bytes in hex.

        Raises:
            NotFoundError: Nothing was.
        """
        digest = hashlib.sha256()
        for piece in self._objects.pieces(f"uploads/{sha256}/whole-{token}", self.whole_size(sha256, token)):
            digest.update(piece)
            into.write(piece)
        return digest.hexdigest()

    # Clearing

    def drop(self, sha256: str) -> None:
        """Delete all that was uploaded towards a blob."""
        self._objects.delete([info.path for info in self._objects.listed(f"uploads/{sha256}/")])

    def everything(self) -> Iterator[UploadInfo]:
        """All that is on its way or was given up."""
        for info in self._objects.listed("uploads/"):
            yield UploadInfo(info.path, info.size, info.modified)

    def delete(self, path: str) -> None:
        """Delete one of `everything`."""
        if not path.startswith("uploads/"):
            raise NotFoundError("this is no upload")
        self._objects.delete([path])

    def _parts(self, sha256: str) -> list[_Part]:
        return sorted(part for info in self._objects.listed(f"uploads/{sha256}/") if (part := _part(info)) is not None)


class _Part(NamedTuple):
    start: int
    stop: int
    total: int
    path: str


def _part(info: ObjectInfo) -> _Part | None:
    found = PART.fullmatch(info.path)
    if found is None:
        return None
    start, stop, total = map(int, found.groups())
    return _Part(start, stop, total, info.path)


def _chain(parts: list[_Part]) -> Iterator[_Part]:
    """The parts that carry on from the first byte without a gap, each as far as possible."""
    offset, ahead = 0, sorted(parts)
    while True:
        reaching = [part for part in ahead if part.start <= offset < part.stop]
        if not reaching:
            return
        best = max(reaching, key=lambda part: part.stop)
        yield best
        offset = best.stop


def _received(parts: list[_Part]) -> Received:
    *_, last = [_Part(0, 0, parts[0].total, ""), *_chain(parts)]
    return Received(last.stop, parts[0].total)
