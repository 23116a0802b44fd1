from __future__ import annotations

import torch
from torch import Tensor, nn

from atlas_core.models.blocks import bottlenecks
from atlas_core.models.graph import shapes_of
from atlas_core.models.layers import list_layers, trace
from atlas_core.models.tokens import forms


class Inner(nn.Module):
    """A residual block with a gate beside and a branch of two weighted layers within."""

    def __init__(self) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1))
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1))

    def forward(self, values: Tensor) -> Tensor:
        inside = self.branch(values)
        joined: Tensor = values + inside * torch.sigmoid(self.gate(inside))
        return joined


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)  # a single layer is part of a block
        self.body = nn.Sequential(Inner(), Inner())
        self.head = nn.Linear(4, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        values = self.body(torch.relu(self.stem(pixels)))
        size = values.shape[1]  # numbers are no way around
        logits: Tensor = self.head(values.mean((2, 3)).reshape(-1, size))
        return logits


def test_what_a_skip_goes_around_a_branch_and_a_gate_are_no_blocks() -> None:
    graph, places = trace(Network().eval())
    layers = list_layers(graph, places, shapes_of(graph, torch.zeros(2, 3, 8, 8)))
    assert [layer.name for layer in layers if layer.block] == ["body.0", "body", "body.1"]


def test_bottlenecks_are_where_every_path_passes() -> None:
    graph, places = trace(Network().eval())
    shapes = shapes_of(graph, torch.zeros(2, 3, 8, 8))
    passed = bottlenecks(graph, shapes, forms(graph, shapes))
    assert {"stem", "relu", "body.0", "body.1", "head"} <= {name for name, node in places.items() if node in passed}
    assert not {"body.0.branch", "body.0.gate", "body.1.mul"} & {
        name for name, node in places.items() if node in passed
    }
