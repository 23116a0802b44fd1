"""Memory of a running service over time."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.processes import children

if TYPE_CHECKING:
    from service.embedded import Embedded

EVERY_SECONDS = 5.0
PARTS = ("api", "worker-interactive", "worker-batch", "redis")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Memory:
    """A thread that looks every few seconds at the resident memory of each part, its children with it."""

    def __init__(self, up: Embedded) -> None:
        self.minutes: list[float] = []
        self.megabytes: dict[str, list[float]] = {part: [] for part in PARTS}
        self._up, self._stopping = up, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _look(self) -> None:
        began = time.monotonic()
        while not self._stopping.wait(EVERY_SECONDS):
            self.minutes.append((time.monotonic() - began) / 60)
            for part in PARTS:
                pid = self._up.children.pid(part)
                self.megabytes[part].append(sum(map(resident, [pid, *children(pid)])) / 1e6)

    def slope(self, part: str) -> float:
        """MB a minute over the last two thirds, by least squares: caches fill up in the first."""
        start = len(self.minutes) // 3
        if len(self.minutes) - start < 3:
            return float("nan")
        return float(np.polyfit(self.minutes[start:], self.megabytes[part][start:], 1)[0])


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 of one that is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0
