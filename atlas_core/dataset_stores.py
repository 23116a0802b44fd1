"""Registered stores: the only places outside of this service that datasets may lie in, each under a name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import obstore
from obstore.exceptions import BaseError

from atlas_core.datasets.objects import ObjectStorage, StoredObject
from atlas_core.errors import DatasetError, NotFoundError
from atlas_core.store import open_backend
from atlas_core.store.backends import Backend, StoreSettings, local_folder
from atlas_core.store.failures import MisconfiguredError, patiently
from atlas_core.store.objects import Objects

LOCAL = ("file:", "/", ".")
WIDTH = 16  # questions at a time
OUT_OF_RANGE = re.compile(r"\b416\b")
_A = TypeVar("_A")


def registered(
    stores: Mapping[str, str], settings: StoreSettings | None = None
) -> Callable[[str], Path | ObjectStorage]:
    """A function that opens registered stores by name: a folder's path, or object storage.

    Args:
        stores: URL by name, as `open_backend` takes it.
        settings: From the environment (`ATLAS_STORE_…`) by default.
    """

    @cache
    def opened(name: str) -> Path | ObjectStorage:
        if name not in stores:
            known = f"registered are {', '.join(sorted(stores))}" if stores else "none is registered"
            raise DatasetError(f"there is no dataset store {name!r}; {known} (ATLAS_DATASET_STORES)", pointer="/source")
        url = stores[name]
        if url.startswith(LOCAL):
            return local_folder(url)
        chosen = settings or StoreSettings()
        return RemoteStorage(Objects(open_backend(url, chosen), retry_seconds=chosen.retry_seconds), chosen)

    return opened


class RemoteStorage:
    """Object storage as datasets read it.

    Args:
        objects: The storage.
        settings: How long to be patient.
    """

    def __init__(self, objects: Objects, settings: StoreSettings) -> None:
        """Nothing is asked yet."""
        self._objects = objects
        self._seconds = settings.retry_seconds

    def listed(self, folder: str) -> Iterator[StoredObject]:
        """All objects below a folder, "" for the root.

        Raises:
            DatasetError: The bucket is not there, or refuses access: who registers the dataset has to know.
        """
        with _refusing():
            for info in self._objects.listed(f"{folder}/" if folder else ""):
                yield StoredObject(info.path, info.size, _tag(info.tag))

    def find(self, paths: Sequence[str]) -> Iterator[StoredObject | None]:
        """Objects by path, None for each that is not there; errors of `listed`."""
        with _refusing():
            yield from self._objects.many(self._found, paths, WIDTH)

    def _found(self, path: str) -> StoredObject | None:
        try:
            return self._patiently(lambda backend: _stored(path, obstore.head(backend, path)))
        except NotFoundError:
            return None

    def read(self, path: str, span: tuple[int, int] | None, most: int) -> tuple[bytes, StoredObject] | None:
        """Bytes of an object, and what it was then; of one with more than `most` bytes none."""
        try:
            return self._patiently(lambda backend: _read(backend, path, span, most))
        except NotFoundError:
            return None

    def _patiently(self, ask: Callable[[Backend], _A]) -> _A:
        return patiently(lambda: self._objects.once(ask), self._seconds)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except MisconfiguredError as error:
        raise DatasetError(f"the dataset cannot be listed: {error.detail}", pointer="/source") from None


def _read(backend: Backend, path: str, span: tuple[int, int] | None, most: int) -> tuple[bytes, StoredObject] | None:
    try:
        result = obstore.get(backend, path, options=None if span is None else {"range": (span[0], sum(span))})
    except BaseError as error:
        if span is not None and OUT_OF_RANGE.search(str(error)):
            return None
        raise
    found = _stored(path, result.meta)
    return b"" if span is None and found.size > most else result.bytes().to_bytes(), found


def _stored(path: str, meta: Any) -> StoredObject:
    return StoredObject(path, int(meta["size"]), _tag(str(meta["e_tag"] or meta["version"] or meta["last_modified"])))


def _tag(tag: str) -> str:
    return tag.strip('"')  # listings of some servers leave the quotes out
