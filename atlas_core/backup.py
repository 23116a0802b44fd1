"""A store copied into another, or back: what is there already is left, and every blob is checked on its way.

All that must survive lies in the store, so that is the whole deployment. Nothing has to stand still: what documents
and records there are is noted first and written last, blobs come between, and a record is only ever written after its
blobs. So a copy that is broken off lacks things, but names none that it lacks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atlas_core.errors import ConflictError, IntegrityError, NotFoundError
from atlas_core.scratch import scratch

if TYPE_CHECKING:
    from atlas_core.store import Store
    from atlas_core.store.objects import ObjectInfo

WHOLE_BYTES = 16 << 20
"""Blobs up to this size are copied through memory."""
PARTS = ("registry/", "records/")


@dataclass
class Copied:
    """What a copy did: blobs and small objects written, those there already, those deleted, and bytes written."""

    blobs: int = 0
    objects: int = 0
    known: int = 0
    deleted: int = 0
    bytes: int = 0


def backup(
    source: Store, target: Store, on_progress: Callable[[int, int], None] = lambda done, total: None, *,
    prune: bool = False, verify: bool = False,
) -> Copied:  # fmt: skip
    """Bring a backup up to date.

    Args:
        source: The deployment's.
        target: Holds nothing, or an earlier backup.
        on_progress: Told of (done, total) objects.
        prune: Delete from the backup what the deployment has no longer.
        verify: Read again what the backup has already, and copy anew what is damaged.

    Raises:
        DependencyError: A store is down; the next run goes on.
    """
    small = {info.path: info for part in PARTS for info in source.objects.listed(part)}
    blobs = {f"blobs/{blob.sha256}": blob.size for blob in source.list_blobs()}
    known = {info.path: info.size for part in ("blobs/", *PARTS) for info in target.objects.listed(part)}
    copied, total = Copied(), len(small) + len(blobs)
    for done, (path, size) in enumerate(blobs.items()):
        on_progress(done, total)
        if known.get(path) == size and not (verify and _damaged(target, path)):
            copied.known += 1
        elif _copy_blob(source, target, path.removeprefix("blobs/"), size):
            copied.blobs += 1
            copied.bytes += size
    for done, info in enumerate(_in_order(small)):
        on_progress(len(blobs) + done, total)
        _copy_small(source, target, info, known, copied, verify=verify)
    if prune:
        gone = [path for path in sorted(known, reverse=True) if path not in small and path not in blobs]
        target.objects.delete(gone)  # documents and records before blobs
        copied.deleted = len(gone)
    on_progress(total, total)
    return copied


def restore(source: Store, target: Store, on_progress: Callable[[int, int], None] = lambda done, total: None) -> Copied:
    """Make a deployment's store out of a backup.

    Args:
        source: The backup.
        target: An empty store: later versions of its own documents would go before the backup's.
        on_progress: Told of (done, total) objects.

    Raises:
        ConflictError: The store has documents that the backup has not.
        IntegrityError: A blob of the backup is damaged; names it.
        DependencyError: A store is down; the next run goes on.
    """
    theirs = {info.path for info in source.objects.listed("registry/")}
    if not theirs:
        raise NotFoundError("there is no backup there: it holds no document; name the folder or URL of `atlas backup`")
    if any(info.path not in theirs for info in target.objects.listed("registry/")):
        raise ConflictError("the store holds documents that the backup does not; restore into an empty one")
    return backup(source, target, on_progress)


def _in_order(small: dict[str, ObjectInfo]) -> Iterator[ObjectInfo]:
    """Records before documents, which say that a job is done; versions of a document from the first."""
    for part in reversed(PARTS):
        yield from (small[path] for path in sorted(small) if path.startswith(part))


def _copy_blob(source: Store, target: Store, sha256: str, size: int) -> bool:
    """Copy a blob, its digest checked where it is read; False where it was deleted meanwhile."""
    try:
        if size <= WHOLE_BYTES:
            data = source.get_blob(sha256)
            target.objects.write(f"blobs/{sha256}", data)
            return True
        with source.open_blob(sha256) as opened, scratch() as folder:
            path = folder / sha256
            with path.open("wb") as file:
                shutil.copyfileobj(opened, file, 1 << 20)
            target.objects.write_file(f"blobs/{sha256}", path)
    except NotFoundError:
        return False
    return True


def _copy_small(
    source: Store, target: Store, info: ObjectInfo, known: dict[str, int], copied: Copied, *, verify: bool
) -> None:
    """Copy a record or a version of a document; one that was deleted meanwhile is left out."""
    if known.get(info.path) == info.size and not verify:
        copied.known += 1
        return
    try:
        data = source.objects.read(info.path)
    except NotFoundError:
        return
    if info.path in known and target.objects.read(info.path) == data:
        copied.known += 1
        return
    target.objects.write(info.path, data)
    copied.objects += 1
    copied.bytes += len(data)


def _damaged(target: Store, path: str) -> bool:
    try:
        target.open_blob(path.removeprefix("blobs/")).close()
    except (IntegrityError, NotFoundError):
        return True
    return False
