"""Which chunks of a plan are known to be done, and which of the others have all their inputs; counted, not searched."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Container, Iterable
from typing import TYPE_CHECKING

from atlas_core.plan import DROPPED_STAGES

if TYPE_CHECKING:
    from atlas_core.plan import Chunk, Plan


class Frontier:
    """The edge between what is done of a plan and what is not; as true as what it is told.

    A chunk of a stage whose results are dropped is never ready once all its dependents are done.
    Telling it of a chunk costs as much as the chunk has dependents, however long the plan is.

    Args:
        plan: The plan.
        queue_of: The queue of a stage.

    Attributes:
        done: Keys of the chunks known to be done.
        asked: Whether it was ever told of the whole plan; for its user to note.
        lock: For its user to hold, where threads share it.
    """

    def __init__(self, plan: Plan, queue_of: Callable[[str], str]) -> None:
        """Nothing is known to be done."""
        self._plan = plan
        self._queue_of = queue_of
        self._places = {chunk.key: place for place, chunk in enumerate(plan.chunks)}
        self._dependents: dict[str, list[str]] = {chunk.key: [] for chunk in plan.chunks}
        for chunk in plan.chunks:
            for key in set(chunk.inputs):
                self._dependents[key].append(chunk.key)
        self.lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        """Know of nothing again."""
        self.asked = False
        self.done: set[str] = set()
        self._spent: set[str] = set()
        self._unmet = {chunk.key: len(set(chunk.inputs)) for chunk in self._plan.chunks}
        self._ready: dict[str, list[int]] = {}
        for chunk in self._plan.chunks:
            if not chunk.inputs:
                self._enter(chunk)

    def _enter(self, chunk: Chunk) -> None:
        insort(self._ready.setdefault(self._queue_of(chunk.stage), []), self._places[chunk.key])

    def _leave(self, chunk: Chunk) -> None:
        ready = self._ready[self._queue_of(chunk.stage)]
        del ready[bisect_left(ready, self._places[chunk.key])]

    def _spend(self, keys: Iterable[str]) -> None:
        """Take out those of the inputs of a finished chunk that nobody else waits for."""
        for key in set(keys) - self.done - self._spent:
            dropped = self._plan.by_key[key].stage in DROPPED_STAGES
            if dropped and all(dependent in self.done for dependent in self._dependents[key]):
                self._spent.add(key)
                if not self._unmet[key]:
                    self._leave(self._plan.by_key[key])

    def finish(self, keys: Iterable[str]) -> list[Chunk]:
        """Note chunks that are done; returns those that were not known to be."""
        new = [self._plan.chunks[self._places[key]] for key in dict.fromkeys(keys) if key not in self.done]
        for chunk in new:
            self.done.add(chunk.key)
            if not self._unmet[chunk.key] and chunk.key not in self._spent:
                self._leave(chunk)
            self._spend(chunk.inputs)
            for key in self._dependents[chunk.key]:
                self._unmet[key] -= 1
                if not self._unmet[key] and key not in self.done and key not in self._spent:
                    self._enter(self._plan.by_key[key])
        return new

    def ready(self, room: Counter[str]) -> list[str]:
        """Chunks that are not known to be done and have all their inputs, the first of each queue that has room."""
        places = sorted(place for queue, ready in self._ready.items() for place in ready[: max(0, room[queue])])
        return [self._plan.chunks[place].key for place in places]

    def first(self, queues: Iterable[str], taken: Container[str]) -> str | None:
        """The first ready chunk of these queues that is not taken yet, None where there is none."""
        places = (
            next((place for place in self._ready.get(queue, ()) if self._plan.chunks[place].key not in taken), None)
            for queue in queues
        )
        place = min((place for place in places if place is not None), default=None)
        return None if place is None else self._plan.chunks[place].key
