"""A dataset in object storage: pictures are objects below a prefix, read straight from there.

Bytes are not read to list them. An object is known by its tag (ETag) and size, and what is read must still have both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from atlas_core.datasets.sources import MAX_BYTES, Content, Entry, Span
from atlas_core.errors import DatasetError, ImageError
from atlas_core.keys import digest

ASKED = 5_000
"""Names up to which objects are asked for one by one; for more the prefix is listed."""


class StoredObject(NamedTuple):
    """An object: its path below the storage's root, size in bytes, and the tag of its bytes."""

    path: str
    size: int
    tag: str


class ObjectStorage(Protocol):
    """A registered store that is not on this machine."""

    def listed(self, folder: str) -> Iterator[StoredObject]:
        """All objects below a folder, "" for the root."""

    def find(self, paths: Sequence[str]) -> Iterator[StoredObject | None]:
        """Objects by path, None for each that is not there."""

    def read(self, path: str, span: tuple[int, int] | None, most: int) -> tuple[bytes, StoredObject] | None:
        """Bytes of an object, and what it was then; of one with more than `most` bytes none.

        Args:
            path: The object.
            span: First byte and length, None for all of it.
            most: Bytes at most, where all of it is asked for.

        Returns:
            None where it is gone, or has become too short for the span.
        """


def identity(found: StoredObject, offset: int = 0, length: int | None = None) -> str:
    """What an object, or a part of it, is known by."""
    return digest(["object", found.tag, found.size, offset, found.size if length is None else length])


class ObjectReader:
    """An object, read by ranges.

    Args:
        storage: Where it is.
        found: What it was when it was opened.
    """

    def __init__(self, storage: ObjectStorage, found: StoredObject) -> None:
        """Nothing is read yet."""
        self._storage = storage
        self._found = found
        self.size = found.size

    def read(self, offset: int, length: int) -> bytes:
        """So many bytes, fewer at the end.

        Raises:
            ImageError: The object has changed since it was opened.
        """
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        answer = self._storage.read(self._found.path, (offset, length), length)
        if answer is None or answer[1][1:] != self._found[1:]:
            raise ImageError("the file in the store has changed since the dataset was listed; register it again with "
                             "another `revision`")  # fmt: skip
        return answer[0]

    def identity(self, offset: int, length: int) -> str:
        """Digest of the object's tag and size, and the place in it."""
        return identity(self._found, offset, length)

    def close(self) -> None:
        """Nothing is open."""


class ObjectSource:
    """Objects below a prefix of a registered store.

    Args:
        storage: The store.
        folder: The prefix, "" for all of the store.
    """

    chosen = False
    labelled = False
    far = True

    def __init__(self, storage: ObjectStorage, folder: str) -> None:
        """Nothing is asked yet."""
        self._storage = storage
        self._folder = folder
        self._begin = f"{folder}/" if folder else ""

    def entries(self, below: str = "") -> Iterator[Entry]:
        """Every object whose path below the prefix begins so."""
        inner = below.rpartition("/")[0]
        for found in self._storage.listed(self._begin + inner if inner else self._folder):
            name = found.path[len(self._begin) :]
            if name.startswith(below):
                yield _entry(name, found)

    def lookup(self, names: Iterable[str]) -> Iterator[Entry]:
        """Objects by name."""
        names = list(names)
        if len(names) > ASKED:
            known = {entry.name: entry for entry in self.entries()}
            return (known.get(name) or Entry(name, wrong="it is not in the store") for name in names)
        found = self._storage.find([self._begin + name for name in names])
        return (Entry(name, wrong="it is not in the store") if one is None else _entry(name, one)
                for name, one in zip(names, found, strict=True))  # fmt: skip

    def read(self, name: str, span: Span | None = None) -> Content:
        """The bytes of an object.

        Raises:
            ImageError: It is gone, or larger than 64 MiB.
        """
        answer = self._storage.read(self._begin + name, None, MAX_BYTES)
        if answer is None:
            raise ImageError("it is not in the store any more")
        data, found = answer
        if len(data) < found.size:
            raise ImageError(f"more than {MAX_BYTES} bytes")
        return Content(data, identity(found))

    def open(self, name: str) -> ObjectReader:
        """Open an object for random reading.

        Raises:
            DatasetError: It is not there.
        """
        found = next(iter(self._storage.find([self._begin + name])))
        if found is None:
            raise DatasetError(f"the store has no object {name!r} there", pointer="/source")
        return ObjectReader(self._storage, found)

    def close(self) -> None:
        """Nothing is open."""


def _entry(name: str, found: StoredObject) -> Entry:
    wrong = f"more than {MAX_BYTES} bytes" if found.size > MAX_BYTES else None
    return Entry(name, found.size, identity=identity(found), wrong=wrong)
