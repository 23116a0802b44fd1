"""Folders for work in progress, which the next process clears away where one was ended by kill -9 or for memory."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "atlas-scratch-"
YOUNG_SECONDS = 60.0
"""Within which a folder may not be locked yet by whoever made it."""


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder in the system's temporary directory, this process's own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the kernel lets go of it however the process ends
            yield Path(folder)
        finally:
            os.close(lock)


def clear_scratch() -> int:
    """Remove what processes left that are no more; returns how many folders."""
    cleared = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another user's, or another process was faster
            if time.time() - folder.stat().st_mtime < YOUNG_SECONDS:
                continue
            lock = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                cleared += 1
            finally:
                os.close(lock)
    return cleared
