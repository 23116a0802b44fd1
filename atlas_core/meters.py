"""What is counted: by every process for itself, and summed in one Redis hash, from which /metrics tells it.

Workers are many short-lived processes behind one address or none, and API processes share one port, so that a registry
in each would tell Prometheus of one process at a time. Sums go to Redis once a second; what a killed process had not
handed over yet is lost, and a flushed Redis begins at 0, which Prometheus takes for a restart.
"""

from __future__ import annotations

import json
import logging
import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from atlas_core.errors import DependencyError
from atlas_core.redis_client import reaching_redis

if TYPE_CHECKING:
    import redis

log = logging.getLogger(__name__)
SUMS = "atlas:meters"
FLUSH_SECONDS = 1.0
SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LONG = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
OF_JOBS = (1, 10, 60, 300, 900, 3600, 14_400, 86_400)
Field = tuple[str | int, ...]
"""A name, the values of its labels and, of a histogram, the bucket."""
SUM = "sum"
"""In the place of a bucket: the sum of all that was observed."""


@dataclass(frozen=True)
class Family:
    """A counter, or with upper bounds of buckets a histogram.

    Attributes:
        about: One line for whoever reads /metrics.
        labels: Their names.
        bounds: Of the buckets but the last, which has none; empty for a counter.
    """

    about: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()


FAMILIES: Mapping[str, Family] = {
    "atlas_jobs_submitted_total": Family("Jobs and further attempts at them that were asked for.", ("kind",)),
    "atlas_jobs_ended_total": Family("Jobs that ended, by how.", ("kind", "state")),
    "atlas_job_seconds": Family("From the first chunk of a job to its end.", ("kind",), OF_JOBS),
    "atlas_chunk_seconds": Family("That chunks took, those that were done.", ("stage",), LONG),
    "atlas_chunk_failures_total": Family("Attempts at chunks and inspections that failed.", ("stage", "cause")),
    "atlas_queue_wait_seconds": Family("From sending a message to its beginning.", ("queue",), LONG),
    "atlas_icons_total": Family("Icons that were rendered.", ("recipe",)),
    "atlas_cache_total": Family("What was asked of a cache: `chunks` of jobs, `projections`.", ("cache", "result")),
    "atlas_projection_seconds": Family("From an image's arrival to its answer.", (), SHORT),
    "atlas_projection_failures_total": Family("Projections that were not answered.", ("cause",)),
    "atlas_novelty_images_total": Family("Projected images by how new they are.", ("atlas", "word")),
    "atlas_http_requests_total": Family("Requests answered.", ("method", "route", "status")),
    "atlas_http_request_seconds": Family("To the end of the answer; without events.", ("method", "route"), SHORT),
}


@dataclass(frozen=True)
class Total:
    """What all processes counted together of one family under some labels.

    Attributes:
        labels: Values, in the family's order.
        value: Of a counter; of a histogram the sum.
        buckets: How many fell into each bucket, not into those before it; one more than bounds. None for a counter.
    """

    labels: tuple[str, ...]
    value: float
    buckets: tuple[float, ...] = ()


class Meters:
    """Counts, and hands over what was counted once a second from a thread of its own.

    Args:
        client: Decodes its responses.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Redis is not spoken to, and no thread runs, before something is counted."""
        self._redis = client
        self._pending: defaultdict[Field, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closing = threading.Event()

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter; labels in the family's order."""
        self._add((((name, *labels), by),))

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """Put a value into its bucket of a histogram."""
        bucket = bisect_left(FAMILIES[name].bounds, seconds)
        self._add((((name, *labels, bucket), 1), ((name, *labels, SUM), seconds)))

    def _add(self, values: Sequence[tuple[Field, float]]) -> None:
        with self._lock:
            for field, value in values:
                self._pending[field] += value
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="meters", daemon=True)
                self._thread.start()

    def _keep(self) -> None:
        while not self._closing.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except DependencyError:
                continue  # it is handed over once Redis is back

    def close(self) -> None:
        """Hand over the last of it."""
        self._closing.set()
        try:
            self.flush()
        except DependencyError as error:
            log.warning("what was counted last is lost: %s", error.detail)

    def flush(self) -> None:
        """Hand over what was counted.

        Raises:
            DependencyError: Redis is down; it is kept for the next time.
        """
        with self._lock:
            taken, self._pending = self._pending, defaultdict(float)
        if not taken:
            return
        try:
            with reaching_redis(), self._redis.pipeline() as pipe:
                for field, value in taken.items():
                    pipe.hincrbyfloat(SUMS, json.dumps(field), value)
                pipe.execute()
        except DependencyError:
            with self._lock:
                for field, value in taken.items():
                    self._pending[field] += value
            raise

    def forget(self, label: str) -> None:
        """Drop what was counted under a label, such as the id of an atlas that is no more."""
        with reaching_redis():
            fields = [field for field, _ in self._redis.hscan_iter(SUMS, match=f'*"{label}"*')]
            if fields:
                self._redis.hdel(SUMS, *fields)

    def totals(self) -> dict[str, list[Total]]:
        """What all processes handed over so far, by family; of a family that this version does not know, nothing."""
        with reaching_redis():
            sums = cast("dict[str, str]", self._redis.hgetall(SUMS))
        found: dict[str, list[Total]] = {name: [] for name in FAMILIES}
        histograms: dict[tuple[str, tuple[str, ...]], dict[int | str, float]] = {}
        for field, text in sorted(sums.items()):
            name, *labels = json.loads(field)
            if name not in FAMILIES:
                continue
            if FAMILIES[name].bounds:
                histograms.setdefault((name, tuple(labels[:-1])), {})[labels[-1]] = float(text)
            else:
                found[name].append(Total(tuple(labels), float(text)))
        for (name, values), parts in histograms.items():
            buckets = tuple(parts.get(number, 0.0) for number in range(len(FAMILIES[name].bounds) + 1))
            found[name].append(Total(values, parts.get(SUM, 0.0), buckets))
        return found
