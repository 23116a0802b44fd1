"""Kills processes of a running service at random, as its supervisor starts them again."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import redis

from benchmarks.processes import children

if TYPE_CHECKING:
    from service.embedded import Embedded

PAUSE_SECONDS = (4.0, 16.0)
"""Between two kills: shorter than a lease at times, long enough at others that work gets on."""


class Killer:
    """A thread that kills.

    Args:
        up: The service.
        seed: Of what is killed when.
        until: When to stop, by `time.monotonic`.
        pause: Seconds between two kills, at least and at most.
    """

    def __init__(self, up: Embedded, seed: int, until: float, pause: tuple[float, float] = PAUSE_SECONDS) -> None:
        self._until, self._pause = until, pause
        self.counts: Counter[str] = Counter()
        self._up, self._random, self._stopping = up, random.Random(seed), threading.Event()
        self._thread = threading.Thread(target=self._run, name="killer")
        self._ways: list[tuple[str, int, Callable[[], None]]] = [
            ("process of a worker, by kill -9", 4, self._child),
            ("worker for batches, by kill -9", 2, lambda: self._kill("worker-batch", signal.SIGKILL)),
            ("worker for projections, by kill -9", 2, lambda: self._kill("worker-interactive", signal.SIGKILL)),
            ("worker asked to stop", 1, lambda: self._kill("worker-batch", signal.SIGTERM)),
            ("API, by kill -9", 3, lambda: self._kill("api", signal.SIGKILL)),
            ("Redis, by kill -9", 2, lambda: self._kill("redis", signal.SIGKILL)),
            ("Redis emptied and killed", 1, self._empty),
        ]

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._random.uniform(*self._pause)) and time.monotonic() < self._until:
            name, _, kill = self._random.choices(self._ways, [weight for _, weight, _ in self._ways])[0]
            with suppress(ProcessLookupError, FileNotFoundError, redis.RedisError):
                kill()
                self.counts[name] += 1
                print(f"{time.strftime('%H:%M:%S')} killed: {name}", flush=True)

    def _kill(self, name: str, number: signal.Signals) -> None:
        os.kill(self._up.children.pid(name), number)

    def _child(self) -> None:
        below = [
            pid for name in ("worker-batch", "worker-interactive") for pid in children(self._up.children.pid(name))
        ]
        if below:
            os.kill(self._random.choice(below), signal.SIGKILL)

    def _empty(self) -> None:
        with redis.Redis.from_url(self._up.redis_url, socket_timeout=5) as client:
            client.flushall()
        self._kill("redis", signal.SIGKILL)
