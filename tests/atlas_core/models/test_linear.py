from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from atlas_core.models.graph import Head
from atlas_core.models.linear import linear_head

WEIGHT = torch.tensor([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])


def classifier() -> nn.Linear:
    layer = nn.Linear(3, 2)
    layer.weight.data, layer.bias.data = WEIGHT.clone(), torch.tensor([7.0, -7.0])
    return layer


class Tail(nn.Module):
    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.Sequential(*parts)

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.parts(values)
        return result


def head(*parts: nn.Module) -> Head:
    return Head(nn.Identity(), torch.fx.symbolic_trace(Tail(*parts).eval()))


def test_pooling_and_a_linear_layer_have_a_closed_form() -> None:
    found = linear_head(
        head(nn.Dropout(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), classifier()), (3, 4, 5)
    )
    assert found is not None
    torch.testing.assert_close(found.weight, WEIGHT)
    torch.testing.assert_close(found.bias, torch.tensor([7.0, -7.0]))


@pytest.mark.parametrize(
    "parts",
    [
        (nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier()),
        (nn.AdaptiveMaxPool2d(1), nn.Flatten(), classifier()),
        (nn.Hardtanh(-20, 20), nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier()),
        (nn.Conv2d(3, 3, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        (nn.Flatten(), nn.Linear(60, 2)),  # linear, but not in the mean
        (nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier(), nn.Softmax(1)),
    ],
)
def test_other_heads_have_none(parts: tuple[nn.Module, ...]) -> None:
    torch.manual_seed(0)
    assert linear_head(head(*parts), (3, 4, 5)) is None


def test_a_skip_around_the_layer_has_none() -> None:
    class Skip(nn.Module):
        def forward(self, values: Tensor, carried: Tensor) -> Tensor:
            return (values + carried).mean((2, 3))

    assert linear_head(Head(nn.Identity(), torch.fx.symbolic_trace(Skip())), (3, 4, 5)) is None
