from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from atlas_core.deadlines import Deadlines
from atlas_core.redis_client import connect


@pytest.fixture
def deadlines(redis_server: str) -> Iterator[Deadlines]:
    with connect(redis_server) as client:
        client.flushall()
        yield Deadlines(client)


def test_a_name_is_taken_when_it_is_due_and_by_one(deadlines: Deadlines) -> None:
    deadlines.later("now", 0)
    deadlines.later("soon", 0.2)
    assert deadlines.take(60) == ["now"]
    assert deadlines.take(60) == []
    time.sleep(0.2)
    assert deadlines.take(60) == ["soon"]


def test_what_is_neither_noted_anew_nor_dropped_is_due_again(deadlines: Deadlines) -> None:
    for name in ("a", "b", "c"):
        deadlines.later(name, 0)
    assert deadlines.take(0.1) == ["a", "b", "c"]
    deadlines.drop("a")
    deadlines.later("b", 60)
    time.sleep(0.1)
    assert deadlines.take(60) == ["c"]


def test_what_is_noted_may_stay_as_it_is(deadlines: Deadlines) -> None:
    deadlines.later("a", 60)
    deadlines.later("a", 0, unless_noted=True)
    deadlines.later("b", 0, unless_noted=True)
    assert deadlines.take(60) == ["b"]


def test_without_redis_it_is_left_to_who_reads_the_store(free_port: int) -> None:
    with connect(f"redis://127.0.0.1:{free_port}/0") as client:
        gone = Deadlines(client)
        gone.later("a", 0)
        gone.drop("a")
        assert gone.take(60) == []
