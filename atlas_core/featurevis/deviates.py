"""Random numbers without a state: each a function of its key, its stream and its place alone.

A generator of its own for each icon, on whatever device: splitmix64 on counters, computed all at once. numpy's Philox
took more time for the noise of 25,600 icons than a GPU takes to render them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

GOLDEN = -0x61C8864680B583EB  # 2^64 / golden ratio, as the signed number that int64 holds
FIRST_MIX, SECOND_MIX = -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
SHIFTS = (30, 27, 31)
BITS = 24


def uniform(keys: Sequence[int], stream: int, count: int, device: torch.device) -> torch.Tensor:
    """Uniform deviates in the open interval (0, 1).

    Args:
        keys: One an icon, taken modulo 2^64.
        stream: Of one key, different streams have nothing to do with each other.
        count: Deviates a key.
        device: Where to compute; the numbers are the same everywhere.

    Returns:
        Shape (m, count), float32.
    """
    wrapped = [(key + stream * GOLDEN + 2**63) % 2**64 - 2**63 for key in keys]
    seeds = _mixed(torch.tensor(wrapped, dtype=torch.int64, device=device))
    places = torch.arange(1, count + 1, dtype=torch.int64, device=device) * GOLDEN
    mixed = _mixed(seeds[:, None] + places)
    drawn: torch.Tensor = (_shifted(mixed, 64 - BITS).to(torch.float32) + 0.5) / 2**BITS
    return drawn


def normal(keys: Sequence[int], stream: int, count: int, device: torch.device) -> torch.Tensor:
    """Pairs of normal deviates, by Box and Muller; shape (m, count, 2), float32. Arguments as of `uniform`."""
    drawn = uniform(keys, stream, 2 * count, device)
    radius, angle = drawn[:, :count], drawn[:, count:]
    length = (-2 * radius.log()).sqrt()
    return torch.stack([length * (2 * torch.pi * angle).cos(), length * (2 * torch.pi * angle).sin()], dim=-1)


def _mixed(state: torch.Tensor) -> torch.Tensor:
    """splitmix64's finaliser; int64 wraps around, which is what it wants."""
    state = torch.bitwise_xor(state, _shifted(state, SHIFTS[0])) * FIRST_MIX
    state = torch.bitwise_xor(state, _shifted(state, SHIFTS[1])) * SECOND_MIX
    return torch.bitwise_xor(state, _shifted(state, SHIFTS[2]))


def _shifted(state: torch.Tensor, bits: int) -> torch.Tensor:
    """Shifted to the right as if it were unsigned."""
    shifted: torch.Tensor = (state >> bits) & ((1 << (64 - bits)) - 1)
    return shifted
