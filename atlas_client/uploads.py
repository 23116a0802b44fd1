"""Bytes to the service: whole where they are few, else straight into its store, else in parts that can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import httpx

from atlas_client.errors import BadInputError, RefusedError, UnavailableError
from atlas_client.problems import check

if TYPE_CHECKING:
    from atlas_client.connection import Connection

OnBytes: TypeAlias = Callable[[int, int], None]
PIECE = 1 << 20
WHOLE_BYTES = 32 << 20  # up to here a file is sent whole
PART_BYTES = 16 << 20
PATIENCE = 60.0  # seconds of a service that cannot be reached, between two parts
PAUSE_FIRST, PAUSE_LAST = 0.2, 5.0  # seconds, growing
COMPLETE_SECONDS = 1800.0  # that the service may take to read an upload and check it


class Upload:
    """One file on its way to the service.

    Args:
        client: The service.
        file: What to send.
        digest: Its SHA-256 in hex.
        size: Its length in bytes.
        on_bytes: Called with bytes sent and bytes in all.
    """

    def __init__(self, client: Connection, file: Path, digest: str, size: int, on_bytes: OnBytes | None = None) -> None:
        """Nothing is sent yet."""
        self._client = client
        self._file = file
        self._size = size
        self._path = f"/v1/blobs/{digest}"
        self._on_bytes = on_bytes

    def run(self) -> None:
        """Send what the service lacks.

        Raises:
            RefusedError: The service does not take it, or not these bytes.
            UnavailableError: It cannot be reached.
        """
        offset = self._offset()
        if offset is None:
            return
        if self._size <= WHOLE_BYTES:
            headers = {"content-type": "application/octet-stream", "content-length": str(self._size)}
            self._client.request("PUT", self._path, content=self._pieces(0, self._size), headers=headers)
        elif offset or not self._straight():
            self._in_parts(offset)

    def _offset(self) -> int | None:
        """From where to go on; None where the service has the whole."""
        answer = self._client.ask("HEAD", self._path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            offset = answer.headers.get("upload-offset", "0")
            return int(offset) if offset.isdigit() else 0
        check(answer)
        return None

    # Straight into the store

    def _straight(self) -> bool:
        """Put the file where the service says, and have it checked; False where that cannot be."""
        answer = self._client.ask("POST", f"{self._path}/uploads")
        if answer.status_code != httpx.codes.CREATED:
            return False
        signed = answer.json()
        try:
            # The address is the signature's: nothing of our own is sent along.
            put = httpx.put(signed["url"], content=self._pieces(0, self._size), timeout=60,
                            headers={"content-length": str(self._size)})  # fmt: skip
        except httpx.TransportError:
            return False  # the store may be out of our reach, or have had enough; the service is not
        if put.is_error:
            return False
        check(self._client.ask("POST", signed["complete"], timeout=COMPLETE_SECONDS))
        return True

    # In parts

    def _in_parts(self, offset: int | None) -> None:
        reached, pause = time.monotonic(), PAUSE_FIRST
        while offset is not None:
            try:
                offset = self._next(offset)
            except UnavailableError as error:
                if time.monotonic() - reached > PATIENCE:
                    raise
                time.sleep(error.retry_after or pause)
                pause = min(PAUSE_LAST, 2 * pause)
                offset = self._resumed(offset)
            else:
                reached, pause = time.monotonic(), PAUSE_FIRST

    def _resumed(self, offset: int | None) -> int | None:
        try:
            return self._offset()
        except UnavailableError:
            return offset

    def _next(self, first: int) -> int | None:
        """Send a part; returns where the next begins, None after the last."""
        stop = min(first + PART_BYTES, self._size)
        headers = {
            "content-type": "application/octet-stream", "content-length": str(stop - first),
            "content-range": f"bytes {first}-{stop - 1}/{self._size}",
        }  # fmt: skip
        timeout = COMPLETE_SECONDS if stop == self._size else httpx.USE_CLIENT_DEFAULT
        content = self._pieces(first, stop)
        answer = check(self._client.ask("PUT", self._path, content=content, headers=headers, timeout=timeout))
        if answer.status_code != httpx.codes.ACCEPTED:
            return None
        offset = int(answer.json()["offset"])
        if offset <= first:
            raise RefusedError(f"the service keeps only {offset:,} of the bytes sent; try again", answer.status_code)
        return offset

    def _pieces(self, first: int, stop: int) -> Iterator[bytes]:
        try:
            with self._file.open("rb") as source:
                source.seek(first)
                while first < stop and (piece := source.read(min(PIECE, stop - first))):
                    yield piece
                    first += len(piece)
                    if self._on_bytes:
                        self._on_bytes(first, self._size)
        except OSError as error:
            raise BadInputError(f"cannot read {self._file}: {error.strerror}") from None
