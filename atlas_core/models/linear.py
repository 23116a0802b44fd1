"""Heads that are a global average and a linear layer, found by behaviour and not by the operators' names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from atlas_core.models.graph import HeadState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atlas_core.models.graph import Head

PROBES = 4
# relative to the largest logit of the probes: float32 rounding stays under 1e-5, any ReLU is of order one
TOLERANCE = 1e-3
BATCH = 64


class LinearHead(NamedTuple):
    """logits = weight · (mean of the activations over positions) + bias."""

    weight: Tensor  # (classes, C)
    bias: Tensor  # (classes,)


@torch.no_grad()
def linear_head(head: Head, shape: Sequence[int], device: torch.device | str = "cpu") -> LinearHead | None:
    """Find the closed form of a head, if it has one.

    A few random probes, negative ones among them, tell almost every other head apart before the weight is read off
    one channel at a time; the closed form must then give the probes' logits.

    Args:
        head: From a layer of this shape to logits.
        shape: The layer's (channels, height, width).
        device: Where the head is.
    """
    generator = torch.Generator().manual_seed(0)
    probes = 3 * torch.randn((PROBES, *shape), generator=generator)
    probes[1:3] *= 10  # so that saturation shows
    probes = probes.to(device)
    if _carries(head):
        return None
    state = HeadState(probes)
    outputs = head(state, probes)
    bias = head(HeadState(probes[:1] * 0), probes[:1] * 0)[0]
    pooled = probes.mean((2, 3), keepdim=True).expand_as(probes)
    near = TOLERANCE * float((outputs - bias).abs().max())
    if outputs.ndim != 2 or not _same(head(state, pooled), outputs, near):
        return None
    weight = _columns(head, shape, bias)
    return LinearHead(weight, bias) if _same(probes.mean((2, 3)) @ weight.T + bias, outputs, near) else None


def _carries(head: Head) -> bool:
    graph = getattr(head.tail, "graph", None)
    return graph is None or sum(node.op == "placeholder" for node in graph.nodes) > 1


def _columns(head: Head, shape: Sequence[int], bias: Tensor) -> Tensor:
    columns = []
    for first in range(0, shape[0], BATCH):
        batch = bias.new_zeros((min(BATCH, shape[0] - first), *shape))
        for index in range(len(batch)):
            batch[index, first + index] = 1
        columns.append(head(HeadState(batch), batch) - bias)
    return torch.cat(columns).T.contiguous()


def _same(one: Tensor, other: Tensor, tolerance: float) -> bool:
    return bool((one - other).abs().max() <= tolerance)
