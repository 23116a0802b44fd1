"""Numbers for Prometheus: jobs, workers, and the newest result of every series of comparisons.

Everything is read from the store and the ledger when it is asked for, so any API process gives the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from atlas_core import registry
from atlas_core.registry import Document
from service.asked import summary_of
from service.dependencies import AllServicesDep, Services

router = APIRouter(tags=["health"])
OF_LAYER = {
    "p": "p of the maximum mean discrepancy, by permuting whole images.",
    "mmd": "Squared maximum mean discrepancy of the images' mean unit activations.",
    "smallest_share": "Share of images replaced that would have been found 4 times in 5.",
    "cells": "Jensen-Shannon distance over cells, less its null's mean.",
    "cells_moved": "Cells that hold another share than in the atlas.",
    "without_home": "Share of images farther from the atlas than 99 % of its own.",
}


class _Told(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(services: AllServicesDep) -> Response:
    """Jobs by kind and state, processes of workers by queue, and of each series of comparisons the newest result."""
    jobs = [job for job in registry.documents(services.store, "jobs") if not job.get("deleted")]
    told = _Told([_jobs(jobs), _workers(services), *_drift(services, jobs)])
    return Response(generate_latest(told), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _gauge(name: str, about: str, values: Iterable[tuple[Mapping[str, str], float]]) -> Metric:
    family = Metric(name, about, "gauge")
    for labels, value in values:
        family.add_sample(name, dict(labels), value)
    return family


def _jobs(jobs: Iterable[Document]) -> Metric:
    counts = Counter((job["kind"], job["state"]) for job in jobs)
    values = [({"kind": kind, "state": state}, count) for (kind, state), count in sorted(counts.items())]
    return _gauge("atlas_jobs", "Jobs by kind and state.", values)


def _workers(services: Services) -> Metric:
    processes: Counter[str] = Counter()
    for worker in services.ledger.workers():
        processes.update(dict.fromkeys(worker.queues, worker.processes))
    return _gauge("atlas_worker_processes", "Processes that take from a queue.",
                 [({"queue": queue}, count) for queue, count in sorted(processes.items())])  # fmt: skip


def _drift(services: Services, jobs: Iterable[Document]) -> Iterator[Metric]:
    newest = {(job["atlas"], job["request"]["series"]): job for job in jobs
              if job["kind"] == "drift" and job["state"] == "succeeded" and job["request"]["series"]}  # fmt: skip
    found = [({"atlas": atlas, "series": series}, job, summary_of(services, job))
             for (atlas, series), job in sorted(newest.items())]  # fmt: skip
    made = [(labels, job, summary) for labels, job, summary in found if summary is not None]
    yield _gauge("atlas_drift_found", "Whether the newest comparison of a series found drift.",
                [(labels, float(summary["verdict"] == "drift")) for labels, _, summary in made])  # fmt: skip
    yield _gauge("atlas_drift_finished_timestamp_seconds", "When it was made.",
                [(labels, datetime.fromisoformat(job["finished"]).timestamp()) for labels, job, _ in made])  # fmt: skip
    yield _gauge("atlas_drift_images", "Images that were compared.",
                [(labels | {"set": name}, count) for labels, _, summary in made
                 for name, count in summary["images"].items()])  # fmt: skip
    for field, about in OF_LAYER.items():
        yield _gauge(f"atlas_drift_{field}", about,
                    [(labels | {"layer": layer}, float(told[field])) for labels, _, summary in made
                     for layer, told in summary["layers"].items() if told[field] is not None])  # fmt: skip
