"""Which jobs are dropped by themselves: the old ones, and the oldest of those that take too much room.

What an alias names is pinned: it stays, and so does what it is made of or asked of. A job that is not done stays, and
so does one of which something younger was asked. What is dropped is deleted by the garbage collection that follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from atlas_core import aliases, registry
from atlas_core.accounting import Accounts
from atlas_core.advance import TERMINAL, drop_job

if TYPE_CHECKING:
    from atlas_core.ledger import Ledger
    from atlas_core.registry import Document
    from atlas_core.store import Store


def expire(
    store: Store, ledger: Ledger | None, *, days: float | None = None, most_bytes: int | None = None,
    dry_run: bool = False,
) -> list[str]:  # fmt: skip
    """Drop jobs by age and size.

    Args:
        store: The store.
        ledger: Holds the locks under which jobs are named and dropped; None where nothing runs.
        days: Since a job ended, after which it is dropped; None for never.
        most_bytes: That the blobs of all jobs may take; beyond, the job that ended first is dropped first.
        dry_run: Only tell.

    Returns:
        Ids of the jobs that were dropped, or would be, in order.

    Raises:
        DependencyError: Redis or the store is down; the next run goes on.
    """
    if days is None and most_bytes is None:
        return []
    jobs = {job["id"]: job for job in registry.documents(store, "jobs") if not job.get("deleted")}
    droppable = _droppable(store, jobs)
    ended, now = _ended(jobs), datetime.now(UTC)
    dropped = [name for name in droppable if days is not None and ended[name] < now - timedelta(days=days)]
    if most_bytes is not None:
        dropped += _too_much(store, [name for name in droppable if name not in dropped], most_bytes, set(dropped))
    return dropped if dry_run else [name for name in dropped if _drop(store, ledger, name)]


def _drop(store: Store, ledger: Ledger | None, name: str) -> bool:
    """Drop a job that has ended, unless it was given a name or asked for again meanwhile."""
    with ledger.lock(aliases.lock_of("atlas", name)) if ledger is not None else nullcontext():
        job = store.get_document("jobs", name)
        if job is None or job["state"] not in TERMINAL or name in {alias["id"] for alias in aliases.listed(store)}:
            return False
        drop_job(name, store, ledger)
    return True


def _droppable(store: Store, jobs: dict[str, Document]) -> list[str]:
    """Ids of the jobs that nothing holds, what ended first first, and each before what it is asked of."""
    held: set[str] = set()
    pinned = {alias["id"] for alias in aliases.listed(store)}
    for name, job in jobs.items():
        if name in pinned or job["state"] not in TERMINAL:
            held.update(_with_ground(name, jobs))
    depth = {name: len(list(_with_ground(name, jobs))) for name in jobs}
    ended = _ended(jobs)
    return sorted(jobs.keys() - held, key=lambda name: (ended[name], -depth[name], name))


def _with_ground(name: str, jobs: dict[str, Document]) -> Iterator[str]:
    """A job and what it is asked of or anchored on, upwards."""
    waiting, seen = [name], set()
    while waiting:
        name = waiting.pop()
        job = jobs.get(name)
        if job is None or name in seen:
            continue
        seen.add(name)
        yield name
        waiting += [above for above in (job.get("atlas"), job["spec"].get("anchor")) if above]


def _ended(jobs: dict[str, Document]) -> dict[str, datetime]:
    """When each job and all that was asked of it had ended."""
    ended: dict[str, datetime] = {}
    for job in jobs.values():
        when = datetime.fromisoformat(job["finished"] or job["created"])
        for name in _with_ground(job["id"], jobs):
            ended[name] = max(when, ended.get(name, when))
    return ended


def _too_much(store: Store, names: list[str], most_bytes: int, gone: set[str]) -> list[str]:
    """The first of these jobs, as many as it takes until all others' blobs have room."""
    accounts = Accounts(store)
    uses: dict[str, int] = {}
    for job_id in accounts.jobs.keys() - gone:
        for sha256 in accounts.of_job(job_id):
            uses[sha256] = uses.get(sha256, 0) + 1
    total, dropped = accounts.size(uses), []
    for name in names:
        if total <= most_bytes:
            break
        dropped.append(name)
        for sha256 in accounts.of_job(name):
            uses[sha256] -= 1
            total -= 0 if uses[sha256] else accounts.sizes[sha256]
    return dropped
