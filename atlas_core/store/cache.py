"""Copies of remote blobs on this machine's disk, checked against their digest, the least used dropped first."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from atlas_core.errors import DependencyError, IntegrityError

PART, ABANDONED_SECONDS = "part-", 3600.0


def mismatch(sha256: str) -> IntegrityError:
    """What to say of a blob whose bytes are not those of its name."""
    return IntegrityError(f"the blob {sha256[:12]} does not match its digest; delete it and run again")


class BlobCache:
    """A folder of copies, shared by the processes of one user on one machine.

    Args:
        folder: Made where it is missing, readable by its owner only; the temporary directory's `atlas-blobs-UID` by
            default.
        limit: Bytes that the copies may take together; a larger blob is copied, and gone once it is closed.
    """

    def __init__(self, folder: Path | None, limit: int) -> None:
        """Nothing is made or read yet."""
        self._folder = folder or Path(tempfile.gettempdir()) / f"atlas-blobs-{os.getuid()}"
        self._limit = limit
        self._verified: set[str] = set()
        self._lock = threading.Lock()

    def open(self, sha256: str, size: int, pieces: Callable[[], Iterable[bytes]]) -> BinaryIO:
        """Open the copy of a blob for random reading.

        Args:
            sha256: The blob.
            size: Its length in bytes.
            pieces: Reads it from the store, in order; called where there is no copy that can be trusted.

        Raises:
            IntegrityError: What the store gave does not match the digest.
            DependencyError: The disk is full, or the folder cannot be used.
        """
        try:
            self._ready()
            return self._copy(sha256, size) or self._fetch(sha256, size, pieces)
        except OSError as error:
            raise DependencyError(
                f"the cache of blobs cannot be written ({error.strerror}); make room, or name another folder by "
                "ATLAS_STORE_CACHE_FOLDER"
            ) from None

    def drop(self, sha256: str) -> None:
        """Forget a blob that was deleted."""
        with self._lock:
            self._verified.discard(sha256)
        with suppress(OSError):
            (self._folder / sha256).unlink()

    def _ready(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_uid != os.getuid():  # /tmp is everybody's
            raise PermissionError(0, "the folder belongs to somebody else")

    def _copy(self, sha256: str, size: int) -> BinaryIO | None:
        path = self._folder / sha256
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None
        # Only the open file is looked at: another process may drop the copy at any moment.
        if os.fstat(file.fileno()).st_size == size and (sha256 in self._verified or _sha256(file) == sha256):
            self._verified.add(sha256)
            os.utime(file.fileno())  # the order in which copies are dropped
            return file
        file.close()
        return None

    def _fetch(self, sha256: str, size: int, pieces: Callable[[], Iterable[bytes]]) -> BinaryIO:
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=PART)
        path, digest = Path(name), hashlib.sha256()
        try:
            with open(handle, "wb") as target:
                for piece in pieces():
                    digest.update(piece)
                    target.write(piece)
            if digest.hexdigest() != sha256:
                raise mismatch(sha256)
            file = path.open("rb")
            if size <= self._limit:
                os.replace(path, self._folder / sha256)
                self._verified.add(sha256)
                self._drop_least_used(keep=sha256)
            return file
        finally:
            path.unlink(missing_ok=True)

    def _drop_least_used(self, keep: str) -> None:
        found: list[tuple[float, int, Path]] = []
        with self._lock:
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):  # another process drops too
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
            total = sum(size for _, size, _ in found)
            for modified, size, path in sorted(found):
                if total <= self._limit:
                    return
                if path.name != keep and not self._under_way(path, modified):
                    path.unlink(missing_ok=True)  # whoever has it open reads on
                    self._verified.discard(path.name)
                    total -= size

    def _under_way(self, path: Path, modified: float) -> bool:
        return path.name.startswith(PART) and time.time() - modified < ABANDONED_SECONDS


def _sha256(file: BufferedReader) -> str:
    found = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return found
