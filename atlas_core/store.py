"""Where everything that must survive is kept: blobs, records and registry documents.

Three kinds of objects, all write-once:

- `blobs/SHA256`: bytes; the digest is checked on every read.
- `records/STAGE/KEY.json`: written last with `create`, naming the blobs of a finished chunk.
- `registry/KIND/ID/NNNNNN.json`: versions of a document; the newest counts.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError as MissingError
from obstore.store import LocalStore, MemoryStore

from atlas_core.cards import file_sha256
from atlas_core.errors import DependencyError, InputError, IntegrityError, NotFoundError
from atlas_core.keys import canonical_json

DOCUMENT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_P = ParamSpec("_P")
_T = TypeVar("_T")


def _guarded(call: Callable[_P, _T]) -> Callable[_P, _T]:
    """Turn the storage library's failures into ours, without host paths."""

    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return call(*args, **kwargs)
        except (FileNotFoundError, MissingError):
            raise NotFoundError("the object is not in the store") from None
        except (BaseError, OSError) as error:
            raise DependencyError(
                f"the store cannot be used ({type(error).__name__}); check that it is up and writable, then try again"
            ) from error

    return guarded


class Store:
    """Blobs, records and documents over any object storage.

    Args:
        backend: An obstore store.
        root: The folder of a local store, where blobs can be opened as files.
    """

    def __init__(self, backend: LocalStore | MemoryStore, root: Path | None = None) -> None:
        """Take the backend; `open_store` makes one from a URL."""
        self._backend = backend
        self._root = root
        self._verified: set[str] = set()

    @_guarded
    def ping(self) -> None:
        """Raise DependencyError unless the store answers."""
        if self._root is not None and not self._root.is_dir():
            raise OSError("the folder is gone")
        next(iter(obstore.list(self._backend, prefix="registry/", chunk_size=1)), None)

    # Blobs

    @_guarded
    def put_blob(self, data: bytes) -> str:
        """Store bytes; returns their SHA-256 in hex."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not self._exists(f"blobs/{sha256}"):
            obstore.put(self._backend, f"blobs/{sha256}", data)
        return sha256

    @_guarded
    def put_blob_file(self, path: Path) -> str:
        """Store a file, read in pieces; returns its SHA-256 in hex."""
        sha256 = file_sha256(path)
        if not self._exists(f"blobs/{sha256}"):
            obstore.put(self._backend, f"blobs/{sha256}", path)
        return sha256

    @_guarded
    def blob_size(self, sha256: str) -> int | None:
        """Size of a blob in bytes, None where it is not stored."""
        try:
            return int(obstore.head(self._backend, f"blobs/{sha256}")["size"])
        except (FileNotFoundError, MissingError):
            return None

    @_guarded
    def get_blob(self, sha256: str) -> bytes:
        """Read a blob.

        Raises:
            NotFoundError: It is not stored.
            IntegrityError: The stored bytes do not match the digest.
        """
        data = obstore.get(self._backend, f"blobs/{sha256}").bytes().to_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise IntegrityError(f"the blob {sha256[:12]} does not match its digest; delete it and run again")
        return data

    def open_blob(self, sha256: str) -> BinaryIO:
        """Open a blob for random reading; a local one is not loaded into memory.

        Raises:
            NotFoundError: It is not stored.
            IntegrityError: The stored bytes do not match the digest.
        """
        if self._root is None:
            return io.BytesIO(self.get_blob(sha256))
        path = self._root / "blobs" / sha256
        if not path.is_file():
            raise NotFoundError("the object is not in the store")
        if sha256 not in self._verified:
            if file_sha256(path) != sha256:
                raise IntegrityError(f"the blob {sha256[:12]} does not match its digest; delete it and run again")
            self._verified.add(sha256)
        return path.open("rb")

    # Records

    def put_record(self, stage: str, key: str, value: dict[str, Any]) -> None:
        """Write a chunk's record; a record that exists already stays as it is."""
        self._create(f"records/{stage}/{key}.json", value)

    def get_record(self, stage: str, key: str) -> dict[str, Any] | None:
        """Read a chunk's record, None where the chunk is not done."""
        return self._read_json(f"records/{stage}/{key}.json")

    @_guarded
    def has_record(self, stage: str, key: str) -> bool:
        """Whether a chunk is done."""
        return self._exists(f"records/{stage}/{key}.json")

    # Documents of the registry

    def append_document(self, kind: str, name: str, value: dict[str, Any]) -> int:
        """Write the next version of a document; returns its number, from 0.

        Raises:
            InputError: The name holds more than letters, digits, `_` and `-`, or is longer than 64.
        """
        if not DOCUMENT_NAME.fullmatch(name):
            raise InputError(f"{name!r} can be no name of a document: letters, digits, _ and -, at most 64")
        number = len(self.document_versions(kind, name))
        while not self._create(f"registry/{kind}/{name}/{number:06d}.json", value):
            number += 1
        return number

    def get_document(self, kind: str, name: str) -> dict[str, Any] | None:
        """Read the newest version of a document, None where there is none."""
        versions = self.document_versions(kind, name)
        return self._read_json(f"registry/{kind}/{name}/{versions[-1]:06d}.json") if versions else None

    @_guarded
    def document_versions(self, kind: str, name: str) -> list[int]:
        """Numbers of the versions of a document, ascending; none of a name that no document can have."""
        if not DOCUMENT_NAME.fullmatch(name):
            return []
        return sorted(int(Path(path).stem) for path in self._list(f"registry/{kind}/{name}/"))

    @_guarded
    def document_names(self, kind: str) -> list[str]:
        """Names of all documents of a kind, sorted."""
        return sorted({path.split("/")[2] for path in self._list(f"registry/{kind}/")})

    # Below: the storage library

    def _list(self, prefix: str) -> Iterator[str]:
        for batch in obstore.list(self._backend, prefix=prefix):
            for meta in batch:
                yield meta["path"]

    def _exists(self, path: str) -> bool:
        try:
            obstore.head(self._backend, path)
        except (FileNotFoundError, MissingError):
            return False
        return True

    @_guarded
    def _create(self, path: str, value: dict[str, Any]) -> bool:
        try:
            obstore.put(self._backend, path, canonical_json(value), mode="create")
        except (FileExistsError, AlreadyExistsError):
            return False
        return True

    def _read_json(self, path: str) -> dict[str, Any] | None:
        try:
            return cast("dict[str, Any]", json.loads(self._read(path)))
        except NotFoundError:
            return None
        except ValueError:
            raise IntegrityError(f"the object {path} is no JSON; delete it and run again") from None

    @_guarded
    def _read(self, path: str) -> bytes:
        return obstore.get(self._backend, path).bytes().to_bytes()


def open_store(url: str) -> Store:
    """Open the store at a URL: `memory://`, `file:///folder` or a plain folder (made where it is missing).

    Raises:
        InputError: The URL's scheme is not known.
        DependencyError: The folder cannot be made or used.
    """
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return Store(MemoryStore())
    if parts.scheme not in ("", "file"):
        raise InputError(f"the store's scheme {parts.scheme!r} is not known; use a folder, file:// or memory://")
    root = Path(unquote(parts.path) if parts.scheme else url).expanduser().resolve()
    return _open_folder(root)


@_guarded
def _open_folder(root: Path) -> Store:
    root.mkdir(parents=True, exist_ok=True)
    return Store(LocalStore(root, mkdir=True), root)
