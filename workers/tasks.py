"""The tasks: thin, idempotent, with ids for arguments. What they do stands in atlas_core."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from kombu.exceptions import OperationalError

from atlas_core import advance as engine, deliveries, inspections, origin, sweep as sweeping, tracing
from atlas_core.errors import ConflictError, DependencyError, MissingInputError, NotFoundError, VersionError
from atlas_core.workload import stamped
from workers.app import app
from workers.projecting import Projecting
from workers.runtime import OnProgress, Process, process

if TYPE_CHECKING:
    from atlas_core.inspections import Inspected
    from atlas_core.plan import Chunk

log = logging.getLogger(__name__)
SWEPT_SECONDS = 0.2


def enqueue(task: str, arguments: list[str], queue: str) -> None:
    """Put a task on a queue.

    Raises:
        DependencyError: The broker is down.
    """
    try:
        app.send_task(task, args=arguments, queue=queue, retry=False, headers=_headers(task, arguments))
    except OperationalError as error:
        raise DependencyError("the broker cannot be reached; try again in a few seconds") from error


def _headers(task: str, arguments: list[str]) -> dict[str, Any]:
    """When a message is sent, and the request that asked for it: the sweep, which nobody asked for, looks it up."""
    known = origin.carried()
    if not known and task == engine.RUN_CHUNK:
        known = process().ledger.origin(arguments[0])
    return stamped(known)


@app.task(name=engine.RUN_CHUNK)
def run_chunk(job_id: str, chunk_key: str) -> None:
    """Run a chunk of a job, then enqueue what it made ready."""
    here = process()
    job = here.store.get_document("jobs", job_id)
    if job is None or job["state"] in engine.TERMINAL:
        here.ledger.unqueue(chunk_key)  # another job may need it, or this one again
        return
    try:
        plan = engine.plan_of_attempt(here.store, job_id, job["attempt"])
    except (ConflictError, VersionError):
        here.under_lease(chunk_key, _hand_back, job_id)
        return
    chunk = plan.by_key.get(chunk_key)
    if chunk is None:
        log.error("a message for %s is dropped: its job %s has no such chunk", chunk_key, job_id)
        return

    def work(on_progress: OnProgress) -> None:
        from atlas_core.stages import run_chunk as run

        engine.start_job(job_id, here.store, here.ledger)
        try:
            with tracing.span(chunk.called, job=job_id, chunk=chunk_key[:12]):
                made = run(plan, chunk, here.runtime, on_progress)
        except MissingInputError as error:
            engine.repair(job_id, error.chunks, here.ledger)
            raise
        _count(here, chunk, made)

    tell = partial(here.ledger.events.running, plan, chunk)
    with origin.about(job=job_id, chunk=chunk_key[:12]):
        if here.under_lease(chunk_key, work, job_id, tell, stage=chunk.stage):
            with suppress(NotFoundError):  # dropped and cleared up meanwhile
                engine.advance(job_id, here.store, here.ledger, enqueue, finished=chunk_key)


def _count(here: Process, chunk: Chunk, made: Mapping[str, Any] | None) -> None:
    """Count a chunk that ended well; `made` is None where it had been made before."""
    meters = here.ledger.meters
    meters.count("atlas_cache_total", "chunks", "hit" if made is None else "miss")
    if made is not None and "icons" in made and "recipe" in chunk.parameters:
        meters.count("atlas_icons_total", chunk.parameters["recipe"], by=made["icons"])
    here.note_memory()


def _hand_back(_: OnProgress) -> None:
    raise VersionError("the job was planned by another version, whose workers run it; start some")


@app.task(name=inspections.INSPECT["models"])
def inspect_model(name: str) -> None:
    """Find out what a registered model is."""
    here = process()

    def work(_: OnProgress) -> None:
        from atlas_core.registration import inspect_model as inspected

        inspected(here.store, name, here.settings.dataset_stores, here.inspector.look)

    _inspect(here, "models", name, work)


@app.task(name=inspections.INSPECT["datasets"])
def inspect_dataset(name: str) -> None:
    """List a registered dataset."""
    here = process()

    def work(on_progress: OnProgress) -> None:
        from atlas_core.registration import inspect_dataset as inspected

        inspected(here.store, name, here.settings.dataset_stores, on_progress)

    _inspect(here, "datasets", name, work)


def _inspect(here: Process, kind: Inspected, name: str, work: Any) -> None:
    if here.under_lease(inspections.inspection_key(kind, name), work, stage="inspection"):
        inspections.inspect(kind, name, here.store, here.ledger, enqueue)


@app.task(name=engine.PROJECT)
def project() -> None:
    """Answer the projections that wait."""
    with process().at_work("project"):
        _projecting().turn()


@lru_cache(maxsize=1)
def _projecting() -> Projecting:
    here = process()

    def wake() -> None:
        if here.mailbox.wake():
            enqueue(engine.PROJECT, [], engine.INTERACTIVE)

    return Projecting(here, wake)


@contextmanager
def _unless_later() -> Iterator[None]:
    """Leave alone what a later version keeps: this one cannot tell what it needs."""
    try:
        yield
    except VersionError as error:
        log.warning("no garbage is collected by this worker; one of the later version does it: %s", error.detail)


@app.task(name=engine.COLLECT_GARBAGE)
def collect_garbage() -> None:
    """Drop what has been kept long enough; delete what only dropped atlases used, and what nobody refers to."""
    from atlas_core.gc import collect_garbage as collect
    from atlas_core.retention import expire

    here = process()
    here.ledger.again("garbage")  # what is dropped from now on may be missed by this run
    settings = here.settings
    with _unless_later():
        dropped = expire(here.store, here.ledger, days=settings.retain_days, most_bytes=settings.retain_bytes)
        if dropped:
            log.info("dropped by age or size: %s", ", ".join(dropped))
        swept = collect(here.store, here.ledger, grace=timedelta(hours=settings.garbage_hours))
        log.info("garbage collected: %s", swept)


@app.task(name=engine.DROP_SAMPLES)
def drop_samples(job_id: str) -> None:
    """Delete the attributions of a finished atlas's samples."""
    from atlas_core.gc import drop_samples as drop

    here = process()
    with _unless_later():
        drop(job_id, here.store, here.ledger)


@app.task(name=sweeping.DELIVER)
def deliver(name: str) -> None:
    """Make one attempt to tell a webhook."""
    here = process()
    deliveries.deliver(name, here.store, here.ledger, deliveries.terms_of(here.settings))


@app.task(name=sweeping.SWEEP)
def sweep() -> None:
    """Move on everything under way; of sweeps that piled up while all processes were busy, the first will do."""
    here = process()
    if not here.ledger.once("swept", SWEPT_SECONDS):
        return
    try:
        sweeping.sweep(here.store, here.ledger, enqueue)
    finally:
        here.ledger.again("sweep")
