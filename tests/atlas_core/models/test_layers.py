from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from atlas_core.models.graph import Network, freeze, shapes_of
from atlas_core.models.layers import list_layers, trace
from tests.atlas_core.models.families import TINY

if TYPE_CHECKING:
    from atlas_core.cards import LayerInfo


class Branches(nn.Module):
    """Strides, dilation, ceil mode, a concatenation, a gate, calls of functions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, (5, 3), stride=2, padding=(2, 0))
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.narrow = nn.Conv2d(2, 2, 1)
        self.wide = nn.Conv2d(2, 2, 3, padding=2, dilation=2)
        self.gate = nn.Linear(4, 4)

    def forward(self, pixels: Tensor) -> Tensor:
        values = self.pool(functional.relu(self.stem(pixels), inplace=True))
        joined = torch.cat([self.narrow(values), self.wide(values)], 1)
        gates = self.gate(joined.mean((2, 3)))[:, :, None, None]
        return functional.avg_pool2d(joined * gates, 2)


def listed(module: nn.Module, shape: tuple[int, int, int]) -> tuple[Network, dict[str, LayerInfo]]:
    graph, places = trace(module.eval())
    freeze(graph)
    shapes = shapes_of(graph, torch.zeros(2, *shape))
    return Network(graph, places, None), {layer.name: layer for layer in list_layers(graph, places, shapes)}


def seen_by_gradient(network: Network, layer: LayerInfo, side: int) -> tuple[list[float], list[float]]:
    """Low and high edge of what the position next to the centre sees, by a gradient through positive weights."""
    trunk = network.trunk(layer.name).double()
    with torch.no_grad():
        for parameter in trunk.parameters():
            parameter.fill_(0.1)
    pixels = torch.ones(1, 1, side, side, dtype=torch.float64).add(torch.rand(side, side)).requires_grad_()
    row, column = layer.shape[1] // 2, layer.shape[2] // 2
    trunk(pixels)[0, :, row, column].sum().backward()
    assert pixels.grad is not None
    rows, columns = np.nonzero(pixels.grad[0, 0].numpy())
    return [rows.min(), columns.min()], [rows.max() + 1, columns.max() + 1]


@pytest.mark.parametrize("name", ["stem", "narrow", "wide", "cat"])
def test_receptive_fields_are_what_gradients_reach(name: str) -> None:
    side = 41
    network, layers = listed(Branches(), (1, side, side))
    layer = layers[name]
    field = layer.receptive_field
    assert field is not None
    # pooling passes the gradient of one pixel only; averaging passes all
    network.module.pool = nn.AvgPool2d(3, 2, ceil_mode=True)
    low, high = seen_by_gradient(network, layer, side)
    at = np.array([layer.shape[1] // 2, layer.shape[2] // 2])
    centre = np.array(field.start) + at * np.array(field.jump)
    np.testing.assert_array_equal(low, centre - np.array(field.size) / 2)
    np.testing.assert_array_equal(high, centre + np.array(field.size) / 2)


def test_gates_of_the_whole_picture_are_left_out() -> None:
    _, layers = listed(Branches(), (1, 41, 41))
    joined, pooled = layers["cat"].receptive_field, layers["avg_pool2d"].receptive_field
    assert joined is not None
    assert pooled is not None
    assert layers["mul"].receptive_field == joined
    assert pooled.jump[0] == 8
    assert pooled.size[0] == joined.size[0] + 4


def test_squeezenets_fields_are_the_known_ones() -> None:
    network = torchvision.models.squeezenet1_0(weights=None, num_classes=2)
    _, layers = listed(network, (3, 95, 95))
    fields = {name: layers[name].receptive_field for name in ("features.5", "features.10", "features.12")}
    sizes = {name: (field.size[0], field.jump[0], field.start[0]) for name, field in fields.items() if field}
    assert sizes == {"features.5": (35, 4, 5.5), "features.10": (107, 8, 9.5), "features.12": (155, 16, 17.5)}


def test_a_blocks_name_is_its_last_node_and_every_call_has_a_name() -> None:
    network, layers = listed(torchvision.models.resnet18(weights=None, num_classes=2), (3, 96, 96))
    places = network.places
    assert places["layer1"] is places["layer1.1"] is places["layer1.1.relu_1"]
    assert places["layer1.1.relu"] is not places["layer1.1.relu_1"]
    assert layers["layer1.1"].shape == (64, 24, 24)
    names = list(layers)
    assert names.index("layer1.0") < names.index("layer1") < names.index("layer1.1") < names.index("conv1")
    assert "avgpool" not in layers  # one position
    assert "fc" not in layers


def test_blocks_are_listed_by_the_names_of_their_modules() -> None:
    network, layers = listed(torchvision.models.resnet18(weights=None, num_classes=2), (3, 96, 96))
    blocks = [name for name, layer in layers.items() if layer.block]
    assert blocks[:3] == ["layer1.0", "layer1", "layer1.1"]
    assert "layer1.0.relu_1" not in blocks  # the same place by its node's name
    assert network.places["layer1.0.relu_1"] is network.places["layer1.0"]
    assert "layer2.0.downsample" not in blocks  # beside what goes around it
    assert list(layers)[: len(blocks)] == blocks


def test_without_modules_blocks_end_where_the_grid_shrinks() -> None:
    class Calls(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            first = torch.relu(functional.max_pool2d(torch.sigmoid(pixels), 2))
            return functional.max_pool2d(torch.tanh(first), 2)

    _, layers = listed(Calls(), (1, 24, 24))
    assert [name for name, layer in layers.items() if layer.block] == ["sigmoid", "tanh"]


@pytest.mark.parametrize("family", ["swin", "swin_v2"])
def test_windows_of_attention_reach_as_far_as_their_fields_say(family: str) -> None:
    """Every position's gradient lies in its field, and some position's fills the field's half."""
    network, layers = listed(TINY[family].make(), (3, 64, 64))
    layer = layers["features.1.0"]
    field = layer.receptive_field
    assert field is not None
    assert max(field.size) == min(field.size) == 14  # seven patches of 2 × 2: windows of four, on either side
    trunk = network.trunk(layer.name)  # channels last, as it was not told otherwise
    filled = 0.0
    for row in range(12, 20):
        pixels = torch.rand(1, 3, 64, 64).requires_grad_()
        (gradient,) = torch.autograd.grad(trunk(pixels)[0, row, 16].square().sum(), pixels)
        rows = np.flatnonzero(gradient[0].abs().sum((0, 2)).numpy())
        centre = field.start[0] + row * field.jump[0]
        assert centre - field.size[0] / 2 <= rows.min()
        assert rows.max() + 1 <= centre + field.size[0] / 2
        filled = max(filled, centre - rows.min())
    assert filled == field.size[0] / 2
    assert layers["features.3.0"].receptive_field != layer.receptive_field


def test_every_token_of_global_attention_sees_the_whole_picture() -> None:
    _, layers = listed(TINY["vit"].make(), (3, 32, 32))
    patches, block = layers["conv_proj"].receptive_field, layers["encoder.layers.encoder_layer_0"].receptive_field
    assert patches is not None
    assert block is not None
    assert (patches.size, patches.jump, patches.start) == ((4, 4), (4, 4), (2, 2))
    assert (block.size, block.jump, block.start) == ((32, 32), (4, 4), (2, 2))


def test_an_operation_that_moves_places_has_no_field() -> None:
    class Turned(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return pixels.transpose(2, 3) + 1

    _, layers = listed(Turned(), (1, 8, 8))
    assert [layer.receptive_field for layer in layers.values()] == [None, None]
