"""Where a dataset's bytes come from: a folder or a zip."""

from __future__ import annotations

import os
import stat
import threading
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from atlas_core.errors import DatasetError, ImageError

MAX_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = 5_000_000
MAX_RATIO = 200  # pictures are compressed already; a zip of pictures stays near 1


class Source(Protocol):
    """Named bytes; names are POSIX paths. `read` may be called from several threads."""

    def names(self) -> Iterator[str]:
        """Every file's name, in any order."""

    def read(self, name: str) -> bytes:
        """The bytes of a file; ImageError where they cannot be had or are too many."""

    def close(self) -> None:
        """Let go of what is open."""


class FolderSource:
    """Files below a folder; links to folders are not followed."""

    def __init__(self, root: Path) -> None:
        """Take a folder that exists."""
        self._root = root

    def names(self) -> Iterator[str]:
        """Every file's path below the folder."""
        for folder, _, files in os.walk(self._root):
            base = Path(folder).relative_to(self._root)
            yield from ((base / file).as_posix() for file in files)

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            ImageError: It cannot be read or is larger than 64 MiB.
        """
        try:
            with (self._root / name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror}") from None
        if len(data) > MAX_BYTES:
            raise ImageError(f"more than {MAX_BYTES} bytes")
        return data

    def close(self) -> None:
        """Nothing is open."""


class ZipSource:
    """Entries of a zip, never unpacked to disk.

    Raises:
        DatasetError: No zip, too many entries, a link, or a path that leaves the archive.
    """

    def __init__(self, file: BinaryIO | Path) -> None:
        """Read the directory of the zip and refuse what is hostile."""
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise DatasetError(f"the dataset's source is no zip that can be read: {error}", pointer="/source") from None
        self._lock = threading.Lock()  # ZipFile counts its open entries without one
        try:
            _check(self._zip.infolist())
        except DatasetError:
            self._zip.close()
            raise

    def names(self) -> Iterator[str]:
        """Every entry that is a file."""
        return (entry.filename for entry in self._zip.infolist() if not entry.is_dir())

    def read(self, name: str) -> bytes:
        """The bytes of an entry.

        Raises:
            ImageError: It is damaged, encrypted or larger than 64 MiB.
        """
        entry = self._zip.getinfo(name)
        if entry.file_size > MAX_BYTES or entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise ImageError(f"unpacks to {entry.file_size} bytes from {entry.compress_size}, which is not taken")
        try:
            with self._lock:
                return self._zip.read(entry)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise ImageError(f"a damaged entry of the zip: {error}") from None
        except (RuntimeError, NotImplementedError) as error:
            raise ImageError(f"an entry of the zip that cannot be unpacked: {error}") from None

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()


def _check(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_ENTRIES:
        raise DatasetError(f"a zip of {len(entries)} entries; at most {MAX_ENTRIES} are taken", pointer="/source")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise DatasetError(f"the zip's entry {entry.filename!r} would leave the archive", pointer="/source")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DatasetError(f"the zip's entry {entry.filename!r} is a link; store the file", pointer="/source")
