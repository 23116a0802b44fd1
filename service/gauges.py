"""What /metrics tells of this moment: queues, running work, jobs under way, workers, and the newest of every series.

Read from Redis when it is asked for, and of the store no more than a document of each series: any API process gives
the same answer, at the same cost however many jobs there ever were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client.core import Metric

from atlas_core.advance import QUEUES, STAGE_QUEUES
from atlas_core.errors import AtlasError, DependencyError
from atlas_core.ledger import Worker, processes_by_queue
from atlas_core.registry import Document
from atlas_core.store import Store
from atlas_core.workload import Running
from service.asked import summary_of
from service.dependencies import Services

STAGES = (*STAGE_QUEUES, "inspection", "project")
OF_LAYER = {
    "p": "p of the maximum mean discrepancy, by permuting whole images.",
    "mmd": "Squared maximum mean discrepancy of the images' mean unit activations.",
    "smallest_share": "Share of images replaced that would have been found 4 times in 5.",
    "cells": "Jensen-Shannon distance over cells, less its null's mean.",
    "cells_moved": "Cells that hold another share than in the atlas.",
    "without_home": "Share of images farther from the atlas than 99 % of its own.",
}
Samples = Iterable[tuple[Mapping[str, str], float]]


def gauge(name: str, about: str, values: Samples) -> Metric:
    """A gauge of Prometheus, its samples each with labels."""
    family = Metric(name, about, "gauge")
    for labels, value in values:
        family.add_sample(name, dict(labels), value)
    return family


def dependencies(services: Services) -> Metric:
    """Whether Redis and the store answer."""
    pings = {"redis": services.ledger.ping, "store": services.store.ping}
    return gauge("atlas_dependency_up", "Whether a dependency answers.",
                 [({"dependency": name}, float(_answers(ping))) for name, ping in pings.items()])  # fmt: skip


def _answers(ping: Any) -> bool:
    try:
        ping()
    except AtlasError:
        return False
    return True


def workload(services: Services) -> Iterator[Metric]:
    """Queues, what runs, jobs under way and workers.

    Raises:
        DependencyError: Redis is down.
    """
    workers = services.ledger.workers()
    running = services.workload.running(workers)
    yield from _queues(services, running)
    stages = Counter(one.stage for one in running)
    yield gauge("atlas_running_chunks", "What processes of workers are at, by stage.",
                [({"stage": stage}, stages[stage]) for stage in STAGES])  # fmt: skip
    jobs = services.workload.jobs()
    yield gauge("atlas_jobs", "Jobs and inspections under way, by kind and state.",
                [({"kind": kind, "state": state}, count) for (kind, state), count in sorted(jobs.items())])  # fmt: skip
    yield from _workers(services, workers)


def _queues(services: Services, running: Iterable[Running]) -> Iterator[Metric]:
    waiting = services.workload.queues()
    at_work = Counter(one.queue for one in running)
    longest = {queue: max((one.seconds for one in running if one.queue == queue), default=0.0) for queue in QUEUES}
    told: dict[str, tuple[str, Mapping[str, float]]] = {
        "depth": ("What waits in a queue.", {name: waiting[name].depth for name in QUEUES}),
        "age_seconds": ("Since the oldest message in a queue was sent.", {name: waiting[name].age for name in QUEUES}),
        "work": ("Queued and running in a queue: how many processes it could use.",
                 {name: waiting[name].depth + at_work[name] for name in QUEUES}),
        "running_seconds": ("That the longest-running work of a queue has taken so far.", longest),
    }  # fmt: skip
    for name, (about, values) in told.items():
        yield gauge(f"atlas_queue_{name}", about, [({"queue": queue}, values[queue]) for queue in QUEUES])


def _workers(services: Services, workers: Iterable[Worker]) -> Iterator[Metric]:
    processes = Counter(dict.fromkeys(QUEUES, 0))
    processes.update(processes_by_queue(workers))
    yield gauge("atlas_worker_processes", "Processes that take from a queue.",
                [({"queue": queue}, count) for queue, count in sorted(processes.items())])  # fmt: skip
    memory = services.workload.memory(workers)
    kinds = (("used", 0), ("total", 1))
    yield gauge("atlas_gpu_memory_bytes", "Of a worker's GPU, after its newest work.",
                [({"worker": name, "kind": kind}, memory[name][place]) for name in sorted(memory)
                 for kind, place in kinds])  # fmt: skip


def drift(services: Services) -> Iterator[Metric]:
    """Of each series of comparisons the newest result.

    Raises:
        DependencyError: Redis or the store is down.
    """
    made = list(_newest(services))
    yield gauge("atlas_drift_found", "Whether the newest comparison of a series found drift.",
                [(labels, float(summary["verdict"] == "drift")) for labels, _, summary in made])  # fmt: skip
    yield gauge("atlas_drift_finished_timestamp_seconds", "When it was made.",
                [(labels, datetime.fromisoformat(job["finished"]).timestamp()) for labels, job, _ in made])  # fmt: skip
    yield gauge("atlas_drift_images", "Images that were compared.",
                [(labels | {"set": name}, count) for labels, _, summary in made
                 for name, count in summary["images"].items()])  # fmt: skip
    for field, about in OF_LAYER.items():
        yield gauge(f"atlas_drift_{field}", about,
                    [(labels | {"layer": layer}, float(told[field])) for labels, _, summary in made
                     for layer, told in summary["layers"].items() if told[field] is not None])  # fmt: skip


def _newest(services: Services) -> Iterator[tuple[dict[str, str], Document, Document]]:
    for (atlas, series), name in services.ledger.series.newest(services.store).items():
        job = _kept(services.store, name)
        if job is None:
            services.ledger.series.forget()  # dropped by another version; the next answer is whole again
            continue
        summary = summary_of(services, job)
        if summary is not None:
            yield {"atlas": atlas, "series": series}, job, summary


def _kept(store: Store, name: str) -> Document | None:
    job = store.get_document("jobs", name)
    return None if job is None or job.get("deleted") or job["state"] != "succeeded" else job


def told(services: Services) -> Iterator[Metric]:
    """All gauges; what a dependency that is down would tell is left out."""
    yield dependencies(services)
    for part in (workload, drift):
        try:
            yield from list(part(services))
        except DependencyError:
            continue
