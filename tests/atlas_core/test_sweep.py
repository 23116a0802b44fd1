from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atlas_core import registry
from atlas_core.advance import COLLECT_GARBAGE, INTERACTIVE, submit
from atlas_core.cards import DatasetCard
from atlas_core.errors import DependencyError
from atlas_core.inspections import inspect, inspection_key
from atlas_core.ledger import Ledger
from atlas_core.redis_client import connect
from atlas_core.sweep import sweep
from tests.atlas_core.test_advance import CARD, Queues, finish, ledger, of, queues, store, toy

if TYPE_CHECKING:
    from atlas_core.plan import Plan
    from atlas_core.store import Store

__all__ = ["ledger", "queues", "store", "toy"]  # fixtures


def test_a_flushed_redis_is_rebuilt_from_the_store(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues, redis_server: str
) -> None:
    submit(toy, None, store, ledger, queues)
    queues.taken()
    first, second, third, _ = of(toy, "collect")
    finish(toy, store, ledger, first)
    with connect(redis_server) as client:
        client.flushall()
    sweep(store, ledger, queues)
    assert queues.taken() == [second, third]
    assert ledger.active() == [toy.id]


def test_a_job_outlives_a_redis_that_is_down(toy: Plan, store: Store, ledger: Ledger, queues: Queues,
                                             free_port: int) -> None:  # fmt: skip
    with connect(f"redis://127.0.0.1:{free_port}/0") as client, pytest.raises(DependencyError):
        submit(toy, None, store, Ledger(client), queues)
    assert registry.document(store, "jobs", toy.id)["state"] == "queued"
    sweep(store, ledger, queues)
    assert queues.taken() == of(toy, "collect")[:2]


def test_an_inspection_is_enqueued_until_it_is_done(store: Store, ledger: Ledger, queues: Queues) -> None:
    name = registry.add_dataset(store, DatasetCard(name="d", source="sha256:" + "0" * 64), "c")["id"]
    inspect("datasets", name, store, ledger, queues)
    assert [(arguments, queue) for _, arguments, queue in queues.sent] == [([name], INTERACTIVE)]
    registry.update(store, "datasets", name, state="ready")
    inspect("datasets", name, store, ledger, queues)
    assert (len(queues.sent), ledger.active()) == (1, [])


def test_a_model_registered_again_during_its_inspection_is_inspected_again(
    store: Store, ledger: Ledger, queues: Queues
) -> None:
    name = registry.add_model(store, CARD)["id"]
    inspect("models", name, store, ledger, queues, anew=True)
    key = inspection_key("models", name)
    ledger.lease(key, "token")
    registry.add_model(store, CARD, "dataset")
    inspect("models", name, store, ledger, queues, anew=True)
    ledger.complete(key, "token")
    inspect("models", name, store, ledger, queues)
    assert len(queues.sent) == 2


def test_one_that_cannot_be_moved_on_holds_up_no_other(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    submit(toy, None, store, ledger, queues)
    queues.taken()
    ledger.restart(toy.id)
    ledger.reopen(list(toy.by_key))
    store.append_document("jobs", "0-broken", {"id": "0-broken", "state": "queued"})
    for name in ("0-broken", "0-unknown"):
        ledger.activate(name)
    ledger.once("rescan", 10)
    sweep(store, ledger, queues)
    assert queues.taken() == of(toy, "collect")[:2]
    assert ledger.active() == sorted(["0-broken", toy.id])
    assert "0-broken cannot be moved on" in caplog.text


def test_a_sweep_ends_where_redis_or_the_store_is_down(toy: Plan, store: Store, ledger: Ledger) -> None:
    def enqueue(task: str, arguments: list[str], queue: str) -> None:
        raise DependencyError("the broker is down")

    with pytest.raises(DependencyError):
        submit(toy, None, store, ledger, enqueue)
    ledger.reopen(list(toy.by_key))
    with pytest.raises(DependencyError, match="the broker is down"):
        sweep(store, ledger, enqueue)


def test_an_inspection_that_kills_its_worker_is_refused(store: Store, ledger: Ledger, queues: Queues) -> None:
    name = registry.add_dataset(store, DatasetCard(name="d", source="sha256:" + "0" * 64), "c")["id"]
    key = inspection_key("datasets", name)
    for attempt in range(6):
        ledger.lease(key, str(attempt))
        ledger.lose(key, str(attempt))
    sweep(store, ledger, queues)
    found = registry.document(store, "datasets", name)
    assert found["state"] == "refused"
    assert "died" in found["reasons"][0]


def test_garbage_is_collected_once_a_day_without_being_asked(store: Store, redis_server: str) -> None:
    sent: list[str] = []
    time = [0.0]
    with connect(redis_server) as client:
        client.flushall()
        ledger = Ledger(client, clock=lambda: time[0])
        for time[0] in (1e9, 1e9 + 60, 1e9 + 86_000, 1e9 + 86_500):
            sweep(store, ledger, lambda task, arguments, queue: sent.append(task))
    assert sent == [COLLECT_GARBAGE] * 2
