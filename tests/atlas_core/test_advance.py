from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from atlas_core.advance import (
    CPU,
    GPU,
    RUN_CHUNK,
    advance,
    end_job,
    recorded,
    submit,
)
from atlas_core.build import plan
from atlas_core.cards import InputCard, LayerInfo, ModelCard
from atlas_core.facts import DatasetFacts, ModelFacts
from atlas_core.ledger import Ledger, Worker
from atlas_core.redis_client import connect
from atlas_core.spec import parse_spec
from atlas_core.store import Store, open_store

if TYPE_CHECKING:
    from atlas_core.plan import Plan

CARD = ModelCard(
    name="toy",
    format="torchvision",
    architecture="squeezenet1_1",
    weights="sha256:" + "0" * 64,
    input=InputCard(channels=3, height=1000, width=1000, mean=[0, 0, 0], std=[1, 1, 1]),
)
ERROR = {"type": "invalid-dataset", "detail": "half of the images are broken"}


class Queues:
    """Notes what was enqueued."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str], str]] = []

    def __call__(self, task: str, arguments: list[str], queue: str) -> None:
        self.sent.append((task, arguments, queue))

    def taken(self) -> list[str]:
        taken = [arguments[1] for task, arguments, _ in self.sent if task == RUN_CHUNK]
        self.sent.clear()
        return taken


@pytest.fixture
def ledger(redis_server: str) -> Iterator[Ledger]:
    with connect(redis_server) as client:
        client.flushall()
        yield Ledger(client)


@pytest.fixture
def store() -> Store:
    return open_store("memory://")


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def toy() -> Plan:
    """Four shards of a collect chunk each; two levels of a tile each."""
    model = ModelFacts(id="m", card=CARD, layers=[LayerInfo(name="a", shape=(8, 12, 12))], classes=None)
    dataset = DatasetFacts(id="d", name="d", digest="0", listing="0" * 64, images=32, classes=None)
    spec = parse_spec({"model": "m", "dataset": "d", "layers": ["a"], "samples": 300, "levels": [3, 5]})
    return plan(spec, model, dataset)


def finish(planned: Plan, store: Store, ledger: Ledger, *keys: str) -> None:
    for key in keys:
        chunk = planned.by_key[key]
        store.put_record(chunk.stage, key, {"info": {"digest": "d1"}, "blobs": {}})
        ledger.mark_done([key])


def of(planned: Plan, stage: str) -> list[str]:
    return [chunk.key for chunk in planned.find(stage)]


def test_what_has_no_inputs_is_enqueued_first_and_only_once(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    ledger.beat(Worker("w", (CPU, GPU), 4), 10)
    assert submit(toy, None, store, ledger, queues)["state"] == "queued"
    assert {queue for _, _, queue in queues.sent} == {GPU}
    assert queues.taken() == of(toy, "collect")
    advance(toy.id, store, ledger, queues)
    assert queues.taken() == []


def test_no_more_is_enqueued_than_keeps_the_workers_busy(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    submit(toy, None, store, ledger, queues)
    first = of(toy, "collect")
    assert queues.taken() == first[:2]
    finish(toy, store, ledger, first[0])
    advance(toy.id, store, ledger, queues)
    assert queues.taken() == first[2:3]


def test_coarse_tiles_come_before_fine_ones(toy: Plan, store: Store, ledger: Ledger, queues: Queues) -> None:
    ledger.beat(Worker("w", (CPU, GPU), 4), 10)
    submit(toy, None, store, ledger, queues)
    queues.taken()
    finish(toy, store, ledger, *of(toy, "collect"), *of(toy, "layout"), *of(toy, "cells"))
    advance(toy.id, store, ledger, queues)
    sides = [toy.by_key[key].parameters.get("side") for key in queues.taken() if key in of(toy, "preview")]
    assert sides == [3, 5]


def test_the_last_record_ends_the_job_with_its_digest(toy: Plan, store: Store, ledger: Ledger, queues: Queues) -> None:
    submit(toy, None, store, ledger, queues)
    finish(toy, store, ledger, *toy.by_key)
    job = advance(toy.id, store, ledger, queues)
    assert (job["state"], job["digest"]) == ("succeeded", "d1")
    assert ledger.active() == []


def test_a_manifest_that_is_gone_when_the_job_should_end_is_made_again(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    submit(toy, None, store, ledger, queues)
    finish(toy, store, ledger, *toy.by_key)
    last = toy.chunks[-1]
    store.delete_record(last.stage, last.key)
    queues.taken()
    assert advance(toy.id, store, ledger, queues)["state"] == "queued"
    assert queues.taken() == [last.key]
    finish(toy, store, ledger, last.key)
    assert advance(toy.id, store, ledger, queues)["state"] == "succeeded"


def test_a_complete_atlas_succeeds_at_once_without_a_chunk(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    finish(toy, store, ledger, toy.chunks[-1].key)
    assert submit(toy, None, store, ledger, queues)["state"] == "succeeded"
    assert queues.taken() == []


def test_a_parked_chunk_fails_the_job_and_what_is_done_is_kept(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    submit(toy, None, store, ledger, queues)
    first, second, *_ = of(toy, "collect")
    finish(toy, store, ledger, first)
    ledger.lease(second, "token")
    ledger.park(second, "token", ERROR)
    job = advance(toy.id, store, ledger, queues)
    assert job["state"] == "failed"
    assert job["error"] == {**ERROR, "chunk": f"collect {second[:12]}"}
    assert recorded(toy, store) == [first]


def test_asking_again_for_a_failed_atlas_runs_only_what_is_missing(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    submit(toy, None, store, ledger, queues)
    first, second, third, _ = of(toy, "collect")
    finish(toy, store, ledger, first)
    ledger.lease(second, "token")
    ledger.park(second, "token", ERROR)
    advance(toy.id, store, ledger, queues)
    queues.taken()
    job = submit(toy, None, store, ledger, queues)
    assert (job["state"], job["attempt"]) == ("queued", 2)
    assert queues.taken() == [second, third]


def test_asking_again_for_a_cancelled_atlas_goes_on_at_once(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    submit(toy, None, store, ledger, queues)
    queued = queues.taken()
    end_job(toy.id, store, ledger, state="cancelled")
    submit(toy, None, store, ledger, queues)
    assert queues.taken() == queued


def test_a_cancelled_job_enqueues_nothing_more(toy: Plan, store: Store, ledger: Ledger, queues: Queues) -> None:
    submit(toy, None, store, ledger, queues)
    queues.taken()
    assert end_job(toy.id, store, ledger, state="cancelled")["state"] == "cancelled"
    finish(toy, store, ledger, of(toy, "collect")[0])
    assert advance(toy.id, store, ledger, queues)["state"] == "cancelled"
    assert queues.sent == []
    assert ledger.cancelled(toy.id)


def test_a_job_that_ended_stays_as_it_ended(toy: Plan, store: Store, ledger: Ledger, queues: Queues) -> None:
    submit(toy, None, store, ledger, queues)
    end_job(toy.id, store, ledger, state="cancelled")
    assert end_job(toy.id, store, ledger, state="succeeded", digest="x")["state"] == "cancelled"


def test_the_store_is_asked_once_a_chunk(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    has_record = store.has_record

    def counted(stage: str, key: str) -> bool:
        asked.append(key)
        return has_record(stage, key)

    monkeypatch.setattr(store, "has_record", counted)
    submit(toy, None, store, ledger, queues)
    for _ in range(3):
        advance(toy.id, store, ledger, queues)
    assert len(asked) == len(toy.chunks) + 1  # the last one first, by itself


def test_what_two_owners_want_goes_on_for_one_when_the_other_cancels(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    ledger.beat(Worker("w", (CPU, GPU), 4), 10)
    mine, theirs = toy.owned_by("a"), toy.owned_by("b")
    first = of(toy, "collect")
    assert submit(mine, None, store, ledger, queues, "a")["owner"] == "a"
    submit(theirs, None, store, ledger, queues, "b")
    assert set(queues.taken()) == set(first)  # which are the same for both
    assert ledger.lease(first[0], "token")
    end_job(mine.id, store, ledger, state="cancelled")
    assert (ledger.cancelled(mine.id), ledger.cancelled(theirs.id)) == (True, False)
    ledger.release(first[0], "token")  # by the worker that ran it for who cancelled
    for key in first[1:]:
        ledger.unqueue(key)
    advance(theirs.id, store, ledger, queues)
    assert queues.taken() == first
    finish(theirs, store, ledger, *theirs.by_key)
    assert advance(theirs.id, store, ledger, queues)["state"] == "succeeded"
