"""Probable neighbours of many samples by pynndescent, with room for those of the own image to be left out.

One thread and a fixed seed: pynndescent gives another graph on another number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait as wait_for
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM = 1.5
"""Neighbours searched, as a multiple of the candidates wanted."""
HEARTBEAT_SECONDS = 2.0
ROWS_A_STEP = 65_536


def propose_approximate(
    unit: NDArray[np.float32],
    groups: NDArray[np.int64],
    candidates: NDArray[np.int64],
    *,
    seed: int,
    waiting: Callable[[], None],
) -> None:
    """Fill in probable neighbours of other images.

    Args:
        unit: Unit activations, shape (n, channels).
        groups: Image of each sample, shape (n,).
        candidates: Filled in place, the nearest first, shape (n, c); -1 where fewer of other images were found.
        seed: Of the search.
        waiting: Called every two seconds or so while the search runs.
    """
    wanted = min(len(unit) - 1, int(ROOM * candidates.shape[1]) + 1)  # the sample itself is one
    with ThreadPoolExecutor(max_workers=1) as pool:
        search = pool.submit(_search, unit, wanted, seed)
        _wait(search, waiting)
    index = search.result()
    for first in range(0, len(unit), ROWS_A_STEP):
        rows = slice(first, first + ROWS_A_STEP)
        found = index[rows]
        foreign = (groups[found] != groups[rows, None]) & (found >= 0)
        order = np.argsort(~foreign, axis=1, kind="stable")[:, : candidates.shape[1]]  # other images first, in order
        chosen = np.where(np.take_along_axis(foreign, order, axis=1), np.take_along_axis(found, order, axis=1), -1)
        candidates[rows, : chosen.shape[1]] = chosen


def _wait(search: Future[NDArray[np.int32]], waiting: Callable[[], None]) -> None:
    while not wait_for([search], timeout=HEARTBEAT_SECONDS).done:
        waiting()


def _search(unit: NDArray[np.float32], count: int, seed: int) -> NDArray[np.int32]:
    from pynndescent import NNDescent  # its import compiles for seconds

    found = NNDescent(unit, metric="cosine", n_neighbors=count, random_state=seed, n_jobs=1)
    return np.asarray(found.neighbor_graph[0], dtype=np.int32)
