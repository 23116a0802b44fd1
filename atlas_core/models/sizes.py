"""Networks that take one size of input alone, as behind a transformer's position embedding, and icons on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

if TYPE_CHECKING:
    from atlas_core.cards import InputCard

# of the card's sides; odd, so that what needs even or divisible sides shows too
OTHER_SIZE = 0.75


class Framed(nn.Module):
    """Shows a network pictures in the middle of the input that it takes; around them is its mean colour.

    Args:
        trunk: Takes pixels 0..1 of the card's height and width.
        input: The card.
    """

    mean: Tensor

    def __init__(self, trunk: nn.Module, input: InputCard) -> None:
        super().__init__()
        self.trunk = trunk
        self.size = (input.height, input.width)
        self.register_buffer("mean", torch.tensor(input.mean, dtype=torch.float32).reshape(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """The layer's activations on the whole input; pixels no larger than that, shape (n, channels, h, w)."""
        down, across = (whole - own for whole, own in zip(self.size, pixels.shape[2:], strict=True))
        sides = (across // 2, across - across // 2, down // 2, down - down // 2)
        activations: Tensor = self.trunk(functional.pad(pixels - self.mean, sides) + self.mean)
        return activations


def fixed_nodes(module: fx.GraphModule, input: InputCard) -> frozenset[fx.Node]:
    """The nodes that cannot be computed from pictures of another size than the card's, by trying one."""
    trial = _Trial(module)
    with torch.no_grad():
        trial.run(torch.zeros(1, input.channels, *(int(side * OTHER_SIZE) | 1 for side in (input.height, input.width))))
    return frozenset(trial.failed)


class _Failed:
    """The value of a node that could not be computed."""


class _Trial(fx.Interpreter):
    """Runs as many nodes as can be."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.failed: set[fx.Node] = set()

    def run_node(self, n: fx.Node) -> Any:
        """Run one node, unless one that it needs failed."""
        if n.op == "output":
            return None
        if any(source in self.failed for source in n.all_input_nodes):
            self.failed.add(n)
            return _Failed()
        try:
            return super().run_node(n)
        except Exception:  # whatever the operation raises
            self.failed.add(n)
            return _Failed()
