from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect
from atlas_core.workload import SENT, Queue, Workload

if TYPE_CHECKING:
    import redis

HERE = Worker("here", ("cpu", "gpu"), 2)


@pytest.fixture
def client(redis_server: str) -> Iterator[redis.Redis]:
    with connect(redis_server) as client:
        client.flushall()
        yield client


def test_a_queue_is_as_old_as_its_oldest_message(client: redis.Redis) -> None:
    for ago in (30, 10):  # the newest goes to the left, as kombu puts it
        client.lpush("gpu", json.dumps({"body": "", "headers": {SENT: time.time() - ago}}))
    client.lpush("cpu", json.dumps({"body": "", "headers": {}}))
    client.rpush("atlas:projections", "an image", "another")
    found = Workload(client).queues()
    assert found["gpu"].depth == 2
    assert 30 <= found["gpu"].age < 35
    assert found["cpu"] == Queue(1, 0)
    assert found["interactive"] == Queue(2, 0)


@pytest.mark.parametrize("forged", [b"no json", b"\xff\xfe", b"[]", b'{"headers": 1}', b'{"headers": {"sent": "x"}}'])
def test_what_is_no_message_of_ours_has_no_age(client: redis.Redis, forged: bytes) -> None:
    client.lpush("gpu", forged)
    assert Workload(client).queues()["gpu"] == Queue(1, 0)


def test_running_is_what_live_workers_hold(client: redis.Redis) -> None:
    ledger, workload = Ledger(client), Workload(client)
    ledger.lease("a", "first", "here", 1, queue="gpu", stage="render")
    ledger.lease("b", "second", "gone", 1, queue="gpu", stage="render")
    ledger.begin("third", "here", 1, queue="interactive", stage="project")
    client.hset("atlas:leases:here", "fourth", json.dumps(["c", 1]))  # by a worker of the version before
    found = workload.running([HERE])
    assert sorted((one.queue, one.stage) for one in found) == [("gpu", "render"), ("interactive", "project")]
    assert all(0 <= one.seconds < 5 for one in found)
    ledger.complete("a", "first", "here")
    ledger.end("third", "here")
    assert workload.running([HERE]) == []


def test_jobs_under_way_by_kind_and_state(client: redis.Redis) -> None:
    ledger, workload = Ledger(client), Workload(client)
    for name, kind in (("one", "atlas"), ("two", "atlas"), ("three", "audit")):
        ledger.activate(name)
        ledger.set_primed(name, kind)
    ledger.activate("models/abc")
    ledger.first_chunk("two")
    ledger.forget("three")
    assert workload.jobs() == {("atlas", "queued"): 1, ("atlas", "running"): 1, ("inspection", "running"): 1}


def test_memory_of_workers_that_are_gone_is_forgotten(client: redis.Redis) -> None:
    workload = Workload(client)
    workload.note_memory("here", 3, 8)
    workload.note_memory("gone", 5, 8)
    assert workload.memory([HERE]) == {"here": (3, 8)}
    assert client.hkeys("atlas:memory") == ["here"]
