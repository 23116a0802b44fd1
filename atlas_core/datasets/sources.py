"""Where a dataset's bytes come from: what every source does, and a folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol, TypeAlias
from urllib.parse import unquote

from atlas_core.datasets.readers import FileReader, SpanReader
from atlas_core.errors import DatasetError, ImageError

MAX_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = 5_000_000
NAMED = 80  # characters of a name that an error tells
Span: TypeAlias = tuple[str, int, int]
"""A file's name, first byte and length: where an image lies among others."""


class Entry(NamedTuple):
    """A file that a source has.

    Attributes:
        name: POSIX path.
        size: Bytes, None where that is not known before it is read.
        span: Where it lies in a file with others.
        identity: Digest by which it is known without being read; None where its bytes are to be digested.
        label: What the source says of its class: a name, or an index in decimal.
        wrong: Why it cannot be read, where that is known.
    """

    name: str
    size: int | None = None
    span: Span | None = None
    identity: str | None = None
    label: str | None = None
    wrong: str | None = None


class Content(NamedTuple):
    """Bytes, and the identity that goes with them where it is not their digest."""

    data: bytes
    identity: str | None = None


class Source(Protocol):
    """Named bytes; names are POSIX paths. `read` may be called from several threads.

    Attributes:
        chosen: Somebody chose every entry; else pictures are told from other files by their suffix.
        labelled: Entries tell their labels; else the first folder of an image is its class.
        far: Reading waits for a journey, so that it is worth to read several at a time.
    """

    chosen: bool
    labelled: bool
    far: bool

    def entries(self, below: str = "") -> Iterator[Entry]:
        """Every file whose name begins so, in any order."""

    def lookup(self, names: Iterable[str]) -> Iterator[Entry]:
        """The files of these names, in this order; one that is known not to be there says so in `wrong`."""

    def read(self, name: str, span: Span | None = None) -> Content:
        """The bytes of a file; ImageError where they cannot be had or are too many."""

    def close(self) -> None:
        """Let go of what is open."""


class Place(Source, Protocol):
    """A source whose files can be opened one by one: a folder, or a prefix of object storage."""

    def open(self, name: str) -> SpanReader:
        """Open a file for random reading; DatasetError where it is not there."""


def leaves(name: str) -> bool:
    """Whether a name is no plain path below a root: absolute, climbing, empty, or any of it in disguise."""
    return any(
        not path or path.startswith("/") or "\\" in path or "\0" in path or "://" in path
        or path.lower().startswith("file:") or {"", ".", ".."} & set(path.split("/"))
        for path in (name, unquote(name))
    )  # fmt: skip


def looked_up(source: Source, names: Iterable[str]) -> Iterator[Entry]:
    """`lookup` of a source that knows all its entries anyway."""
    known = {entry.name: entry for entry in source.entries()}
    return (known.get(name) or Entry(name, wrong="it is not there") for name in names)


def _entry(name: str) -> Entry:
    try:
        name.encode()
    except UnicodeEncodeError:
        return Entry(os.fsencode(name).decode("utf-8", "replace"), wrong="its name is no UTF-8; rename it")
    return Entry(name)


class FolderSource:
    """Files below a folder; links to folders are not followed.

    Args:
        root: The folder.
        within: A folder that no link may leave; links to files are followed anywhere without one.

    Raises:
        DatasetError: There is no such folder.
    """

    chosen = False
    labelled = False
    far = False

    def __init__(self, root: Path, within: Path | None = None) -> None:
        """Take the folder."""
        self._root = root
        self._within = None if within is None else within.resolve()
        if not root.is_dir() or (self._within and not root.resolve().is_relative_to(self._within)):
            raise DatasetError("the folder of the dataset is not there", pointer="/source")

    def entries(self, below: str = "") -> Iterator[Entry]:
        """Every file whose path below the folder begins so.

        Raises:
            DatasetError: A folder cannot be read: nobody knows what is in it.
        """

        def unreadable(error: OSError) -> None:
            if isinstance(error, FileNotFoundError):
                return  # then nothing is in it
            name = PurePosixPath(str(error.filename)).name[:NAMED]
            raise DatasetError(f"the dataset's folder {name!r} cannot be read: {error.strerror}", pointer="/source")

        for folder, _, files in os.walk(self._root / below.rpartition("/")[0], onerror=unreadable):
            base = Path(folder).relative_to(self._root)
            names = ((base / file).as_posix() for file in files)
            yield from (_entry(name) for name in names if name.startswith(below))

    def lookup(self, names: Iterable[str]) -> Iterator[Entry]:
        """Files are looked for when they are read."""
        return map(Entry, names)

    def read(self, name: str, span: Span | None = None) -> Content:
        """The bytes of a file.

        Raises:
            ImageError: It cannot be read, leaves the folder, or is larger than 64 MiB.
        """
        try:
            reader = FileReader(self._descriptor(name))
        except OSError as error:
            raise ImageError(f"cannot be read: {error.strerror}") from None
        try:
            if reader.size > MAX_BYTES:
                raise ImageError(f"more than {MAX_BYTES} bytes")
            return Content(reader.read(0, reader.size))
        finally:
            reader.close()

    def open(self, name: str) -> SpanReader:
        """Open a file for random reading.

        Raises:
            DatasetError: It is not there, or leaves the folder.
        """
        try:
            return FileReader(self._descriptor(name))
        except (OSError, ImageError):
            raise DatasetError(f"the source of the dataset, {PurePosixPath(name).name!r}, is not there",
                               pointer="/source") from None  # fmt: skip

    def _descriptor(self, name: str) -> int:
        path = self._root / name
        if self._within is not None and not path.resolve().is_relative_to(self._within):
            raise ImageError("a link that leaves the dataset's folder; store the file itself")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would wait for a writer
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ImageError("no regular file")
        return descriptor

    def close(self) -> None:
        """Nothing is open."""
