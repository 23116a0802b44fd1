"""The stored samples nearest to a position: candidates along principal axes, then ranked anew in all channels.

Every position is worked out for itself, in one order of sums, so its bytes do not depend on its company. All that
company does is that a block of samples, once in the processor's cache, serves every position before the next is read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.errors import LayoutError

if TYPE_CHECKING:
    from numpy.typing import NDArray

AXES = 64
"""As many axes as an index has where its layer has so many channels; a loop of known length runs twice as fast."""
BLOCK = 256
"""Samples that serve all positions at a time: 64 kB along 64 axes."""
STRIDE = 16
"""Of so many samples one is looked at first, to guess a bound that few of the others are within."""
ROOM = 4
"""Times as many samples as are wanted are held until the farther ones are dropped."""
SAMPLE = 2**32 - 1
"""A sample's part of a key; above it stand the bits of its distance."""
NONE = -1
HALF_SCALE = 2.0**112
"""From a float16's exponent, put where a float32 has its own, to its value."""


def along_axes(
    activations: NDArray[np.floating[Any]], mean: NDArray[np.float32], axes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit activations of positions, and where these lie along some axes.

    Args:
        activations: Shape (p, channels); zeros stay zeros.
        mean: Subtracted from a unit activation, shape (channels,).
        axes: Shape (axes, channels).

    Returns:
        Unit rows, shape (p, channels), and shape (p, axes).

    Raises:
        LayoutError: A number is not finite.
    """
    rows = np.ascontiguousarray(activations, dtype=np.float32)
    unit, along = np.empty_like(rows), np.empty((len(rows), len(axes)), dtype=np.float32)
    wrong = _prepare(rows, mean, axes, unit, along)
    if wrong != NONE:
        raise LayoutError(f"position {wrong} holds a number that is not finite; check the model's normalisation")
    return unit, along


def nearest_along(
    projected: NDArray[np.float32],
    images: NDArray[np.int64],
    along: NDArray[np.float32],
    own: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """The samples nearest to each position along the axes; of two as near, the first.

    Args:
        projected: Samples along the axes, shape (n, axes).
        images: Of the samples, shape (n,).
        along: Positions along the axes, shape (p, axes).
        own: Image whose samples a position must not take, shape (p,).
        count: Samples wanted.

    Returns:
        Samples in no order, shape (p, count); behind them -1 where there are fewer.
    """
    found = np.full((len(along), count), NONE, dtype=np.int64)
    bounds, keys = np.empty(len(along), np.float32), np.empty((len(along), ROOM * count), np.int64)
    _bounds(projected, images, along, own, count, bounds)
    guessed = np.isfinite(bounds)
    _scan(projected, images, along, own, bounds, keys, found)
    short = guessed & (found[:, -1] == NONE)
    if short.any():  # a guess was too near
        some = np.full((int(short.sum()), count), NONE, dtype=np.int64)
        _scan(projected, images, along[short], own[short], np.full(len(some), np.inf, np.float32), keys, some)
        found[short] = some
    return found


def nearest_exactly(
    activations: NDArray[np.float16],
    length: NDArray[np.float32],
    unit: NDArray[np.float32],
    candidates: NDArray[np.int64],
    count: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The nearest of each position's candidates by cosine in all channels.

    Args:
        activations: Of the samples, finite, shape (n, channels).
        length: Their lengths, shape (n,).
        unit: Unit activations of the positions, shape (p, channels).
        candidates: As `nearest_along` gives them, shape (p, c).
        count: Samples wanted.

    Returns:
        Samples and their cosine distances, each of shape (p, count), by distance, then by number; behind them -1,
        infinitely far, where there are fewer.
    """
    samples = np.full((len(unit), count), NONE, dtype=np.int64)
    distance = np.full(samples.shape, np.inf)
    _rank(activations.view(np.uint16), length, unit, candidates, samples, distance)
    return samples, distance


def _prepare_rows(rows: Any, mean: Any, axes: Any, unit: Any, along: Any) -> int:
    for row in range(rows.shape[0]):
        total = 0.0
        for channel in range(rows.shape[1]):
            total += np.float64(rows[row, channel]) * np.float64(rows[row, channel])
        if not total < np.inf:
            return row
        length = np.float32(math.sqrt(total)) if total > 0 else np.float32(1)
        for channel in range(rows.shape[1]):
            unit[row, channel] = rows[row, channel] / length
        for axis in range(axes.shape[0]):
            place = np.float32(0)
            for channel in range(rows.shape[1]):
                place += axes[axis, channel] * (unit[row, channel] - mean[channel])
            along[row, axis] = place
    return NONE


_prepare = compiled(_prepare_rows, fast=True)


def _distances_along(projected: Any, query: Any, first: int, last: int, step: int, squared: Any) -> None:
    if projected.shape[1] == AXES:
        for sample in range(first, last, step):
            total = np.float32(0)
            for axis in range(AXES):
                offset = projected[sample, axis] - query[axis]
                total += offset * offset
            squared[(sample - first) // step] = total
    else:
        for sample in range(first, last, step):
            total = np.float32(0)
            for axis in range(projected.shape[1]):
                offset = projected[sample, axis] - query[axis]
                total += offset * offset
            squared[(sample - first) // step] = total


_distances = compiled(_distances_along, fast=True)


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


def _squared_of_key(key: int) -> Any:
    bits = np.empty(1, np.int32)
    bits[0] = key >> 32
    return bits.view(np.float32)[0]


_squared_of = compiled(_squared_of_key)


def _likely_bounds(projected: Any, images: Any, along: Any, own: Any, count: int, bounds: Any) -> None:
    """A distance for each position that about twice as many samples as are wanted lie within, by some of them."""
    rank = 2 * count // STRIDE
    taken = projected.shape[0] // STRIDE
    if rank == 0 or taken < 4 * rank:
        bounds[:] = np.inf
        return
    squared, keys = np.empty(taken, np.float32), np.empty(taken, np.int64)
    bits = squared.view(np.int32)
    for row in range(along.shape[0]):
        _distances(projected, along[row], 0, taken * STRIDE, STRIDE, squared)
        for number in range(taken):
            if images[number * STRIDE] == own[row]:
                squared[number] = np.inf
            keys[number] = (np.int64(bits[number]) << 32) | number
        _select(keys, taken, rank)
        bounds[row] = squared[keys[rank - 1] & SAMPLE]


_bounds = compiled(_likely_bounds)


def _scan_blocks(projected: Any, images: Any, along: Any, own: Any, bounds: Any, keys: Any, found: Any) -> None:
    rows, count, room = along.shape[0], found.shape[1], keys.shape[1]
    held = np.zeros(rows, np.int64)
    squared, within = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int64)
    bits = squared.view(np.int32)  # of floats from 0 up they sort as the floats do
    for first in range(0, projected.shape[0], BLOCK):
        last = min(projected.shape[0], first + BLOCK)
        for row in range(rows):
            _distances(projected, along[row], first, last, 1, squared)
            hits = 0
            for place in range(last - first):  # without a branch, which a processor could not foresee
                within[hits] = place
                hits += squared[place] < bounds[row]
            for hit in range(hits):
                place = within[hit]
                if images[first + place] == own[row] or not squared[place] < bounds[row]:
                    continue
                keys[row, held[row]] = (np.int64(bits[place]) << 32) | (first + place)
                held[row] += 1
                if held[row] == room:
                    _select(keys[row], room, count)
                    held[row] = count
                    bounds[row] = _squared_of(keys[row, count - 1])
    for row in range(rows):
        kept = min(held[row], count)
        _select(keys[row], held[row], kept)
        found[row, :kept] = keys[row, :kept] & SAMPLE


_scan = compiled(_scan_blocks)


def _unpack_half(half: Any, bits: Any) -> None:
    for channel in range(half.shape[0]):
        value = np.int32(half[channel])
        bits[channel] = ((value & 0x8000) << 16) | ((value & 0x7FFF) << 13)


_unpack = compiled(_unpack_half)


def _cosine_distance(unit: Any, shifted: Any, length: Any) -> float:
    total = 0.0
    for channel in range(unit.shape[0]):
        total += unit[channel] * np.float64(shifted[channel] * np.float32(HALF_SCALE) / length)
    return min(2.0, max(0.0, 1.0 - total))


_cosine = compiled(_cosine_distance, fast=True)


def _is_before(far: float, sample: int, other_far: float, other: int) -> bool:
    return far < other_far or (far == other_far and sample < other)


_before = compiled(_is_before)


def _rank_rows(half: Any, length: Any, unit: Any, candidates: Any, samples: Any, distance: Any) -> None:
    bits = np.empty(half.shape[1], np.int32)
    shifted = bits.view(np.float32)
    last = samples.shape[1] - 1
    for row in range(candidates.shape[0]):
        asked = unit[row].astype(np.float64)
        for candidate in candidates[row]:
            if candidate == NONE:
                break
            _unpack(half[candidate], bits)
            far = _cosine(asked, shifted, length[candidate])
            if not _before(far, candidate, distance[row, last], samples[row, last]):
                continue
            place = last
            while place > 0 and _before(far, candidate, distance[row, place - 1], samples[row, place - 1]):
                distance[row, place], samples[row, place] = distance[row, place - 1], samples[row, place - 1]
                place -= 1
            distance[row, place], samples[row, place] = far, candidate


_rank = compiled(_rank_rows)
