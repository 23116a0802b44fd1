"""Networks that take one image at a time, from files whose graph is right for a batch of one alone.

An exporter that knows of one image only may write a transposition past its axis as a reshape, or leave it out; such a
graph cannot be freed of its batch, and is run image by image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from atlas_core.models.graph import Network


class EachImage(nn.Module):
    """Runs a module for each image of a batch; gives a tuple of the results joined.

    Args:
        module: Takes one image's tensors.
        stacked: How many of its arguments, from the front, have an axis of images of their own; of the others, such as
            values carried around a layer, each image's is one entry of a leading axis.
        joined: As `stacked`, of its results.
    """

    def __init__(self, module: nn.Module, stacked: int, joined: int) -> None:
        super().__init__()
        self.module, self.stacked, self.joined = module, stacked, joined

    def forward(self, *values: Any) -> tuple[Any, ...]:
        """Run each image."""
        results = [self._one(values, image) for image in range(len(values[0]))]
        return tuple(
            torch.cat(parts) if place < self.joined else torch.stack(parts)
            for place, parts in enumerate(zip(*results, strict=True))
        )

    def _one(self, values: Sequence[Any], image: int) -> tuple[Any, ...]:
        parts = [
            value
            if not isinstance(value, Tensor)
            else value[image : image + 1]
            if place < self.stacked
            else value[image]
            for place, value in enumerate(values)
        ]
        result = self.module(*parts)
        return result if isinstance(result, tuple) else (result,)


class OneByOne(Network):
    """A network whose module takes a batch of one; what is cut from it takes any."""

    def reader(self, layers: Sequence[str], *, logits: bool) -> fx.GraphModule:
        """See Network.reader."""
        module = super().reader(layers, logits=logits)
        return _traced(EachImage(module, 1, len(layers) + 1), 1, lambda result: result)

    def trunk(self, layer: str) -> fx.GraphModule:
        """See Network.trunk."""
        return _traced(EachImage(super().trunk(layer), 1, 1), 1, _first)

    def split(self, layer: str) -> tuple[fx.GraphModule, fx.GraphModule]:
        """See Network.split."""
        prefix, tail = super().split(layer)
        count = sum(node.op == "placeholder" for node in tail.graph.nodes)
        return (
            _traced(EachImage(prefix, 1, 1), 1, lambda result: result),
            _traced(EachImage(tail, 1, 1), count, _first),
        )


def _first(result: Any) -> Any:
    return result[0]


def _traced(module: EachImage, count: int, answer: Callable[[fx.Proxy], Any]) -> fx.GraphModule:
    """A graph of so many inputs and one call of a module."""
    graph = fx.Graph()
    inputs = [graph.placeholder(f"value_{place}") for place in range(count)]
    called = graph.call_module("each", tuple(inputs))
    result = answer(fx.Proxy(called))
    graph.output(result.node)
    return fx.GraphModule(nn.ModuleDict({"each": module}), graph)
