"""Going on with half of a batch when memory runs out."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable
from typing import TypeVar

from atlas_core.errors import MemoryLimitError

TOLD = re.compile(
    r"not enough memory|can.?t allocate memory|cannot allocate memory|out of memory|failed to allocate|"
    r"bad[_ ]alloc|_ALLOC_FAILED|available memory of",
    re.IGNORECASE,
)
"""How torch's allocators, CUDA's libraries and onnxruntime say it, in a RuntimeError of their own or the plain one."""

_T = TypeVar("_T")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be had, of this machine or of its GPU.

    Python's and numpy's is a MemoryError, torch's on a GPU an OutOfMemoryError; the others tell by their words only.
    """
    if isinstance(error, MemoryError):
        return True
    library = type(error).__module__.partition(".")[0]
    if library != "onnxruntime" and not (isinstance(error, RuntimeError) and library in {"builtins", "torch"}):
        return False
    return type(error).__name__ == "OutOfMemoryError" or TOLD.search(str(error)) is not None


class Batches:
    """The size of a batch, halved each time memory runs out and kept at what worked.

    Args:
        size: Items a batch to begin with, at least 1.
        what: What an item is, for the error.

    Attributes:
        size: Items a batch now.
        halved: Its size now where it had to be halved, else None.
    """

    def __init__(self, size: int, what: str = "item") -> None:
        """Begin with the whole."""
        self.size = size
        self.halved: int | None = None
        self._what = what

    def run(self, work: Callable[[int], _T], most: int | None = None) -> _T:
        """Call `work(size)`; again with half as many where memory does not do.

        Args:
            work: Does as many items as it is told, from where its caller is.
            most: Items that are left, where those are fewer than a batch.

        Raises:
            MemoryLimitError: Not even one item can be done.
        """
        while True:
            size = self.size if most is None else min(self.size, most)
            try:
                return work(size)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if size <= 1:
                    raise MemoryLimitError(
                        f"one {self._what} by itself needs more memory than is free here; give the worker more memory, "
                        "run fewer processes on the machine, or take a smaller model input"
                    ) from None
            self.size = self.halved = size // 2
            _release()


def _release() -> None:
    """Give back what the failed attempt held: its frames are gone, but not the cycles, nor what torch keeps."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
