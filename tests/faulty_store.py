"""A store in this process that fails a share of its operations, as the seed says: before them, or after."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

import obstore
from obstore.exceptions import GenericError

from atlas_core.store import Store
from atlas_core.store.backends import open_backend
from atlas_core.store.objects import Objects

_A = TypeVar("_A")


class FaultyObjects(Objects):
    """An object storage whose operations fail once in a while."""

    def __init__(self, url: str, share: float = 0.2, seed: int = 0, retry_seconds: float = 30) -> None:
        super().__init__(open_backend(url, create=True), retry_seconds=retry_seconds)
        self.failed = 0
        self._share = share
        self._random = random.Random(seed)

    def once(self, operation: Callable[..., _A], /, *arguments: Any, **options: Any) -> _A:
        before, after = self._random.random() < self._share / 2, self._random.random() < self._share / 2
        if before:
            self._fail()
        result = super().once(operation, *arguments, **options)
        # A listing is not repeated by repeating its last page, and a local create would lose against itself.
        if after and operation is obstore.put and "mode" not in options:
            self._fail()
        return result

    def _fail(self) -> None:
        self.failed += 1
        raise GenericError("injected")


def faulty_store(url: str, share: float = 0.2, seed: int = 0) -> Store:
    """A store at a local URL that fails a share of its operations."""
    return Store(FaultyObjects(url, share, seed))
