"""Tiles on demand: what somebody waits for comes before its turn.

A chunk asked for is put on the interactive queue, even where a message of it waits in another queue: whoever takes
the lease runs it, and the other message finds it leased or done and ends. Where icons are rendered on a GPU the one
worker that has it takes this chunk too, soon, because no more than a few chunks wait in its queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from atlas_core.advance import GPU, INTERACTIVE, RUN_CHUNK
from atlas_core.devices import is_gpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas_core.advance import Enqueue
    from atlas_core.ledger import Ledger
    from atlas_core.plan import Chunk, Plan

MOST = 2
"""Chunks of a job asked for and not done yet: whoever asks for all tiles does not hold up projections for long."""


def demand(plan: Plan, chunks: Sequence[Chunk], ledger: Ledger, enqueue: Enqueue) -> bool:
    """Have the next chunk of a tile run at once: its preview if that is missing, else its own.

    Nothing happens where that chunk runs already, cannot run yet or has failed, or where enough others were asked for.

    Args:
        plan: Of a job under way.
        chunks: What makes the tile, in order.
        ledger: What is done.
        enqueue: Puts a task on a queue.

    Returns:
        Whether it was enqueued.

    Raises:
        DependencyError: Redis or the broker is down.
    """
    keys = list(dict.fromkeys(key for chunk in chunks for key in (chunk.key, *chunk.inputs)))
    done = {key for key, state in zip(keys, ledger.overview(keys)[0], strict=True) if state == "done"}
    wanted = next((chunk for chunk in chunks if chunk.key not in done), None)
    if wanted is None or not done.issuperset(wanted.inputs) or not ledger.promote(plan.id, wanted.key, MOST):
        return False
    on_gpu = any(GPU in worker.queues and is_gpu(worker.device) for worker in ledger.workers())
    enqueue(RUN_CHUNK, [plan.id, wanted.key], GPU if on_gpu else INTERACTIVE)
    return True
