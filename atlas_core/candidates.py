"""The stored samples that are probably nearest to a position: those nearest along principal axes.

Samples stand in blocks, whose numbers along an axis lie side by side, so that the processor works on many samples at a
time. Every position is worked out for itself, in one order of sums, so its bytes do not depend on its company. All that
company does is that a block, once in the processor's cache, serves every position before the next is read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.lanes import AT_A_TIME, LANES, NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

STRIDE = 16
"""Of so many blocks one is looked at first, to guess a bound that few of the other samples are within."""
TOGETHER = 16
"""Every so manieth lane of a block is looked at together with the others: the lowest tells whether one is within."""
LEAST_LOOKED_AT = 48
"""Lowest lanes that a guess is made of."""
LINE = 16
"""Numbers of a cache line: what lies across two of them is read half as fast."""
ROOM = 4
"""Times as many samples as are wanted are held until the farther ones are dropped."""
SAMPLE = 2**32 - 1
"""A sample's part of a key; above it stand the bits of its distance."""


def nearest_along(
    projected: NDArray[np.float32],
    slots: NDArray[np.int64],
    images: NDArray[np.int64],
    along: NDArray[np.float32],
    own: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """The samples nearest to each position along the axes; of two as near, the first.

    Args:
        projected: Blocks as of `stand_in_block`, shape (blocks, 1 + axes, LANES). Each should be of all parts of the
            samples, as those of `spread_blocks` are.
        slots: Their samples, shape (blocks, LANES).
        images: Of the samples, shape (n,).
        along: Positions along the axes, shape (p, axes).
        own: Image whose samples a position must not take, shape (p,).
        count: Samples wanted.

    Returns:
        Samples in no order, shape (p, count); behind them -1 where there are fewer.
    """
    found = np.full((len(along), count), NONE, dtype=np.int64)
    bounds, everything = np.full(len(along), np.inf, np.float32), np.array([0, len(slots)])
    rank = _likely_rank(len(slots), count)
    if rank is not None:
        _bounds(projected, slots, images, along, own, *_aligned(projected), rank, bounds)
    guessed = np.isfinite(bounds)
    asks = np.ones((len(along), 1), np.bool_)
    _scan(projected, slots, images, along, own, everything, asks, *_aligned(projected), bounds, found)
    short = guessed & (found[:, -1] == NONE)
    if short.any():  # a guess was too near
        found[short] = nearest_along_in_lists(
            projected, slots, images, along[short], own[short], count, everything, np.zeros((short.sum(), 1), np.int64)
        )
    return found


def nearest_along_in_lists(
    projected: NDArray[np.float32],
    slots: NDArray[np.int64],
    images: NDArray[np.int64],
    along: NDArray[np.float32],
    own: NDArray[np.int64],
    count: int,
    first: NDArray[np.int64],
    lists: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The same among the samples of some lists, those of each position for itself.

    Args:
        projected: As in `nearest_along`, but of any samples, as are the next five.
        slots: Shape (blocks, LANES).
        images: Shape (n,).
        along: Shape (p, axes).
        own: Shape (p,).
        count: Samples wanted.
        first: Where each list begins among the blocks, and where the last ends.
        lists: Numbers of the lists that a position looks through, shape (p, probes).

    Returns:
        As `nearest_along`.
    """
    found = np.full((len(along), count), NONE, dtype=np.int64)
    asks = np.zeros((len(along), len(first) - 1), np.bool_)
    np.put_along_axis(asks, lists, True, axis=1)
    bounds = np.full(len(along), np.inf, np.float32)
    _scan(projected, slots, images, along, own, first, asks, *_aligned(projected), bounds, found)
    return found


def _likely_rank(blocks: int, count: int) -> int | None:
    """Among the lowest of so many samples each, a rank that about twice as many samples as are wanted lie within."""
    share = 2 * count / (blocks * LANES)
    looked_at = blocks // STRIDE * TOGETHER
    if looked_at < LEAST_LOOKED_AT or share > 0.25:
        return None
    return math.ceil(looked_at * (1 - (1 - share) ** (LANES // TOGETHER)))


def _aligned(projected: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Room for a block and for the distances of its samples from two positions, in whole lines of the cache."""
    rows = projected.shape[1]
    room = np.empty(((rows + 2) * LANES + LINE), np.float32)
    skipped = -room.ctypes.data % (4 * LINE) // 4
    room = room[skipped : skipped + (rows + 2) * LANES].reshape(rows + 2, LANES)
    return room[:rows], room[rows:]


# Arrays go to kernels whole, with the row that is meant: a view of a row costs as much as a block's distances.


def _pair_of_distances(near: Any, along: Any, row: int, other: int, distance: Any) -> None:
    """Of a block's samples from two positions: what is read once serves both."""
    for lane in range(LANES):
        distance[0, lane] = near[0, lane]
        distance[1, lane] = near[0, lane]
    for axis in range(0, along.shape[1], AT_A_TIME):
        a, b, c, d = along[row, axis], along[row, axis + 1], along[row, axis + 2], along[row, axis + 3]
        e, f, g, h = along[other, axis], along[other, axis + 1], along[other, axis + 2], along[other, axis + 3]
        for lane in range(LANES):
            w, x, y, z = near[axis + 1, lane], near[axis + 2, lane], near[axis + 3, lane], near[axis + 4, lane]
            distance[0, lane] += a * w + b * x + c * y + d * z
            distance[1, lane] += e * w + f * x + g * y + h * z


_distances = compiled(_pair_of_distances, fast=True)


def _bring_block(projected: Any, block: int, near: Any) -> None:
    for number in range(near.shape[0]):
        for lane in range(LANES):
            near[number, lane] = projected[block, number, lane]


_bring = compiled(_bring_block)


def _select_smallest(keys: Any, size: int, count: int) -> None:
    """Put the smallest of some keys first, in any order but for the last of them (Hoare's selection)."""
    low, high = 0, size - 1
    while low < high:
        pivot = keys[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while keys[left] < pivot:
                left += 1
            while keys[right] > pivot:
                right -= 1
            if left <= right:
                keys[left], keys[right] = keys[right], keys[left]
                left += 1
                right -= 1
        if count - 1 <= right:
            high = right
        elif count - 1 >= left:
            low = left
        else:
            return


_select = compiled(_select_smallest)


def _key_of_sample(bits: int, sample: int) -> Any:
    """Sorts by the distance with these bits, then by the sample; below 0, bits sort the other way round."""
    return (np.int64(bits ^ ((bits >> 31) & 0x7FFFFFFF)) << 32) | sample


_key = compiled(_key_of_sample, inside=True)


def _distance_of_key(key: int) -> Any:
    bits = np.empty(1, np.int32)
    high = key >> 32
    bits[0] = high ^ ((high >> 31) & 0x7FFFFFFF)
    return bits.view(np.float32)[0]


_distance_of = compiled(_distance_of_key)


def _lowest_of_block(distance: Any, half: int, lowest: Any) -> None:
    for lane in range(TOGETHER):
        lowest[lane] = distance[half, lane]
    for first in range(TOGETHER, LANES, TOGETHER):
        for lane in range(TOGETHER):
            lowest[lane] = min(lowest[lane], distance[half, first + lane])


_lowest = compiled(_lowest_of_block, inside=True)


def _likely_bounds(
    projected: Any, slots: Any, images: Any, along: Any, own: Any, near: Any, distance: Any, rank: int, bounds: Any
) -> None:
    """A distance for each position: of the lowest of some blocks' samples, each the lowest of a few, the rank-th."""
    rows, blocks = along.shape[0], projected.shape[0] // STRIDE
    lowest, lows = np.empty(TOGETHER, np.float32), np.empty((rows, blocks * TOGETHER), np.float32)
    for block in range(blocks):
        _bring(projected, block, near)
        for pair in range(0, rows, 2):
            _distances(near, along, pair, min(pair + 1, rows - 1), distance)
            for row in range(pair, min(pair + 2, rows)):
                if own[row] != NONE:
                    for lane in range(LANES):  # where no sample stands, the distance is infinite as well
                        if images[slots[block, lane]] == own[row]:
                            distance[row - pair, lane] = np.inf
                _lowest(distance, row - pair, lowest)
                for lane in range(TOGETHER):
                    lows[row, block * TOGETHER + lane] = lowest[lane]
    for row in range(rows):
        _select(lows[row], lows.shape[1], rank)
        bounds[row] = lows[row, rank - 1]


_bounds = compiled(_likely_bounds)


def _hits_of_block(distance: Any, half: int, bound: Any, lowest: Any, within: Any) -> int:
    """Put the lanes within the bound first; without a branch, which a processor cannot foresee."""
    _lowest(distance, half, lowest)
    near, hits = LANES, 0
    for lane in range(TOGETHER):
        within[near] = lane
        near += lowest[lane] <= bound
    for place in range(LANES, near):
        for part in range(0, LANES, TOGETHER):
            lane = within[place] + part
            within[hits] = lane
            hits += distance[half, lane] <= bound
    return hits


_hits = compiled(_hits_of_block, inside=True)


def _keep_nearest(
    slots: Any, block: int, distance: Any, bits: Any, half: int, images: Any, own: int, hits: int, within: Any,
    keys: Any, row: int, held: Any, bounds: Any, count: int,
) -> None:  # fmt: skip
    """Take samples within the bound among those held; where these are too many, drop the farther and draw it nearer."""
    for hit in range(hits):
        lane = within[hit]
        sample = slots[block, lane]
        if not distance[half, lane] <= bounds[row] or sample == NONE or (own != NONE and images[sample] == own):
            continue
        keys[row, held[row]] = _key(bits[half, lane], sample)
        held[row] += 1
        if held[row] == keys.shape[1]:
            _select(keys[row], held[row], count)
            held[row], bounds[row] = count, _distance_of(keys[row, count - 1])


_keep = compiled(_keep_nearest, inside=True)


def _scan_blocks(
    projected: Any, slots: Any, images: Any, along: Any, own: Any, first: Any, asks: Any, near: Any, distance: Any,
    bounds: Any, found: Any,
) -> None:  # fmt: skip
    rows, count = found.shape
    keys, held = np.empty((rows, ROOM * count), np.int64), np.zeros(rows, np.int64)
    bits, lowest, within = distance.view(np.int32), np.empty(TOGETHER, np.float32), np.empty(LANES + TOGETHER, np.int64)
    for number in range(asks.shape[1]):
        if not asks[:, number].any():
            continue
        for block in range(first[number], first[number + 1]):
            _bring(projected, block, near)
            for pair in range(0, rows, 2):
                last = min(pair + 1, rows - 1)
                if not (asks[pair, number] or asks[last, number]):
                    continue
                _distances(near, along, pair, last, distance)
                for row in range(pair, last + 1):
                    hits = _hits(distance, row - pair, bounds[row], lowest, within) if asks[row, number] else 0
                    if hits:
                        _keep(slots, block, distance, bits, row - pair, images, own[row], hits, within, keys, row, held,
                              bounds, count)  # fmt: skip
    for row in range(rows):
        kept = min(held[row], count)
        _select(keys[row], held[row], kept)
        for place in range(kept):
            found[row, place] = keys[row, place] & SAMPLE


_scan = compiled(_scan_blocks)
