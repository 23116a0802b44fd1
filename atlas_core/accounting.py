"""How many bytes of a store which job, model or dataset needs, and whose they are; for quotas and retention.

Jobs share what they have in common, so a blob counts once for whoever needs it: an owner's bytes are those that would
go if nobody else needed any, and those of all owners together may be more than the store holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from atlas_core.gc import READERS, named_blobs
from atlas_core.owners import owners_of

if TYPE_CHECKING:
    from atlas_core.registry import Document
    from atlas_core.store import Store

OWNED = ("models", "datasets")


class Accounts:
    """What lies in a store, read once: every record, as a garbage collection reads them.

    Args:
        store: The store.

    Attributes:
        sizes: Bytes of every blob, by digest.
        jobs: The jobs that were not dropped, by id.
    """

    def __init__(self, store: Store) -> None:
        """Read the listings, records and documents."""
        self._store = store
        self.sizes = {blob.sha256: blob.size for blob in store.list_blobs()}
        infos = list(store.list_records())
        records = store.objects.many(lambda info: store.get_record(info.stage, info.key), infos, READERS)
        self._records = {
            info.key: set(record["blobs"].values())
            for info, record in zip(infos, records, strict=True)
            if record is not None
        }
        self.jobs = {job["id"]: job for job in store.get_documents("jobs") if not job.get("deleted")}
        self._plans: dict[str, set[str]] = {}

    def of_job(self, job_id: str) -> set[str]:
        """Digests of the blobs that a job's chunks have made, or that its plan names."""
        if job_id not in self._plans:
            plan = self._store.get_document("plans", job_id) or {"chunks": []}
            made = (self._records.get(chunk["key"], set()) for chunk in plan["chunks"])
            self._plans[job_id] = self.there(set().union(*made) | named_blobs({**plan, "chunks": []}))
        return self._plans[job_id]

    def of_document(self, document: Document) -> set[str]:
        """Digests of the blobs that a document of the registry names: a model's weights, a dataset's archive."""
        return self.there(named_blobs(document))

    def size(self, blobs: Iterable[str]) -> int:
        """Bytes of some blobs together."""
        return sum(self.sizes[sha256] for sha256 in set(blobs))

    def there(self, blobs: set[str]) -> set[str]:
        """Those of some blobs that the store has."""
        return blobs & self.sizes.keys()


def bytes_by_owner(store: Store, others: Mapping[str, Iterable[str]] | None = None) -> dict[str, int]:
    """Bytes of the blobs that each owner's jobs, models and datasets need.

    Args:
        store: The store.
        others: By owner, digests of blobs that count too where they are still there, such as fresh uploads.
    """
    accounts = Accounts(store)
    needed = {owner: accounts.there(set(blobs)) for owner, blobs in (others or {}).items()}
    for job in accounts.jobs.values():
        for owner in owners_of(job):
            needed.setdefault(owner, set()).update(accounts.of_job(job["id"]))
    for kind in OWNED:
        for document in store.get_documents(kind):
            for owner in owners_of(document):
                needed.setdefault(owner, set()).update(accounts.of_document(document))
    return {owner: accounts.size(blobs) for owner, blobs in sorted(needed.items())}
