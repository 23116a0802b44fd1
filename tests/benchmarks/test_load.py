"""The tables of benchmarks/load.py and benchmarks/chaos.py, by hand-made measurements."""

from __future__ import annotations

import threading

import pytest

import benchmarks.load as load
from atlas_client.errors import UnavailableError
from benchmarks.chaos import table
from benchmarks.enduring.asking import Tally
from benchmarks.loading.files import Rate
from benchmarks.loading.memory import Memory


def memory(minutes: list[float], api: list[float]) -> Memory:
    found = Memory.__new__(Memory)
    found.minutes, found.megabytes = minutes, {"api": api, "redis": []}
    return found


def test_requests_by_kind_with_percentiles_and_errors() -> None:
    spent = [number / 1000 for number in range(1, 101)]
    said = {"seconds": {"tile": spent}, "statuses": {"tile": {"200": 98, "503": 1, "ConnectionResetError": 1}}}
    *_, row, _, errors = load.requests_table(said, 10).splitlines()
    assert row == "| tile | 10.0 | 51 | 96 | 100 | 100 | 100 | 2.00% |"
    assert errors == "Errors: {'tile': {'503': 1, 'ConnectionResetError': 1}}"


def test_slope_is_that_of_the_last_two_thirds() -> None:
    minutes = [float(number) for number in range(9)]
    found = memory(minutes, [100.0, 200.0, 300.0, *(300 + 2.5 * number for number in range(6))])
    assert found.slope("api") == pytest.approx(2.5)
    assert load.memory_table(found).splitlines()[2] == "| api | 300 | 312 | 312 | +2.50 |"


def test_share_of_nginx_is_the_median_over_rounds() -> None:
    ours = [Rate(rate, 1, 2, 0) for rate in (100.0, 300.0, 200.0)]
    nginx = [Rate(400.0, 0.5, 1, 0)] * 3
    said = load.files_table(ours, nginx)
    assert "| service | 100, 300, 200 | 200 | 1.00 | 2.00 | 0 |" in said
    assert said.endswith("The service serves 0.50 of what nginx serves.")


def test_a_crash_is_wrong_and_an_outage_is_not() -> None:
    tally = Tally(lock=threading.Lock())
    tally.refused("polls not answered", UnavailableError("the service answered 503: Redis is down"))
    tally.refused("polls not answered", UnavailableError("the service answered 500: it failed"))
    tally.count("atlases made", "job", 2.0)
    assert tally.counts == {"polls not answered": 1, "atlases made": 1}
    said = table(3, {"Redis, by kill -9": 2}, {"served": 95, "reset": 5}, tally)
    assert "| calls of the store, failed | 100, 5 |" in said
    assert "| seconds of a job: median, p99, longest | 2.0, 2.0, 2.0 |" in said
    assert "| lost, stuck, failed or wrong | 1 |" in said
