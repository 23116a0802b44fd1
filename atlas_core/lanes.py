"""Samples in blocks, whose numbers along an axis lie side by side: a processor works on many samples at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

AXES = 64
"""As many axes as an index has where its layer has so many channels."""
LANES = 128
"""Samples of a block: 33 kB along 64 axes, which is what a processor holds nearest."""
AT_A_TIME = 4
"""Axes that are added up in one go; an index has a multiple of them."""
NONE = -1
"""In the place of a sample: none stands here."""


def axes_of(channels: int) -> int:
    """Axes of an index of so many channels, some of them zero where there are few."""
    return -(-min(AXES, channels) // AT_A_TIME) * AT_A_TIME


def spread_blocks(n: int) -> NDArray[np.int64]:
    """Which samples stand in which block, where each position looks through all: every block is of all parts of them.

    Returns:
        Samples, shape (blocks, LANES); -1 where none stands.
    """
    blocks = -(-n // LANES)
    return np.concatenate([np.arange(n), np.full(blocks * LANES - n, NONE)]).reshape(LANES, blocks).T.copy()


def listed_blocks(order: NDArray[np.int64], start: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same for samples in lists, each of which begins with a block of its own.

    Args:
        order: Samples by list, shape (n,).
        start: Where each list begins in `order`, and where the last ends.
    """
    first = block_starts(start)
    slots = np.full((first[-1], LANES), NONE)
    within = np.arange(len(order)) - np.repeat(start[:-1], np.diff(start))
    slots.reshape(-1)[np.repeat(first[:-1], np.diff(start)) * LANES + within] = order
    return slots


def block_starts(start: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each list begins among the blocks, and where the last ends."""
    return np.concatenate([[0], np.cumsum(-(-np.diff(start) // LANES))])


def stand_in_block(
    unit: NDArray[np.float32], slots: NDArray[np.int64], mean: NDArray[np.float32], axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The numbers of a block's samples: (1, a position along the axes) times them are squared distances along the axes.

    The position's own square is missing.

    Args:
        unit: Unit activations of the block's samples, where none stands anything, shape (LANES, channels).
        slots: The samples, -1 where none stands, shape (LANES,).
        mean: Shape (channels,).
        axes: Shape (axes, channels).

    Returns:
        Shape (1 + axes, LANES).
    """
    along = axes @ (unit - mean).T
    numbers = np.concatenate([(along * along).sum(axis=0, keepdims=True), -2 * along])
    numbers[:, slots == NONE] = 0
    numbers[0, slots == NONE] = np.inf
    return numbers
