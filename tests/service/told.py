"""What /metrics tells, read by Prometheus's own parser."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

Values = Mapping[tuple[str, ...], float]


def told(url: str) -> Values:
    """Samples by name and sorted values of labels."""
    answer = httpx.get(f"{url}/metrics")
    assert answer.status_code == 200
    return {(sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(answer.text) for sample in family.samples}  # fmt: skip


def until(url: str, true: Callable[[Values], bool]) -> Values:
    """Metrics, once they are so: processes hand over what they counted once a second."""
    deadline = time.monotonic() + 10
    while not true(values := told(url)):
        assert time.monotonic() < deadline, sorted(values.items())
        time.sleep(0.2)
    return values
