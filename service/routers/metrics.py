"""Numbers for Prometheus: jobs, workers, and the newest result of every series of comparisons.

Everything is read from the store and the ledger when it is asked for, so any API process gives the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from fastapi import APIRouter, Response

from atlas_core import registry
from atlas_core.registry import Document
from service.dependencies import Services, ServicesDep
from service.routers.drift import summary_of

router = APIRouter(tags=["health"])
TEXT = "text/plain; version=0.0.4; charset=utf-8"
ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
OF_LAYER = {
    "p": "p of the maximum mean discrepancy, by permuting whole images.",
    "mmd": "Squared maximum mean discrepancy of the images' mean unit activations.",
    "smallest_share": "Share of images replaced that would have been found 4 times in 5.",
    "cells": "Jensen-Shannon distance over cells, less its null's mean.",
    "cells_moved": "Cells that hold another share than in the atlas.",
    "without_home": "Share of images farther from the atlas than 99 % of its own.",
}


class Gauge(NamedTuple):
    """A metric with its values by labels."""

    name: str
    about: str
    values: Iterable[tuple[Mapping[str, str], float]]

    def text(self) -> str:
        """In Prometheus's text format."""
        lines = [f"# HELP {self.name} {self.about}", f"# TYPE {self.name} gauge"]
        for labels, value in self.values:
            told = ",".join(f'{name}="{label.translate(ESCAPED)}"' for name, label in labels.items())
            lines.append(f"{self.name}{{{told}}} {value}")
        return "\n".join(lines) + "\n"


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(services: ServicesDep) -> Response:
    """Jobs by kind and state, processes of workers by queue, and of each series of comparisons the newest result."""
    jobs = [job for job in registry.documents(services.store, "jobs") if not job.get("deleted")]
    gauges = [_jobs(jobs), _workers(services), *_drift(services, jobs)]
    return Response("".join(gauge.text() for gauge in gauges), media_type=TEXT)


def _jobs(jobs: Iterable[Document]) -> Gauge:
    counts = Counter((job["kind"], job["state"]) for job in jobs)
    values = [({"kind": kind, "state": state}, count) for (kind, state), count in sorted(counts.items())]
    return Gauge("atlas_jobs", "Jobs by kind and state.", values)


def _workers(services: Services) -> Gauge:
    processes: Counter[str] = Counter()
    for worker in services.ledger.workers():
        processes.update(dict.fromkeys(worker.queues, worker.processes))
    return Gauge("atlas_worker_processes", "Processes that take from a queue.",
                 [({"queue": queue}, count) for queue, count in sorted(processes.items())])  # fmt: skip


def _drift(services: Services, jobs: Iterable[Document]) -> Iterator[Gauge]:
    newest = {(job["atlas"], job["request"]["series"]): job for job in jobs
              if job["kind"] == "drift" and job["state"] == "succeeded" and job["request"]["series"]}  # fmt: skip
    found = [({"atlas": atlas, "series": series}, job, summary_of(services, job))
             for (atlas, series), job in sorted(newest.items())]  # fmt: skip
    made = [(labels, job, summary) for labels, job, summary in found if summary is not None]
    yield Gauge("atlas_drift_found", "Whether the newest comparison of a series found drift.",
                [(labels, float(summary["verdict"] == "drift")) for labels, _, summary in made])  # fmt: skip
    yield Gauge("atlas_drift_finished_timestamp_seconds", "When it was made.",
                [(labels, datetime.fromisoformat(job["finished"]).timestamp()) for labels, job, _ in made])  # fmt: skip
    yield Gauge("atlas_drift_images", "Images that were compared.",
                [(labels | {"set": name}, count) for labels, _, summary in made
                 for name, count in summary["images"].items()])  # fmt: skip
    for field, about in OF_LAYER.items():
        yield Gauge(f"atlas_drift_{field}", about,
                    [(labels | {"layer": layer}, float(told[field])) for labels, _, summary in made
                     for layer, told in summary["layers"].items() if told[field] is not None])  # fmt: skip
