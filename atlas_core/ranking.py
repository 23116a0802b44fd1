"""The nearest of a position's candidates by cosine in all channels, read from float16 as they are stored.

Every position is worked out for itself, in one order of sums, which are float32, so its bytes do not depend on its
company.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from atlas_core.compiled import compiled
from atlas_core.lanes import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = np.int32(-0x70002000)
"""A float32's sign and the bits that a float16 fills, once these are shifted by 13 with the sign before them."""
HALF_SCALE = 2.0**112
"""From a float16's exponent, put where a float32 has its own, to its value."""


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
    _rank(activations.view(np.int16), length, unit, candidates, samples, distance)
    return samples, distance


def _unpack_half(half: Any, bits: Any) -> None:
    for channel in range(half.shape[0]):
        bits[channel] = (np.int32(half[channel]) << 13) & KEPT


_unpack = compiled(_unpack_half)


def _product_of_rows(asked: Any, shifted: Any) -> Any:
    total = np.float32(0)
    for channel in range(asked.shape[0]):
        total += asked[channel] * shifted[channel]
    return total


_product = compiled(_product_of_rows, fast=True)


def _is_before(far: float, sample: int, other_far: float, other: int) -> bool:
    return far < other_far or (far == other_far and sample < other)


_before = compiled(_is_before)


def _rank_rows(half: Any, length: Any, unit: Any, candidates: Any, samples: Any, distance: Any) -> None:
    asked, bits = np.empty(half.shape[1], np.float32), np.empty(half.shape[1], np.int32)
    shifted = bits.view(np.float32)
    last = samples.shape[1] - 1
    for row in range(candidates.shape[0]):
        for channel in range(half.shape[1]):
            asked[channel] = unit[row, channel] * np.float32(HALF_SCALE)
        for number in range(candidates.shape[1]):
            candidate = candidates[row, number]
            if candidate == NONE:
                break
            _unpack(half[candidate], bits)
            far = min(2.0, max(0.0, 1.0 - np.float64(_product(asked, shifted)) / np.float64(length[candidate])))
            if not _before(far, candidate, distance[row, last], samples[row, last]):
                continue
            place = last
            while place > 0 and _before(far, candidate, distance[row, place - 1], samples[row, place - 1]):
                distance[row, place], samples[row, place] = distance[row, place - 1], samples[row, place - 1]
                place -= 1
            distance[row, place], samples[row, place] = far, candidate


_rank = compiled(_rank_rows)
