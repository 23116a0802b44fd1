from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.advance import CPU, GPU, INTERACTIVE, RUN_CHUNK, advance, submit
from atlas_core.demand import MOST, demand
from atlas_core.ledger import Ledger, Worker
from tests.atlas_core.test_advance import ERROR, Queues, finish, ledger, of, queues, store, toy

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan
    from atlas_core.store import Store

__all__ = ["ledger", "queues", "store", "toy"]  # fixtures


def _tile(plan: Plan, side: int) -> list[Chunk]:
    return [chunk for stage in ("preview", "render") for chunk in plan.tiles("a", side, stage)]


def _cells_known(plan: Plan, store: Store, ledger: Ledger, queues: Queues) -> None:
    submit(plan, None, store, ledger, queues)
    finish(plan, store, ledger, *of(plan, "collect"), *of(plan, "layout"), *of(plan, "cells"))
    queues.sent.clear()


def test_a_preview_is_asked_for_first_and_then_the_tile_itself(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    _cells_known(toy, store, ledger, queues)
    preview, own = _tile(toy, 5)
    assert demand(toy, [preview, own], ledger, queues)
    assert queues.sent == [(RUN_CHUNK, [toy.id, preview.key], INTERACTIVE)]
    finish(toy, store, ledger, preview.key)
    assert demand(toy, [preview, own], ledger, queues)
    assert queues.sent[1:] == [(RUN_CHUNK, [toy.id, own.key], INTERACTIVE)]
    finish(toy, store, ledger, own.key)
    assert not demand(toy, [preview, own], ledger, queues)


def test_what_is_asked_for_is_not_enqueued_in_its_turn_as_well(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    _cells_known(toy, store, ledger, queues)
    ledger.beat(Worker("w", (CPU, GPU), 4), 10)
    preview, own = _tile(toy, 5)
    demand(toy, [preview, own], ledger, queues)
    queues.sent.clear()
    advance(toy.id, store, ledger, queues)
    assert preview.key not in queues.taken()


def test_what_waits_in_another_queue_is_asked_for_once_more(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    _cells_known(toy, store, ledger, queues)
    ledger.beat(Worker("w", (CPU, GPU), 4), 10)
    advance(toy.id, store, ledger, queues)
    preview, own = _tile(toy, 5)
    assert preview.key in queues.taken()
    assert demand(toy, [preview, own], ledger, queues)
    assert not demand(toy, [preview, own], ledger, queues)
    assert queues.taken() == [preview.key]
    assert ledger.lease(preview.key, "first")
    assert not ledger.lease(preview.key, "second")  # the other message


def test_nothing_is_asked_for_that_cannot_run_runs_or_has_failed(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    submit(toy, None, store, ledger, queues)
    queues.sent.clear()
    tile = _tile(toy, 3)
    assert not demand(toy, tile, ledger, queues)
    finish(toy, store, ledger, *of(toy, "cells"))
    ledger.lease(tile[0].key, "token")
    assert not demand(toy, tile, ledger, queues)
    ledger.fail(tile[0].key, "token", ERROR, retry_in=30)
    assert not demand(toy, tile, ledger, queues)
    ledger.reopen([tile[0].key])
    finish(toy, store, ledger, tile[0].key)
    ledger.lease(tile[1].key, "token")
    ledger.park(tile[1].key, "token", ERROR)
    assert not demand(toy, tile, ledger, queues)
    assert queues.sent == []


def test_no_more_is_asked_for_at_a_time_than_leaves_room_for_projections(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    _cells_known(toy, store, ledger, queues)
    keys = [f"{number:064d}" for number in range(MOST + 1)]
    assert [ledger.promote(toy.id, key, MOST) for key in keys] == [True] * MOST + [False]
    assert ledger.promote("another", keys[-1], MOST)
    assert not demand(toy, _tile(toy, 3), ledger, queues)
    ledger.mark_done(keys[:1])
    assert demand(toy, _tile(toy, 3), ledger, queues)


def test_what_a_cancelled_attempt_had_asked_for_takes_no_room(toy: Plan, ledger: Ledger) -> None:
    assert ledger.promote(toy.id, "a", 1)
    ledger.unqueue("a")
    assert ledger.promote(toy.id, "b", 1)
    ledger.reopen(["b"])
    assert ledger.promote(toy.id, "b", 1)


def test_where_a_gpu_renders_it_makes_what_is_asked_for_too(
    toy: Plan, store: Store, ledger: Ledger, queues: Queues
) -> None:
    _cells_known(toy, store, ledger, queues)
    ledger.beat(Worker("interactive", (INTERACTIVE,), 1), 10)
    ledger.beat(Worker("batch", (CPU, GPU), 1, "cuda"), 10)
    assert demand(toy, _tile(toy, 3), ledger, queues)
    assert [queue for _, _, queue in queues.sent] == [GPU]


def test_a_promise_that_was_lost_makes_room(toy: Plan, ledger: Ledger) -> None:
    now = 1_000.0
    timed = Ledger(ledger._redis, requeue_seconds=60, clock=lambda: now)
    assert timed.promote(toy.id, "a", 1)
    assert not timed.promote(toy.id, "b", 1)
    now += 61
    assert timed.promote(toy.id, "b", 1)
    now -= 500  # the clock was put back
    assert timed.promote(toy.id, "c", 1)
