"""How long chunks take together: the workers' processes take them in the plan's order as their inputs are done."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from atlas_core.frontier import Frontier

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas_core.ledger import Worker
    from atlas_core.plan import Plan


def wall_seconds(
    plan: Plan,
    done: Collection[str],
    seconds: Mapping[str, float],
    workers: Sequence[Worker],
    queue_of: Callable[[str], str],
) -> float | None:
    """Seconds until a plan's last chunk is done, None where no worker takes what it needs.

    Args:
        plan: The plan.
        done: Keys of the chunks that are done.
        seconds: What each of the others takes a process.
        workers: Those that live.
        queue_of: The queue of a stage.
    """
    frontier = Frontier(plan, queue_of)
    frontier.finish(done)
    free = [worker.processes for worker in workers]
    running: list[tuple[float, str, int]] = []
    taken: set[str] = set()
    now = 0.0
    while True:
        for number, worker in enumerate(workers):
            while free[number] > 0 and (key := frontier.first(worker.queues, taken)) is not None:
                taken.add(key)
                free[number] -= 1
                heapq.heappush(running, (now + seconds[key], key, number))
        if not running:
            return now if plan.chunks[-1].key in frontier.done else None
        now, key, number = heapq.heappop(running)
        free[number] += 1
        frontier.finish([key])
