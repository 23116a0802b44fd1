"""A zip of pictures, never unpacked to disk."""

from __future__ import annotations

import lzma
import stat
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atlas_core.datasets.readers import as_file
from atlas_core.datasets.sources import MAX_BYTES, MAX_ENTRIES, Content, Entry, Span, looked_up
from atlas_core.errors import DatasetError, ImageError

if TYPE_CHECKING:
    from atlas_core.datasets.readers import SpanReader

MAX_RATIO = 200  # pictures are compressed already; a zip of pictures stays near 1
BLOCK = 1 << 16
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, IndexError, OSError, ValueError)


class ZipSource:
    """Entries of a zip.

    Args:
        reader: The zip's bytes; ours to close.

    Raises:
        DatasetError: No zip, too many entries, a link, a device, or a path that leaves the archive.
    """

    chosen = False
    labelled = False
    far = False  # wherever it lies, its one file reads one entry after the other

    def __init__(self, reader: SpanReader) -> None:
        """Read the directory of the zip and refuse what is hostile."""
        self._reader = reader
        self._lock = threading.Lock()  # one place in the file for all who read
        try:
            self._zip = zipfile.ZipFile(as_file(reader, BLOCK))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            reader.close()
            raise DatasetError(f"the dataset's source is no zip that can be read: {error}", pointer="/source") from None
        try:
            _check(self._zip.infolist(), reader.size)
        except DatasetError:
            self.close()
            raise

    def entries(self, below: str = "") -> Iterator[Entry]:
        """Every entry that is a file and whose name begins so."""
        for info in self._zip.infolist():
            if not info.is_dir() and info.filename.startswith(below):
                # of an archive that is not at hand: its own identity, and where in it the entry is
                yield Entry(info.filename, info.file_size,
                            identity=self._reader.identity(info.header_offset, info.compress_size),
                            wrong=_bomb(info))  # fmt: skip

    def lookup(self, names: Iterable[str]) -> Iterator[Entry]:
        """Entries by name."""
        return looked_up(self, names)

    def read(self, name: str, span: Span | None = None) -> Content:
        """The bytes of an entry.

        Raises:
            ImageError: It is gone, damaged, encrypted or larger than 64 MiB.
        """
        try:
            info = self._zip.getinfo(name)
        except KeyError:
            raise ImageError("it is not in the zip any more") from None
        if wrong := _bomb(info):
            raise ImageError(wrong)
        try:
            with self._lock:
                data = self._zip.read(info)
        # Reasons name no file: with `privacy: strict` an atlas keeps them.
        except DAMAGED:
            raise ImageError("a damaged entry of the zip") from None
        except RuntimeError:  # NotImplementedError is one
            raise ImageError("an entry of the zip that is encrypted or packed in a way that is not known") from None
        return Content(data, self._reader.identity(info.header_offset, info.compress_size))

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()
        self._reader.close()


def _bomb(info: zipfile.ZipInfo) -> str | None:
    if info.file_size > MAX_BYTES or info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"unpacks to {info.file_size} bytes from {info.compress_size}, which is not taken"
    return None


def _check(entries: list[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise DatasetError(f"a zip of {len(entries)} entries; at most {MAX_ENTRIES} are taken", pointer="/source")
    if sum(entry.compress_size for entry in entries) > size:
        raise DatasetError("the zip's entries overlap, as only a zip bomb's do; pack it anew", pointer="/source")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        mode = entry.external_attr >> 16
        if not entry.filename:
            raise DatasetError("the zip has an entry without a name; pack it anew", pointer="/source")
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename:
            raise DatasetError(f"the zip's entry {entry.filename!r} would leave the archive", pointer="/source")
        if stat.S_ISLNK(mode):
            raise DatasetError(f"the zip's entry {entry.filename!r} is a link; store the file", pointer="/source")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DatasetError(f"the zip's entry {entry.filename!r} is a device or the like", pointer="/source")
