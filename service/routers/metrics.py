"""Numbers for Prometheus: what is going on now, and what all processes counted together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, chain

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from atlas_core.errors import DependencyError
from atlas_core.meters import FAMILIES, Family, Total
from service import gauges
from service.dependencies import AllServicesDep, Services

router = APIRouter(tags=["health"])


class _Told(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(services: AllServicesDep) -> Response:
    """For Prometheus: queues, running work, jobs, workers, failures by cause, projections, novelty and drift.

    Every API process tells the same numbers, those of the whole deployment: take their maximum, not their sum.
    """
    told = _Told(list(chain(gauges.told(services), _counted(services))))
    return Response(generate_latest(told), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _counted(services: Services) -> Iterator[Metric]:
    try:
        services.meters.flush()
        totals = services.meters.totals()
    except DependencyError:
        return
    for name, family in FAMILIES.items():
        yield _histogram(name, family, totals[name]) if family.bounds else _counter(name, family, totals[name])


def _counter(name: str, family: Family, totals: Iterable[Total]) -> Metric:
    metric = Metric(name.removesuffix("_total"), family.about, "counter")
    for total in totals:
        metric.add_sample(name, dict(zip(family.labels, total.labels, strict=True)), total.value)
    return metric


def _histogram(name: str, family: Family, totals: Iterable[Total]) -> Metric:
    metric = Metric(name, family.about, "histogram")
    bounds = [*map(floatToGoString, family.bounds), "+Inf"]
    for total in totals:
        labels = dict(zip(family.labels, total.labels, strict=True))
        for bound, count in zip(bounds, accumulate(total.buckets), strict=True):
            metric.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
        metric.add_sample(f"{name}_count", labels, sum(total.buckets))
        metric.add_sample(f"{name}_sum", labels, total.value)
    return metric
