"""Where everything that must survive is kept: blobs, records and registry documents.

Four kinds of objects, all write-once:

- `blobs/SHA256`: bytes; the digest is checked on every read.
- `records/STAGE/KEY.json`: written last with `create`, naming the blobs of a finished chunk.
- `registry/KIND/ID/NNNNNN.json`: versions of a document; the newest counts.
- `uploads/SHA256/…`: what is on its way to become a blob (`uploads`).
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NamedTuple, cast
from urllib.parse import urlsplit

from atlas_core import schema
from atlas_core.cards import file_sha256
from atlas_core.errors import DependencyError, InputError, IntegrityError, NotFoundError
from atlas_core.keys import canonical_json
from atlas_core.owners import EVERYBODY
from atlas_core.store.backends import StoreSettings, local_folder, open_backend
from atlas_core.store.cache import BlobCache, mismatch
from atlas_core.store.failures import GONE
from atlas_core.store.objects import ObjectInfo, Objects
from atlas_core.store.uploads import Uploads

DOCUMENT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
DOCUMENT_CACHE_BYTES = 64 << 20
SMALL_REQUESTS = 16  # at a time
WORTH_LISTING, LISTED_PER_ASKED = 32, 30  # a page of a listing tells of 1,000 objects, for the price of a few questions


class BlobInfo(NamedTuple):
    """A stored blob: its SHA-256 in hex, its length in bytes, when it was written."""

    sha256: str
    size: int
    last_modified: datetime


class RecordInfo(NamedTuple):
    """A stored record: the chunk's stage and key, and when it was written."""

    stage: str
    key: str
    last_modified: datetime


class _Documents:
    """The newest versions of documents that were read, by path and tag."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> bytes | None:
        with self._lock:
            return self._kept.get(key)

    def keep(self, key: tuple[str, str], data: bytes) -> None:
        with self._lock:
            if key not in self._kept:
                self._bytes += len(data)
            self._kept[key] = data
            while self._bytes > DOCUMENT_CACHE_BYTES:
                self._bytes -= len(self._kept.popitem(last=False)[1])


class Store:
    """Blobs, records and documents over any object storage.

    Args:
        objects: The object storage.
        root: The folder of a local store, where blobs can be opened as files.
        cache: Where a remote store's blobs are opened; in memory without one.
        probe: The same storage without retries, to ask whether it answers.
        public: The same storage as the clients reach it, to sign URLs; `objects` by default.

    Attributes:
        objects: The object storage.
        uploads: What is on its way to become a blob.
        owner: In whose name it is read, see `OwnersStore`; everybody's.
    """

    owner: str = EVERYBODY

    def __init__(
        self,
        objects: Objects,
        root: Path | None = None,
        *,
        cache: BlobCache | None = None,
        probe: Objects | None = None,
        public: Objects | None = None,
    ) -> None:
        """Take the storage; `open_store` makes one from a URL."""
        self.objects = objects
        self._root = root
        self._cache = cache
        self._probe = probe or objects
        self._verified: set[str] = set()
        self._documents = _Documents()
        self.uploads = Uploads(objects, public or objects)

    @property
    def whole(self) -> Store:
        """The store with the documents of all owners."""
        return self

    def ping(self) -> None:
        """Raise DependencyError unless the store answers."""
        if self._root is not None and not self._root.is_dir():
            raise DependencyError(GONE)
        try:
            next(self._probe.listed("registry/"), None)
        except NotFoundError:
            raise DependencyError(GONE) from None

    # Blobs

    def put_blob(self, data: bytes) -> str:
        """Store bytes; returns their SHA-256 in hex."""
        sha256 = hashlib.sha256(data).hexdigest()
        if self.blob_size(sha256) != len(data):
            self.objects.write(f"blobs/{sha256}", data)
        return sha256

    def put_blob_file(self, path: Path) -> str:
        """Store a file, read in pieces; returns its SHA-256 in hex."""
        sha256 = file_sha256(path)
        if self.blob_size(sha256) != path.stat().st_size:
            self.objects.write_file(f"blobs/{sha256}", path)
        return sha256

    def blob_size(self, sha256: str) -> int | None:
        """Size of a blob in bytes, None where it is not stored."""
        return self.objects.size(f"blobs/{sha256}")

    def get_blob(self, sha256: str) -> bytes:
        """Read a blob.

        Raises:
            NotFoundError: It is not stored.
            IntegrityError: The stored bytes do not match the digest.
        """
        data = self.objects.read(f"blobs/{sha256}")
        if hashlib.sha256(data).hexdigest() != sha256:
            raise mismatch(sha256)
        return data

    def open_blob(self, sha256: str) -> BinaryIO:
        """Open a blob for random reading; it is not loaded into memory, a remote one comes through the cache.

        Raises:
            NotFoundError: It is not stored.
            IntegrityError: The stored bytes do not match the digest.
        """
        if self._root is not None:
            return self._open_local(self._root / "blobs" / sha256)
        if self._cache is None:
            return io.BytesIO(self.get_blob(sha256))
        size = self.blob_size(sha256)
        if size is None:
            raise NotFoundError("the object is not in the store")
        return self._cache.open(sha256, size, lambda: self.objects.pieces(f"blobs/{sha256}", size))

    def _open_local(self, path: Path) -> BinaryIO:
        try:
            if path.name not in self._verified:
                if file_sha256(path) != path.name:
                    raise mismatch(path.name)
                self._verified.add(path.name)
            return path.open("rb")
        except FileNotFoundError:
            raise NotFoundError("the object is not in the store") from None
        except OSError as error:
            raise DependencyError(f"the store cannot be read ({error.strerror}); check its folder") from None

    def delete_blob(self, sha256: str) -> None:
        """Delete a blob, where it is stored."""
        self.objects.delete([f"blobs/{sha256}"])
        self._verified.discard(sha256)
        if self._cache is not None:
            self._cache.drop(sha256)

    def list_blobs(self) -> Iterator[BlobInfo]:
        """All blobs, as they are found."""
        for info in self.objects.listed("blobs/"):
            yield BlobInfo(info.path.rpartition("/")[2], info.size, info.modified)

    # Records

    def put_record(self, stage: str, key: str, value: dict[str, Any]) -> None:
        """Write a chunk's record; a record that exists already stays as it is."""
        self.objects.create(_record(stage, key), canonical_json(value))

    def get_record(self, stage: str, key: str) -> dict[str, Any] | None:
        """Read a chunk's record, None where the chunk is not done."""
        return self._read_json(_record(stage, key))

    def has_record(self, stage: str, key: str) -> bool:
        """Whether a chunk is done."""
        return self.objects.size(_record(stage, key)) is not None

    def have_records(self, chunks: Sequence[tuple[str, str]]) -> list[bool]:
        """Which of many chunks, by stage and key, are done: by a listing where it is short, else one by one."""
        known: dict[str, set[str]] = {}
        for stage, count in Counter(stage for stage, _ in chunks).items():
            if count >= WORTH_LISTING and (keys := self._record_keys(stage, LISTED_PER_ASKED * count)) is not None:
                known[stage] = keys
        asked = [chunk for chunk in chunks if chunk[0] not in known]
        answers = dict(zip(asked, self.objects.many(lambda one: self.has_record(*one), asked, SMALL_REQUESTS),
                           strict=True))  # fmt: skip
        return [key in known[stage] if stage in known else answers[stage, key] for stage, key in chunks]

    def _record_keys(self, stage: str, most: int) -> set[str] | None:
        """Keys of all records of a stage, None where there are more than so many."""
        found = list(islice(self.objects.listed(f"records/{stage}/"), most + 1))
        return None if len(found) > most else {PurePosixPath(info.path).stem for info in found}

    def delete_record(self, stage: str, key: str) -> None:
        """Delete a chunk's record, where there is one: the chunk is to be made again."""
        self.objects.delete([_record(stage, key)])

    def list_records(self) -> Iterator[RecordInfo]:
        """All records, as they are found."""
        for info in self.objects.listed("records/"):
            path = PurePosixPath(info.path)
            yield RecordInfo(path.parent.name, path.stem, info.modified)

    # Documents of the registry

    def append_document(self, kind: str, name: str, value: dict[str, Any]) -> int:
        """Write the next version of a document; returns its number, from 0.

        Raises:
            InputError: The name holds more than letters, digits, `_` and `-`, or is longer than 64.
        """
        versions = self.document_versions(kind, name)
        number = versions[-1] + 1 if versions else 0
        while not self.create_version(kind, name, number, value):
            number += 1
        return number

    def create_version(self, kind: str, name: str, number: int, value: dict[str, Any]) -> bool:
        """Write a version of a document unless there is one of that number; returns whether it was written.

        Raises:
            InputError: As `append_document`.
        """
        if not DOCUMENT_NAME.fullmatch(name):
            raise InputError(f"{name!r} can be no name of a document: letters, digits, _ and -, at most 64")
        return self.objects.create(_document(kind, name, number), canonical_json(schema.marked(value)))

    def get_version(self, kind: str, name: str, number: int) -> dict[str, Any] | None:
        """Read one version of a document, None where there is none of that number."""
        stored = self._read_json(_document(kind, name, number))
        return None if stored is None else schema.current(kind, stored)

    def get_document(self, kind: str, name: str) -> dict[str, Any] | None:
        """Read the newest version of a document, None where there is none."""
        newest = max(self._versions(kind, name), default=None)
        return None if newest is None else self._version(newest)

    def get_documents(self, kind: str) -> list[dict[str, Any]]:
        """Read the newest versions of all documents of a kind, sorted by name: one listing, and what is new."""
        newest: dict[str, ObjectInfo] = {}
        for info in self.objects.listed(f"registry/{kind}/"):
            name = info.path.split("/")[2]
            newest[name] = max(info, newest.get(name, info))
        found = self.objects.many(self._version, [newest[name] for name in sorted(newest)], SMALL_REQUESTS)
        return [value for value in found if value is not None]

    def document_versions(self, kind: str, name: str) -> list[int]:
        """Numbers of the versions of a document, ascending; none of a name that no document can have."""
        return sorted(int(PurePosixPath(info.path).stem) for info in self._versions(kind, name))

    def document_names(self, kind: str) -> list[str]:
        """Names of all documents of a kind, sorted."""
        return sorted({info.path.split("/")[2] for info in self.objects.listed(f"registry/{kind}/")})

    def document_kinds(self) -> list[str]:
        """Kinds of documents there are, sorted."""
        return sorted({info.path.split("/")[1] for info in self.objects.listed("registry/")})

    def upgrade_documents(self, *, dry_run: bool = False, leave_out: Sequence[str] = ()) -> int:
        """Write anew the documents of earlier versions; returns how many there were.

        Args:
            dry_run: Only count.
            leave_out: Kinds that are not looked at.

        Raises:
            VersionError: A later version wrote one.
        """
        upgraded = 0
        for kind in (kind for kind in self.document_kinds() if kind not in leave_out):
            for name in self.document_names(kind):
                newest = max(self._versions(kind, name), default=None)
                stored = None if newest is None else self._read_json(newest.path)
                if stored is None:  # deleted meanwhile
                    continue
                value = schema.current(kind, stored)
                if schema.version_of(stored) < schema.SCHEMA:
                    upgraded += 1
                    if not dry_run:
                        self.append_document(kind, name, value)
        return upgraded

    def trim_document(self, kind: str, name: str) -> None:
        """Delete all versions of a document but the newest."""
        self.objects.delete(sorted(info.path for info in self._versions(kind, name))[:-1])

    def delete_document(self, kind: str, name: str) -> None:
        """Delete all versions of a document, the newest last: what is left of a broken-off deletion is the newest."""
        self.objects.delete(sorted(info.path for info in self._versions(kind, name)))

    def _versions(self, kind: str, name: str) -> list[ObjectInfo]:
        if not DOCUMENT_NAME.fullmatch(name):
            return []
        return list(self.objects.listed(f"registry/{kind}/{name}/"))

    def _version(self, info: ObjectInfo) -> dict[str, Any] | None:
        """A version of a document, kept by the tag of its bytes: a deleted one may come again with others."""
        key = (info.path, info.tag)
        data = self._documents.get(key)
        if data is None:
            try:
                data = self.objects.read(info.path)
            except NotFoundError:  # deleted since it was listed
                return None
            self._documents.keep(key, data)
        return schema.current(info.path.split("/")[1], _parsed(info.path, data))

    def _read_json(self, path: str) -> dict[str, Any] | None:
        try:
            return _parsed(path, self.objects.read(path))
        except NotFoundError:
            return None


def _record(stage: str, key: str) -> str:
    return f"records/{stage}/{key}.json"


def _document(kind: str, name: str, number: int) -> str:
    return f"registry/{kind}/{name}/{number:06d}.json"


def _parsed(path: str, data: bytes) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(data))
    except ValueError:
        raise IntegrityError(f"the object {path} is no JSON; delete it and run again") from None


def open_store(url: str, settings: StoreSettings | None = None) -> Store:
    """Open the store at a URL as `open_backend` takes it; a folder is made where it is missing.

    Args:
        url: Where it is.
        settings: From the environment (`ATLAS_STORE_…`) by default.

    Raises:
        InputError: The URL cannot name a store.
        DependencyError: The folder cannot be made or used.
    """
    settings = settings or StoreSettings()
    objects = Objects(open_backend(url, settings, create=True), retry_seconds=settings.retry_seconds,
                      part_bytes=settings.part_bytes, concurrency=settings.concurrency)  # fmt: skip
    if not objects.remote:
        return Store(objects, None if urlsplit(url).scheme == "memory" else local_folder(url))
    quick = settings.model_copy(update={"retry_seconds": 0, "timeout_seconds": min(5.0, settings.timeout_seconds)})
    public = settings.model_copy(update={"endpoint": settings.public_endpoint or settings.endpoint})
    return Store(
        objects,
        cache=BlobCache(settings.cache_folder, settings.cache_bytes),
        probe=Objects(open_backend(url, quick)),
        public=Objects(open_backend(url, public)),
    )
