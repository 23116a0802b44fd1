"""What to do next: reads a job's plan and the ledger, and enqueues the chunks that are ready.

Runs after every chunk and from the workers' periodic sweep. Both the API and the workers pass their own `enqueue`,
so nothing here knows the queue.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from atlas_core import deliveries, origin, rates, registry, tours
from atlas_core.errors import AtlasError, DependencyError
from atlas_core.frontier import Frontier
from atlas_core.owners import EVERYBODY
from atlas_core.plan import dropped_stages

if TYPE_CHECKING:
    from atlas_core.chunk_ledger import Error
    from atlas_core.ledger import Ledger
    from atlas_core.plan import Chunk, Plan
    from atlas_core.registry import Document
    from atlas_core.store import Store

log = logging.getLogger(__name__)
Enqueue = Callable[[str, list[str], str], None]
"""Called with a task's name, its arguments and its queue."""

RUN_CHUNK = "workers.tasks.run_chunk"
PROJECT = "workers.tasks.project"
COLLECT_GARBAGE = "workers.tasks.collect_garbage"
DROP_SAMPLES = "workers.tasks.drop_samples"
INTERACTIVE, CPU, GPU = "interactive", "cpu", "gpu"
QUEUES = (INTERACTIVE, CPU, GPU)
STAGE_QUEUES = {
    "collect": GPU, "attribute": GPU, "layout": CPU, "cells": CPU, "preview": GPU, "render": GPU, "publish": CPU,
}  # fmt: skip
TERMINAL = ("succeeded", "failed", "cancelled")
SPARE = 2
"""Chunks of a job that wait in a queue beyond those its workers run: enough to keep them busy, few enough that a
chunk that becomes ready later and matters more does not wait long."""
GARBAGE_LOST_SECONDS = 600.0
"""After which a garbage collection that was asked for and has not begun counts as lost."""


def advance(
    job_id: str, store: Store, ledger: Ledger, enqueue: Enqueue, *, finished: str | None = None, full: bool = False
) -> Document:
    """Enqueue what is ready of a job, or end it.

    Only chunks at the edge of what is known to be done are asked for, so it costs the same however long the plan is.

    Args:
        job_id: The job.
        store: Asked once a chunk, when the ledger knows nothing of the job; else only for the job's document.
        ledger: What is queued, leased, done and failed.
        enqueue: Puts a task on a queue.
        finished: A chunk whose lease just ended, to be looked at in any case.
        full: Look at every chunk, whatever this process believes to know.

    Returns:
        The job's document.

    Raises:
        NotFoundError: There is no such job.
        DependencyError: Redis or the store is down.
    """
    job = registry.document(store, "jobs", job_id)
    if job["state"] in TERMINAL:
        ledger.forget(job_id)
        return job
    plan = plan_of_attempt(store, job_id, job["attempt"])
    ledger.activate(job_id)
    token = ledger.primed(job_id)
    if not token:
        ledger.undisturbed()
        done = recorded(plan, store)
        ledger.mark_done(done)
        ledger.meters.count("atlas_cache_total", "chunks", "hit", by=len(done))
        token = ledger.set_primed(job_id, job["kind"])
    frontier = frontier_of(store, ledger, job_id, job["attempt"], token)
    with frontier.lock:
        room = _room(ledger)
        failed = _look(plan, frontier, room, ledger, finished, full=full)
        ended, ready = plan.chunks[-1].key in frontier.done, frontier.ready(room)
    if ended:
        return _succeed(plan, store, ledger, enqueue)
    if failed is not None:
        return _fail(plan.by_key[failed], job_id, ledger.states([failed])[0].error, store, ledger)
    for key in ledger.queue(ready):
        enqueue(RUN_CHUNK, [job_id, key], STAGE_QUEUES[plan.by_key[key].stage])
    return job


def _look(
    plan: Plan, frontier: Frontier, room: Counter[str], ledger: Ledger, finished: str | None, *, full: bool
) -> str | None:
    """Learn what else is done, and tell of it; returns a chunk that is parked, where there is one."""
    looked: set[str] = set()
    failed: str | None = None
    window = room
    keys = [] if finished is None else [finished]
    if full or not frontier.asked:
        frontier.restart()
        frontier.asked = True
        keys = list(plan.by_key)
    while True:
        keys += [key for key in frontier.ready(window) if key not in looked and key not in keys]
        if not keys:
            return failed
        states = dict(zip(keys, ledger.overview(keys)[0], strict=True))
        looked.update(keys)
        failed = failed or next((key for key, state in states.items() if state == "failed"), None)
        new = frontier.finish(key for key, state in states.items() if state == "done")
        ledger.events.done(plan, new)
        if len(new) == len(keys):  # there may be more, and a window at a time would take long
            window = Counter({queue: 2 * size for queue, size in window.items()})
        keys = []


@lru_cache(maxsize=8)
def frontier_of(store: Store, ledger: Ledger, job_id: str, attempt: int, token: str) -> Frontier:
    """What this process knows to be done of a job, since the store was asked for it the last time (`token`)."""
    del ledger, token
    return Frontier(plan_of_attempt(store, job_id, attempt), STAGE_QUEUES.__getitem__)


@lru_cache(maxsize=8)
def plan_of_attempt(store: Store, job_id: str, attempt: int) -> Plan:
    """The plan of a job, read once an attempt."""
    del attempt
    return registry.plan_of(store, job_id)


def recorded(plan: Plan, store: Store) -> list[str]:
    """Keys of the chunks that the store has records of; a published atlas is not asked chunk by chunk."""
    last = plan.chunks[-1]
    if store.has_record(last.stage, last.key):
        return [chunk.key for chunk in plan.chunks]
    found = store.have_records([(chunk.stage, chunk.key) for chunk in plan.chunks])
    return [chunk.key for chunk, there in zip(plan.chunks, found, strict=True) if there]


def _room(ledger: Ledger) -> Counter[str]:
    """How many chunks of a job each queue has room for: those that run, and a few to spare."""
    room = Counter(dict.fromkeys(QUEUES, SPARE))
    for worker in ledger.workers():
        for queue in worker.queues:
            room[queue] += worker.processes
    return room


def _succeed(plan: Plan, store: Store, ledger: Ledger, enqueue: Enqueue) -> Document:
    last = plan.chunks[-1]
    record = store.get_record(last.stage, last.key)
    if record is None:  # gone since it was written: then it is written again
        repair(plan.id, [last.key], ledger)
        return advance(plan.id, store, ledger, enqueue)
    try:
        with ledger.lock(rates.KIND):
            rates.learn(plan, store)
    except AtlasError as error:
        log.warning("what %s took is not learned from: %s", plan.id, error.detail)
    job = end_job(plan.id, store, ledger, state="succeeded", digest=record["info"]["digest"])
    dropped = dropped_stages(plan.spec.keep) if registry.is_map(job) else ()
    if any(chunk.stage in dropped for chunk in plan.chunks):
        with suppress(DependencyError):  # the next garbage collection finds them
            enqueue(DROP_SAMPLES, [plan.id], CPU)
    return job


def _fail(chunk: Chunk, job_id: str, error: Error | None, store: Store, ledger: Ledger) -> Document:
    told = {**(error or {}), "chunk": f"{chunk.stage} {chunk.key[:12]}"}
    return end_job(job_id, store, ledger, state="failed", error=told)


def end_job(job_id: str, store: Store, ledger: Ledger, **changes: Any) -> Document:
    """End a job that has not ended yet.

    Args:
        job_id: The job.
        store: Holds its document.
        ledger: Takes it off the list of those under way.
        **changes: Its last state, and what belongs to it.
    """
    with ledger.lock(job_id):
        job = registry.document(store, "jobs", job_id)
        if job["state"] not in TERMINAL:
            started = job["started"] or registry.now()
            changes |= {"started": started, "finished": registry.now(), "announced": False}
            job = registry.update(store, "jobs", job_id, **changes)
            ledger.events.state(job)
            _count_end(job, ledger)
            with suppress(DependencyError):  # the sweep sees to it
                deliveries.announce(job_id, store, ledger)
    if job["state"] == "cancelled":
        ledger.cancel(job_id)
    ledger.forget(job_id)
    return job


def _count_end(job: Document, ledger: Ledger) -> None:
    ledger.meters.count("atlas_jobs_ended_total", job["kind"], job["state"])
    began, ended = (datetime.fromisoformat(job[name]) for name in ("started", "finished"))
    ledger.meters.observe("atlas_job_seconds", (ended - began).total_seconds(), job["kind"])
    if job["kind"] == "drift" and job["state"] == "succeeded" and job["request"]["series"]:
        with suppress(DependencyError):  # then it is found again with the next comparison of the series
            ledger.series.note(job)


def drop_job(job_id: str, store: Store, ledger: Ledger | None) -> None:
    """Have a job that has ended count as deleted, with what is counted and saved under its id.

    Args:
        job_id: The job.
        store: Holds it.
        ledger: None where nothing runs.
    """
    registry.update(store, "jobs", job_id, deleted=True)
    if ledger is not None:
        with suppress(DependencyError):  # then /metrics tells of it for as long as Redis remembers
            ledger.series.forget()
            ledger.meters.forget(job_id)
    tours.forget(store, job_id)


def start_job(job_id: str, store: Store, ledger: Ledger) -> None:
    """Note that the first chunk of a job runs."""
    if not ledger.first_chunk(job_id):
        return
    with ledger.lock(job_id):
        if registry.document(store, "jobs", job_id)["state"] == "queued":
            ledger.events.state(registry.update(store, "jobs", job_id, state="running", started=registry.now()))


def submit(
    plan: Plan, name: str | None, store: Store, ledger: Ledger, enqueue: Enqueue, owner: str = EVERYBODY
) -> Document:
    """Enter a job in the registry and set it going.

    The document is written first: when Redis is down the job survives, and the next sweep finds it.

    Args:
        plan: The owner's own, by `Plan.owned_by`.
        name: For people.
        store: Where the job goes.
        ledger: Takes its chunks.
        enqueue: As in `advance`.
        owner: Whose job it is.

    Raises:
        DependencyError: Redis or the store is down.
    """
    known = store.get_document("jobs", plan.id)
    if known is not None and known.get("announced") is False:
        deliveries.announce(plan.id, store, ledger)  # before another attempt takes its place
    dropped = known is not None and bool(known.get("deleted"))
    with ledger.lock(plan.id) if dropped else nullcontext():  # the garbage collection may be about to delete it
        job = registry.add_job(store, plan, name, owner)
    if job["state"] in TERMINAL:
        return job
    if known is None or dropped or known["attempt"] != job["attempt"]:
        ledger.restart(plan.id)
        ledger.set_origin(plan.id, origin.carried())
        ledger.reopen(list(plan.by_key))
        ledger.events.begin(job, plan)
        ledger.meters.count("atlas_jobs_submitted_total", job["kind"])
    return advance(plan.id, store, ledger, enqueue)


def repair(job_id: str, chunks: Sequence[str], ledger: Ledger) -> None:
    """Have chunks of a job done again: what they had made is gone from the store.

    Args:
        job_id: The job that missed it.
        chunks: Their keys; their records are deleted already.
        ledger: Believes them to be done; so does every process that follows the job, until it has a new token.
    """
    ledger.reopen(chunks)
    ledger.set_primed(job_id)


def clear_up(ledger: Ledger, enqueue: Enqueue) -> None:
    """Have what belonged to a dropped atlas deleted; once, however many are dropped before that begins."""
    if ledger.once("garbage", GARBAGE_LOST_SECONDS):
        enqueue(COLLECT_GARBAGE, [], CPU)
