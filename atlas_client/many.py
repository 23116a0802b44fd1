"""Many requests: a few at a time, with their answers in order, in bounded memory, as fast as the service takes them."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from atlas_client.errors import UnavailableError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
LONGEST_PAUSE = 10.0


def in_order(ask: Callable[[Item], Answer], items: Iterable[Item], at_a_time: int) -> Iterator[Answer]:
    """Answers to items in their order, of which no more than so many are taken before their turn.

    Args:
        ask: Called from several threads; what it raises is raised in the answer's place.
        items: May be endless.
        at_a_time: Asked about at a time, at least 1.
    """
    waiting: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(ask, item))
                if len(waiting) >= at_a_time:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def patiently(ask: Callable[[], Answer], patience: float) -> Answer:
    """Ask again for as long as the service says when to (429 and 5xx with `Retry-After`).

    Args:
        ask: Asks once.
        patience: Seconds after which to give up.

    Raises:
        UnavailableError: It cannot be reached, or was busy for longer than that.
    """
    began = time.monotonic()
    while True:
        try:
            return ask()
        except UnavailableError as error:
            if error.retry_after is None or time.monotonic() - began > patience:
                raise
            # Those who were told the same time do not come back in the same moment.
            time.sleep(min(LONGEST_PAUSE, error.retry_after) * random.uniform(0.5, 1.0))
