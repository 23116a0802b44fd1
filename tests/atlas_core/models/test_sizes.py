from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from atlas_core.cards import InputCard
from atlas_core.models.sizes import Framed, fixed_nodes

CARD = InputCard(channels=1, height=9, width=12, mean=[0.5], std=[1.0])


def test_a_smaller_picture_stands_in_the_middle_of_the_mean_colour() -> None:
    seen = Framed(nn.Identity(), CARD)(torch.arange(12.0).reshape(1, 1, 4, 3))
    assert seen.shape == (1, 1, 9, 12)
    assert seen[0, 0, 2:6, 4:7].tolist() == torch.arange(12.0).reshape(4, 3).tolist()
    frame = seen.clone()
    frame[0, 0, 2:6, 4:7] = 0.5
    assert bool((frame == 0.5).all())


def test_a_whole_picture_is_left_alone() -> None:
    pixels = torch.rand(2, 1, 9, 12)
    torch.testing.assert_close(Framed(nn.Identity(), CARD)(pixels), pixels, rtol=0, atol=1e-6)


def test_what_follows_a_fixed_size_is_found_and_what_is_before_or_beside_it_is_not() -> None:
    class Embedded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.places = nn.Parameter(torch.zeros(9, 12))

        def forward(self, pixels: Tensor) -> Tensor:
            before = pixels * 2
            behind = torch.relu(before + self.places)
            beside = torch.sigmoid(before)
            return behind.mean() + beside.mean()

    graph = fx.symbolic_trace(Embedded())
    assert {node.name for node in fixed_nodes(graph, CARD)} == {"add", "relu", "mean", "add_1"}
