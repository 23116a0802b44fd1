"""Garbage collection: what nothing refers to any more is found by marking, and deleted.

Marked are the chunks of every atlas that was not dropped, the records of an anchor with them, the blobs that these
records name, and every blob that a document of the registry names. What is not marked is deleted at once where it
belonged to an atlas that was dropped, else when it is older than a grace: an upload not registered yet, or a chunk at
work, must not lose what it just wrote.

Records go before blobs, an atlas's manifest before all others, so that whatever is cut short leaves no record that
says more than the truth. Two guards hold off the races. Records are deleted a few at a time while jobs that get under
way wait before they ask what is done (`Ledger.deleting`). And records written while blobs were deleted are looked at
afterwards: one that names a deleted blob is deleted too, so that its chunk is done again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from atlas_core.plan import STAGES, dropped_stages
from atlas_core.registry import is_map

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from atlas_core.ledger import Ledger
    from atlas_core.registry import Document
    from atlas_core.store import Store
    from atlas_core.store.store import RecordInfo

SHA256 = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
AT_ONCE = 50
READERS = 16
BY_JOB = ("jobs", "plans")


@dataclass
class Swept:
    """What was deleted, or would be: numbers, and bytes of blobs and uploads."""

    records: int = 0
    blobs: int = 0
    uploads: int = 0
    documents: int = 0
    bytes: int = 0


@dataclass
class _Marks:
    """What the registry refers to.

    Attributes:
        jobs: Ids of the jobs looked at that are not dropped.
        live: Keys of chunks that some job needs.
        dropped: Keys of chunks of dropped jobs, and of samples that a finished job no longer needs.
        last: Of those, the keys of the dropped atlases' manifests.
        gone: Ids of the dropped jobs.
        blobs: Digests that their plans name.
    """

    jobs: set[str] = field(default_factory=set)
    live: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    last: set[str] = field(default_factory=set)
    gone: list[str] = field(default_factory=list)
    blobs: set[str] = field(default_factory=set)


def collect_garbage(store: Store, ledger: Ledger | None, *, grace: timedelta, dry_run: bool = False) -> Swept:
    """Delete what nothing refers to.

    Args:
        store: The store.
        ledger: Of the jobs that may be under way; None where none can be.
        grace: Age that something nobody refers to must have, unless it belonged to a dropped atlas.
        dry_run: Only count.

    Raises:
        DependencyError: Redis or the store is down; the next run goes on.
    """
    sweep = _Sweep(store, ledger, datetime.now(UTC) - grace, dry_run)
    sweep.records(_mark(store))
    sweep.blobs()
    sweep.uploads()
    sweep.documents()
    return sweep.swept


def drop_samples(job_id: str, store: Store, ledger: Ledger | None) -> Swept:
    """Delete the previews of a finished atlas, and the attributions of its samples unless it is to keep them.

    Those that an unfinished atlas, or one that keeps its samples, has in common with it stay.

    Args:
        job_id: The atlas's job.
        store: The store.
        ledger: Of the jobs that may be under way; None where none can be.
    """
    sweep = _Sweep(store, ledger, datetime.min.replace(tzinfo=UTC), dry_run=False)
    job = store.get_document("jobs", job_id)
    stages = () if job is None else _spent(job)
    if job is not None and stages:
        marks = _mark(store, model=job["spec"]["model"])
        marks.dropped &= {chunk["key"] for chunk in _chunks(store, job_id) if chunk["stage"] in stages}
        sweep.records(marks, stages)
        sweep.blobs(stages)
    return sweep.swept


def _spent(job: Document) -> tuple[str, ...]:
    """The stages whose chunks' work a job has no use for any more.

    What is asked of an atlas has none at any time but where it makes a map itself: the atlas keeps it until it has
    succeeded, and from then on it has told the classes. An audit under way holds what its baseline's atlas is made of.
    """
    auditing = job["kind"] == "audit" and job["state"] in ("queued", "running")
    spent = job["state"] == "succeeded" or not (is_map(job) or auditing)
    return dropped_stages(job["spec"].get("keep", "atlas")) if spent else ()


def _chunks(store: Store, job_id: str) -> list[dict[str, Any]]:
    found = store.get_document("plans", job_id)
    return [] if found is None else list(found["chunks"])


def _mark(store: Store, model: str | None = None) -> _Marks:
    """Mark what jobs refer to; with `model` only jobs of that one, which alone can share samples."""
    marks = _Marks()
    for job in store.get_documents("jobs"):
        if not job.get("deleted"):
            marks.jobs.add(job["id"])
        if model is not None and job["spec"].get("model") != model:
            continue
        plan = store.get_document("plans", job["id"])
        if job.get("deleted"):
            marks.gone.append(job["id"])
        if plan is None:
            continue
        keys = {chunk["key"] for chunk in plan["chunks"]}
        if job.get("deleted"):
            marks.dropped |= keys
            marks.last.add(plan["chunks"][-1]["key"])
            continue
        spent = {chunk["key"] for chunk in plan["chunks"] if chunk["stage"] in _spent(job)}
        marks.dropped |= spent
        keys -= spent
        marks.live |= keys | set(_anchored(plan))
        if (job["kind"], job["state"]) == ("projections", "succeeded"):
            plan["request"] = None  # the images of a batch that is answered are of no use any more
        marks.blobs |= named_blobs({**plan, "chunks": []})
    marks.dropped -= marks.live
    return marks


def _anchored(plan: Document) -> Iterator[str]:
    """Keys of the anchor's chunks that an atlas's own are made against."""
    anchor = plan.get("anchor")
    if anchor is not None:
        yield from anchor["collected"]
        for layer in anchor["layers"].values():
            yield from (layer["neighbours"], layer["layout"])


def named_blobs(value: Any) -> set[str]:
    """Whatever may be the digest of a blob in a document."""
    return set(SHA256.findall(json.dumps(value)))


class _Sweep:
    """One run.

    Args:
        store: The store.
        ledger: As above.
        before: What nobody refers to must be older than this.
        dry_run: Only count.
    """

    def __init__(self, store: Store, ledger: Ledger | None, before: datetime, dry_run: bool) -> None:
        self.store, self.ledger, self.before, self.dry_run = store, ledger, before, dry_run
        self.swept = Swept()
        self._marks = _Marks()
        self._dead: set[str] = set()  # records
        self._orphans: set[str] = set()  # blobs that records deleted here had named

    def records(self, marks: _Marks, stages: Sequence[str] = STAGES) -> None:
        """Delete records of chunks that no job needs."""
        self._marks = marks
        unused = [info for info in self._listed(stages) if info.key not in marks.live]
        dead = [info for info in unused if info.key in marks.dropped or info.last_modified <= self.before]
        order = {stage: place for place, stage in enumerate(reversed(STAGES))}
        dead.sort(key=lambda info: info.last_modified, reverse=True)
        dead.sort(key=lambda info: (info.key not in marks.last, order.get(info.stage, -1)))
        for first in range(0, len(dead), AT_ONCE):
            self._delete_records(dead[first : first + AT_ONCE])

    def _delete_records(self, batch: Sequence[RecordInfo]) -> None:
        guard: AbstractContextManager[set[str]] = nullcontext(set())
        if self.ledger is not None and not self.dry_run:
            guard = self.ledger.deleting()
        with guard as under_way:
            if under_way - self._marks.jobs:
                self._marks = _mark(self.store)
            dead = [info for info in batch if info.key not in self._marks.live]
            for record in self._read(dead):
                self._orphans.update(record["blobs"].values())
            for info in [] if self.dry_run else dead:
                self.store.delete_record(info.stage, info.key)
            self._dead.update(info.key for info in dead)
            self.swept.records += len(dead)
            if self.ledger is not None and not self.dry_run:
                self.ledger.reopen([info.key for info in dead])

    def blobs(self, stages: Sequence[str] | None = None) -> None:
        """Delete blobs that no record and no document names; with `stages`, only those that records had named.

        Args:
            stages: Of the only records that can name any of these; so no other's blobs may have the same bytes.
        """
        left = [info for info in self._listed(stages) if info.key not in self._dead]
        live = {sha256 for record in self._read(left) for sha256 in record["blobs"].values()} | self._marks.blobs
        live |= self._documented()
        deleted = set()
        for sha256, size in self._unnamed(live, every=stages is None):
            self.swept.blobs += 1
            self.swept.bytes += size
            if not self.dry_run:
                self.store.delete_blob(sha256)
                deleted.add(sha256)
        if deleted:
            self._look_after({info.key for info in left}, deleted, stages)

    def _unnamed(self, live: set[str], *, every: bool) -> Iterator[tuple[str, int]]:
        """Blobs to delete, with their sizes: those that deleted records had named, and with `every` all old ones."""
        if not every:
            sizes = ((sha256, self.store.blob_size(sha256)) for sha256 in sorted(self._orphans - live))
            yield from ((sha256, size) for sha256, size in sizes if size is not None)
            return
        for blob in self.store.list_blobs():
            if blob.sha256 not in live and (blob.sha256 in self._orphans or blob.last_modified <= self.before):
                yield blob.sha256, blob.size

    def _look_after(self, known: set[str], deleted: set[str], stages: Sequence[str] | None) -> None:
        """Undo chunks that finished meanwhile and found a blob of theirs stored just before it was deleted."""
        new = [info for info in self._listed(stages) if info.key not in known]
        for info, record in zip(new, self._read(new, every=True), strict=True):
            if any(self.store.blob_size(sha256) is None for sha256 in deleted & set(record["blobs"].values())):
                self.store.delete_record(info.stage, info.key)
                if self.ledger is not None:
                    self.ledger.reopen([info.key])

    def _documented(self) -> set[str]:
        found = set()
        for kind in self.store.document_kinds():
            if kind not in BY_JOB:
                found |= named_blobs(self.store.get_documents(kind))
        return found

    def uploads(self) -> None:
        """Delete what was given up on its way to become a blob."""
        for upload in self.store.uploads.everything():
            if upload.last_modified <= self.before:
                self.swept.uploads += 1
                self.swept.bytes += upload.size
                if not self.dry_run:
                    self.store.uploads.delete(upload.path)

    def documents(self) -> None:
        """Delete the documents of dropped jobs, and all but the newest plan of the others."""
        for name in self._marks.gone:
            self.swept.documents += 1
            if self.dry_run:
                continue
            with self.ledger.lock(name) if self.ledger is not None else nullcontext():
                if (self.store.get_document("jobs", name) or {}).get("deleted"):  # not asked for again meanwhile
                    self.store.delete_document("plans", name)
                    self.store.delete_document("jobs", name)
        for name in self._marks.jobs:
            older = len(self.store.document_versions("plans", name)) - 1
            self.swept.documents += max(0, older)
            if older > 0 and not self.dry_run:
                self.store.trim_document("plans", name)

    def _listed(self, stages: Sequence[str] | None) -> list[RecordInfo]:
        return [info for info in self.store.list_records() if stages is None or info.stage in stages]

    def _read(self, infos: Sequence[RecordInfo], *, every: bool = False) -> Iterator[dict[str, Any]]:
        """Records; one that is gone since it was listed is left out, or with `every` names no blob."""
        found = self.store.objects.many(lambda info: self.store.get_record(info.stage, info.key), infos, READERS)
        for record in found:
            if record is not None:
                yield record
            elif every:
                yield {"blobs": {}}
