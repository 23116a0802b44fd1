from __future__ import annotations

from atlas_core.ledger import Worker
from atlas_core.schedule import wall_seconds
from tests.atlas_core.test_build import _plan

PLAN = _plan()
SECOND = {chunk.key: 1.0 for chunk in PLAN.chunks}


def _queue(stage: str) -> str:
    return "gpu" if stage in ("collect", "attribute", "preview", "render") else "cpu"


def _wall(*workers: Worker, done: set[str] = frozenset()) -> float | None:  # type: ignore[assignment]
    return wall_seconds(PLAN, done, SECOND, workers, _queue)


def _depth() -> int:
    depths: dict[str, int] = {}
    for chunk in PLAN.chunks:
        depths[chunk.key] = 1 + max((depths[key] for key in chunk.inputs), default=0)
    return depths[PLAN.chunks[-1].key]


def test_one_process_takes_one_chunk_after_the_other() -> None:
    assert _wall(Worker("one", ("cpu", "gpu"), 1)) == len(PLAN.chunks)


def test_with_processes_enough_the_longest_chain_counts() -> None:
    assert _wall(Worker("a", ("gpu",), 1000), Worker("b", ("cpu",), 1000)) == _depth()


def test_what_is_done_takes_nothing() -> None:
    done = {chunk.key for chunk in PLAN.chunks[:-1]}
    assert _wall(Worker("one", ("cpu",), 1), done=done) == 1
    assert _wall(done=set(SECOND)) == 0


def test_nobody_can_say_where_a_queue_has_no_worker() -> None:
    assert _wall() is None
    assert _wall(Worker("one", ("cpu",), 4)) is None


def test_dropped_attributions_are_not_waited_for() -> None:
    done = {chunk.key for chunk in PLAN.chunks if chunk.stage in ("collect", "layout", "cells")}
    left = sum(chunk.stage in ("preview", "render", "publish") for chunk in PLAN.chunks)
    assert _wall(Worker("one", ("cpu", "gpu"), 1), done=done) == left
