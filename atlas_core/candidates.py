"""The stored samples that are probably nearest to a position: those nearest along principal axes.

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


def nearest_along_in_lists(
    projected: NDArray[np.float32],
    images: NDArray[np.int64],
    along: NDArray[np.float32],
    own: NDArray[np.int64],
    count: int,
    order: NDArray[np.int64],
    start: NDArray[np.int64],
    lists: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The same among the samples of some lists, those of each position for itself.

    Args:
        projected: As in `nearest_along`, as are the next four.
        images: Shape (n,).
        along: Shape (p, axes).
        own: Shape (p,).
        count: Samples wanted.
        order: Samples by list, shape (n,).
        start: Where each list begins in `order`, and where the last ends.
        lists: Numbers of the lists that a position looks through, shape (p, probes).

    Returns:
        As `nearest_along`.
    """
    found = np.full((len(along), count), NONE, dtype=np.int64)
    keys = np.empty((len(along), ROOM * count), np.int64)
    _listed(projected, images, along, own, order, start, lists, keys, found)
    return found


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
        for row in range(along.shape[0]):
            bounds[row] = np.inf
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


def _keep_nearest(
    samples: Any, size: int, squared: Any, images: Any, own: int, keys: Any, held: int, bound: Any, count: int
) -> Any:
    """Take samples within the bound among those held; where these are too many, drop the farther and draw it nearer."""
    within = np.empty(BLOCK, np.int64)
    bits = squared.view(np.int32)  # of floats from 0 up they sort as the floats do
    hits = 0
    for place in range(size):  # without a branch, which a processor could not foresee
        within[hits] = place
        hits += squared[place] < bound
    for hit in range(hits):
        place = within[hit]
        if images[samples[place]] == own or not squared[place] < bound:
            continue
        keys[held] = (np.int64(bits[place]) << 32) | samples[place]
        held += 1
        if held == keys.shape[0]:
            _select(keys, held, count)
            held, bound = count, _squared_of(keys[count - 1])
    return held, bound


_keep = compiled(_keep_nearest)


def _found_rows(keys: Any, held: Any, found: Any) -> None:
    for row in range(found.shape[0]):
        kept = min(held[row], found.shape[1])
        _select(keys[row], held[row], kept)
        for place in range(kept):
            found[row, place] = keys[row, place] & SAMPLE


_found = compiled(_found_rows)


def _scan_all(projected: Any, images: Any, along: Any, own: Any, bounds: Any, keys: Any, found: Any) -> None:
    count = found.shape[1]
    held = np.zeros(along.shape[0], np.int64)
    squared, samples = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int64)
    for first in range(0, projected.shape[0], BLOCK):
        size = min(projected.shape[0] - first, BLOCK)
        for place in range(size):
            samples[place] = first + place
        for row in range(along.shape[0]):
            _distances(projected, along[row], first, first + size, 1, squared)
            held[row], bounds[row] = _keep(
                samples, size, squared, images, own[row], keys[row], held[row], bounds[row], count
            )
    _found(keys, held, found)


_scan = compiled(_scan_all)


def _scan_lists(
    projected: Any, images: Any, along: Any, own: Any, order: Any, start: Any, lists: Any, keys: Any, found: Any
) -> None:
    held = np.zeros(along.shape[0], np.int64)
    squared, rows = np.empty(BLOCK, np.float32), np.empty((BLOCK, projected.shape[1]), np.float32)
    for row in range(along.shape[0]):
        bound = np.float32(np.inf)
        for number in lists[row]:
            for first in range(start[number], start[number + 1], BLOCK):
                samples = order[first : min(start[number + 1], first + BLOCK)]
                for place in range(samples.shape[0]):
                    sample = samples[place]
                    for axis in range(projected.shape[1]):
                        rows[place, axis] = projected[sample, axis]
                _distances(rows, along[row], 0, samples.shape[0], 1, squared)
                held[row], bound = _keep(
                    samples, samples.shape[0], squared, images, own[row], keys[row], held[row], bound, found.shape[1]
                )
    _found(keys, held, found)


_listed = compiled(_scan_lists)
