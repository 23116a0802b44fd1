"""Lay a graph out in the plane: UMAP's forces under a batch optimiser that gives the same bytes on every thread count.

umap-learn moves both ends of an edge at once, in place, so its result hangs on the order of threads. Here every vertex
gathers the forces along its own edges from the positions of the last epoch (Jacobi), its negatives come from a counter
keyed by seed, epoch and edge, and Adam takes the step, as in uwot's `batch = TRUE`. Nothing is drawn from a shared
stream and no vertex writes where another reads. Equal bytes are promised on one machine, not across processors.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
from scipy.optimize import curve_fit

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atlas_core.layout.graph import Graph

EPOCHS = 200
MIN_DIST = 0.05
SPREAD = 1.0
NEGATIVES = 5
STEP = 1.0
"""First step of Adam in units of the layout, falling linearly to 0; this and the decays are uwot's."""
DECAY_MEAN, DECAY_SQUARE, EPSILON = 0.5, 0.9, 1e-7
CLIP = 4.0
UNIT = 2.0**-53
ROWS_A_TASK = 2048


def optimise(
    graph: Graph,
    start: NDArray[np.floating[Any]],
    *,
    epochs: int = EPOCHS,
    min_dist: float = MIN_DIST,
    seed: int = 0,
    step: float = STEP,
    threads: int = 1,
    on_epoch: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Move the samples until what the graph holds together lies together.

    Args:
        graph: Symmetric graph of n samples.
        start: First positions, shape (n, 2), about ±10 wide.
        epochs: Passes over the graph, at least 1.
        min_dist: How near two samples may lie, in units of the layout, between 0 and 1.
        seed: Keys the negatives and the moments at which an edge pulls.
        step: First step, in units of the layout; less where the start is nearly right.
        threads: Threads to work with; without effect on the result.
        on_epoch: Called after each epoch with (epochs done, epochs); raising in it cancels.

    Returns:
        Points, shape (n, 2) float32, in units of the layout.

    Raises:
        LayoutError: Start or settings do not fit.
    """
    n = graph.vertices
    if start.shape != (n, 2) or not np.isfinite(start).all():
        raise LayoutError(f"a start needs finite points of the shape ({n}, 2), got {start.shape}")
    if epochs < 1 or not 0 <= min_dist < SPREAD:
        raise LayoutError(f"epochs must be at least 1 and min_dist in [0, {SPREAD}), got {epochs} and {min_dist}")
    a, b = curve(min_dist)
    shape = np.array([a, b], dtype=np.float32)
    rate = graph.weight / graph.weight.max(initial=np.float32(1e-9))
    rate[rate < 1 / epochs] = 0  # would pull less than once; umap-learn drops them too
    here, there = start.astype(np.float32), np.empty((n, 2), dtype=np.float32)
    mean, square = np.zeros((n, 2), dtype=np.float32), np.zeros((n, 2), dtype=np.float32)
    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for epoch in range(epochs):
            now = np.float32(step * (1 - epoch / epochs) * np.sqrt(1 - DECAY_SQUARE ** (epoch + 1)))
            settings = (shape, np.float32(now / (1 - DECAY_MEAN ** (epoch + 1))), np.uint64(seed), epoch)
            arrays = (graph.start, graph.target, rate, here, there, mean, square)
            tasks = [
                pool.submit(_move, first, min(first + ROWS_A_TASK, n), *arrays, *settings)
                for first in range(0, n, ROWS_A_TASK)
            ]
            for task in tasks:
                task.result()
            here, there = there, here
            if on_epoch is not None:
                on_epoch(epoch + 1, epochs)
    return here


def curve(min_dist: float, spread: float = SPREAD) -> tuple[float, float]:
    """Fit a and b of 1 / (1 + a d^(2b)) to 1 up to min_dist and exp(-(d - min_dist) / spread) beyond.

    Args:
        min_dist: Distance up to which two samples count as together.
        spread: Scale of the decay.

    Returns:
        a and b.
    """
    distance = np.linspace(0, 3 * spread, 300)
    wanted = np.where(distance < min_dist, 1.0, np.exp(-(distance - min_dist) / spread))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), distance, wanted)
    return float(a), float(b)


def _mix(value: Any) -> Any:
    """The finaliser of splitmix64: every bit of the counter reaches every bit of the draw."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


_draw = numba.njit(_mix, inline="always")


def _move_rows(
    first: int,
    last: int,
    start: Any,
    target: Any,
    rate: Any,
    here: Any,
    there: Any,
    mean: Any,
    square: Any,
    shape: Any,
    step: Any,
    seed: Any,
    epoch: int,
) -> None:
    a, b = shape[0], shape[1]
    one, golden = np.float32(1), np.uint64(0x9E3779B97F4A7C15)
    clip, near = np.float32(CLIP), np.float32(0.001)
    decay_mean, decay_square, epsilon = np.float32(DECAY_MEAN), np.float32(DECAY_SQUARE), np.float32(EPSILON)
    n = np.uint64(here.shape[0])
    epoch_key = _draw((seed + np.uint64(1)) * golden + np.uint64(epoch))
    for vertex in range(first, last):
        x, y = here[vertex, 0], here[vertex, 1]
        pull_x, pull_y = np.float32(0), np.float32(0)
        for edge in range(start[vertex], start[vertex + 1]):
            # An edge pulls at its rate: whenever rate * epoch + phase passes a whole number.
            edge_key = np.uint64(edge) * golden
            phase = np.float64(_draw(edge_key ^ seed) >> np.uint64(11)) * UNIT
            turn = np.float64(rate[edge]) * epoch + phase
            if np.floor(turn + rate[edge]) <= np.floor(turn):
                continue
            other = target[edge]
            dx, dy = x - here[other, 0], y - here[other, 1]
            distance = dx * dx + dy * dy
            if distance > 0:
                power = distance**b
                # Each undirected edge stands in two rows and umap-learn moves both ends for each: twice the pull.
                force = np.float32(-4) * a * b * power / (distance * (a * power + one))
                pull_x += min(clip, max(-clip, force * dx))
                pull_y += min(clip, max(-clip, force * dy))
            for negative in range(NEGATIVES):
                draw = _draw(epoch_key ^ (edge_key + np.uint64(negative)))
                other = np.int64(((draw >> np.uint64(32)) * n) >> np.uint64(32))
                dx, dy = x - here[other, 0], y - here[other, 1]
                distance = dx * dx + dy * dy
                if distance > 0:
                    force = np.float32(2) * b / ((near + distance) * (a * distance**b + one))
                    pull_x += min(clip, max(-clip, force * dx))
                    pull_y += min(clip, max(-clip, force * dy))
        for axis in range(2):
            pull = pull_x if axis == 0 else pull_y
            mean[vertex, axis] = decay_mean * mean[vertex, axis] + (one - decay_mean) * pull
            square[vertex, axis] = decay_square * square[vertex, axis] + (one - decay_square) * pull * pull
            there[vertex, axis] = here[vertex, axis] + step * mean[vertex, axis] / (
                np.sqrt(square[vertex, axis]) + epsilon
            )


_move = compiled(_move_rows, fast=True)
