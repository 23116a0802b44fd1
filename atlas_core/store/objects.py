"""Objects by path in an object storage, with retries, large ones in parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import obstore
from obstore.store import LocalStore, MemoryStore

from atlas_core.errors import ConflictError, DependencyError, NotFoundError
from atlas_core.store.backends import MIB, Backend
from atlas_core.store.failures import GONE, PRESENT, patiently

MOST_PARTS = 9_000  # of one object; S3 takes 10,000
PIECE = 8 * MIB
_A = TypeVar("_A")
_B = TypeVar("_B")


class ObjectInfo(NamedTuple):
    """An object as a listing tells it: its path, its length in bytes, when it was written, and a tag of its bytes."""

    path: str
    size: int
    modified: datetime
    tag: str


class Objects:
    """An object storage.

    Args:
        backend: Of obstore.
        retry_seconds: That transient failures are waited out, beyond what the backend itself does.
        part_bytes: Of a part of a large object.
        concurrency: Requests at a time for one large object, and for many small ones.
    """

    def __init__(
        self, backend: Backend, *, retry_seconds: float = 0, part_bytes: int = PIECE, concurrency: int = 4
    ) -> None:
        """Take the backend; nothing is asked yet."""
        self.backend = backend
        self.remote = not isinstance(backend, LocalStore | MemoryStore)
        self._retry_seconds = retry_seconds
        self._part_bytes = part_bytes
        self._concurrency = concurrency

    def once(self, operation: Callable[..., _A], /, *arguments: Any, **options: Any) -> _A:
        """Do one operation of the storage library, without retry."""
        return operation(self.backend, *arguments, **options)

    def _call(self, operation: Callable[..., _A], /, *arguments: Any, **options: Any) -> _A:
        return patiently(lambda: self.once(operation, *arguments, **options), self._retry_seconds)

    def read(self, path: str) -> bytes:
        """All bytes of an object.

        Raises:
            NotFoundError: It is not there.
            DependencyError: The storage cannot be used.
        """
        return self._call(_read, path)

    def pieces(self, path: str, size: int) -> Iterator[bytes]:
        """The bytes of an object in order, a few pieces in memory at a time; errors of `read`."""
        spans = [(first, min(PIECE, size - first)) for first in range(0, size, PIECE)]
        return self.many(lambda span: self._call(_read_range, path, *span), spans)

    def size(self, path: str) -> int | None:
        """Length of an object in bytes, None where it is not there."""
        try:
            return int(self._call(obstore.head, path)["size"])
        except NotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Write an object as a whole: until it is complete nobody sees it."""
        self._put(path, data, chunk_size=self._part_bytes, max_concurrency=self._concurrency)

    def write_file(self, path: str, file: Path) -> None:
        """Write a file as `write` does, in parts of which a few are in memory at a time."""
        part = max(self._part_bytes, -(-file.stat().st_size // MOST_PARTS))
        self._put(path, file, chunk_size=part, max_concurrency=self._concurrency)

    def create(self, path: str, data: bytes) -> bool:
        """Write an object that is not there yet; False where it is, unless with the very same bytes.

        The answer to a write that succeeded may be lost and the write repeated; it must not lose against itself.
        """
        try:
            self._put(path, data, mode="create")
        except PRESENT:
            return self.remote and self._is(path, data)
        return True

    def _is(self, path: str, data: bytes) -> bool:
        try:
            return self.read(path) == data
        except NotFoundError:
            return False

    def _put(self, path: str, data: bytes | Path, **options: Any) -> None:
        try:
            self._call(obstore.put, path, data, **options)
        except NotFoundError:  # that is the bucket
            raise DependencyError(GONE) from None

    def listed(self, prefix: str) -> Iterator[ObjectInfo]:
        """All objects below a prefix that ends with `/`, asked for page by page; a remote storage sorts them."""
        stream: Any = None
        last: str | None = None

        def page(backend: Backend) -> Sequence[Any] | None:
            nonlocal stream
            try:
                if stream is None:
                    stream = iter(obstore.list(backend, prefix=prefix, offset=last, chunk_size=1000))
                return cast("Sequence[Any] | None", next(stream, None))
            except BaseException:
                stream = None  # a broken one goes on behind the last object seen
                raise

        while (found := self._call(page)) is not None:
            for meta in found:
                last = str(meta["path"])
                tag = str(meta["e_tag"] or meta["version"] or meta["last_modified"])
                yield ObjectInfo(last, int(meta["size"]), meta["last_modified"], tag)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects in this order; those that are not there are as good as deleted."""
        for path in paths:
            try:
                self._call(obstore.delete, path)
            except NotFoundError:
                continue

    def signed(self, method: str, path: str, seconds: float) -> str:
        """A URL with which anybody can do one thing for a while.

        Raises:
            ConflictError: The storage cannot sign.
        """
        if not self.remote:
            raise ConflictError("this store cannot sign URLs; send the bytes to the service instead")
        return str(self._call(obstore.sign, method, path, timedelta(seconds=seconds)))

    def many(self, call: Callable[[_A], _B], values: Sequence[_A], concurrency: int | None = None) -> Iterator[_B]:
        """The results of a call for each of many values, in order, several at a time where each costs a journey."""
        width = concurrency or self._concurrency
        if not self.remote or len(values) < 2:
            yield from map(call, values)
            return
        waiting: deque[Future[_B]] = deque()
        with ThreadPoolExecutor(min(width, len(values)), thread_name_prefix="store") as pool:
            try:
                for value in values:
                    waiting.append(pool.submit(call, value))
                    if len(waiting) > width:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _read(backend: Backend, path: str) -> bytes:
    return obstore.get(backend, path).bytes().to_bytes()


def _read_range(backend: Backend, path: str, start: int, length: int) -> bytes:
    return obstore.get_range(backend, path, start=start, length=length).to_bytes()
