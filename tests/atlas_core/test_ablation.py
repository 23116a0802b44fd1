"""Local ablation gives what a full run gives, whatever the network is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from atlas_core import ablation
from atlas_core.ablation import LocalTail
from tests.atlas_core.tiny import TinyModel

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas_core.models.graph import HeadState
from atlas_core.windows import Window

SIDE = 21


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.second = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        return torch.relu(values + self.second(self.first(values)))


class Branches(nn.Module):
    """Branches of different reach, joined along the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(8, 4, 1)
        self.wide = nn.Conv2d(8, 4, (3, 5), padding=(1, 2))

    def forward(self, values: Tensor) -> Tensor:
        return torch.cat([self.narrow(values), self.wide(values)], 1)


class Gated(nn.Module):
    """A gate that sees the whole map: no window is enough."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Conv2d(8, 8, 1)

    def forward(self, values: Tensor) -> Tensor:
        return values * torch.sigmoid(self.gate(self.pool(values)))


BODIES: dict[str, Callable[[], nn.Module]] = {  # made in each test, after its seed
    "nothing": lambda: nn.Identity(),
    "convolution": lambda: nn.Conv2d(8, 8, 3, padding=1),
    "no padding": lambda: nn.Conv2d(8, 8, 3),
    "wide padding": lambda: nn.Conv2d(8, 8, 1, padding=2),
    "stride": lambda: nn.Conv2d(8, 8, 3, stride=2, padding=1),
    "stride over the kernel": lambda: nn.Conv2d(8, 8, 2, stride=3),
    "dilation": lambda: nn.Conv2d(8, 8, 3, padding=2, dilation=2),
    "groups": lambda: nn.Conv2d(8, 8, (5, 3), padding=(2, 1), groups=4),
    "reflected": lambda: nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
    "pooling": lambda: nn.MaxPool2d(3, 2),
    "pooling, ceil": lambda: nn.MaxPool2d(3, 2, ceil_mode=True),
    "pooling, even": lambda: nn.MaxPool2d(2),
    "pooling, padded": lambda: nn.MaxPool2d(3, 1, padding=1),
    "average pooling": lambda: nn.AvgPool2d(3, 2),
    "residual": Residual,
    "branches": Branches,
    "gate": Gated,
    "deep": lambda: nn.Sequential(
        nn.MaxPool2d(2, ceil_mode=True), Branches(), nn.ReLU(), Residual(), nn.MaxPool2d(3, 2)
    ),
}


class Net(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.early = nn.Conv2d(8, 8, 3, padding=1)
        self.layer = nn.ReLU()
        self.body = body
        self.pool = nn.AdaptiveAvgPool2d((1, 1))
        self.classify = nn.Linear(8, 5)
        self.classify.weight.data *= 100  # one position of many is all that changes

    def forward(self, pixels: Tensor) -> Tensor:
        stem = self.stem(pixels)
        around = self.layer(self.early(stem)) * 1.0 + stem  # goes around the layer
        logits: Tensor = self.classify(self.pool(torch.relu(self.body(around))).flatten(1))
        return logits


def in_full(model: TinyModel, state: HeadState, image: Tensor, row: Tensor, column: Tensor) -> Tensor:
    variants = state.take(image)
    activations = variants.activations.clone()
    activations[torch.arange(len(image)), :, row, column] = 0
    with torch.no_grad():
        logits: Tensor = model.head("layer")(variants, activations)
    return logits


def places() -> tuple[Tensor, Tensor, Tensor]:
    edge = [0, 1, 2, 9, 10, SIDE - 3, SIDE - 2, SIDE - 1]
    row, column = torch.meshgrid(torch.tensor(edge), torch.tensor(edge), indexing="ij")
    return torch.arange(len(edge) ** 2) % 3, row.flatten(), column.flatten()


@pytest.mark.parametrize("body", BODIES)
def test_it_agrees_with_a_full_run(body: str) -> None:
    torch.manual_seed(1)
    model = TinyModel(Net(BODIES[body]()), (3, SIDE, SIDE))
    head = model.head("layer")
    with torch.no_grad():
        state = head.prepare(torch.rand(3, 3, SIDE, SIDE))
    tail = LocalTail(head.tail, state)  # type: ignore[arg-type]  # a Network's tail is a GraphModule

    found = tail.zeroed(*places())

    expected = in_full(model, state, *places())
    assert (expected - tail.logits[places()[0]]).abs().max() > 1e-3
    assert torch.allclose(found, expected, atol=1e-5)


def test_only_the_reach_of_the_change_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    compute = ablation._Run.compute

    def watched(run: ablation._Run, node: torch.fx.Node) -> object:
        value = compute(run, node)
        shapes.append(tuple(value.values.shape) if isinstance(value, Window) else tuple(value.shape))
        return value

    monkeypatch.setattr(ablation._Run, "compute", watched)
    body = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 3, padding=1))
    head = TinyModel(Net(body), (3, SIDE, SIDE)).head("layer")
    with torch.no_grad():
        state = head.prepare(torch.rand(1, 3, SIDE, SIDE))
    LocalTail(head.tail, state).zeroed(*(torch.tensor([place, place]) for place in (0, 7, 12)))  # type: ignore[arg-type]

    # times one, sum, 3 × 3, pooling, 3 × 3, relu, then the mean and the logits in full
    windows = [(1, 1), (1, 1), (3, 3), (3, 3), (5, 5), (5, 5), (1, 1)]
    assert shapes == [*((2, 8, *window) for window in windows), (2, 8), (2, 5)]
