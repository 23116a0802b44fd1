"""Where a grid is after permutations, reshapes and joins; toy networks with shapes that can be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, fx, nn

from atlas_core.models.graph import shapes_of
from atlas_core.models.tokens import LAST, MAPS, TOKENS, Form, forms, from_grid, leading_tokens, to_grid

if TYPE_CHECKING:
    from collections.abc import Callable

C, H, W = 5, 3, 4


def form_of(function: Callable[[Tensor], Tensor]) -> Form | None:
    """The form of what a function of maps (2, 5, 3, 4) gives."""

    class Calls(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            return function(pixels)

    graph = fx.symbolic_trace(Calls())
    found = forms(graph, shapes_of(graph, torch.zeros(2, C, H, W)))
    last = graph.graph.output_node().args[0]
    assert isinstance(last, fx.Node)
    return found.get(last)


def tokens(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)


def with_classes(maps: Tensor, count: int = 2) -> Tensor:
    return torch.cat([torch.zeros(2, count, C), tokens(maps)], dim=1)


@pytest.mark.parametrize(
    ("function", "axes", "leading"),
    [
        (lambda maps: maps + 1, MAPS, 0),
        (lambda maps: maps.permute(0, 2, 3, 1), LAST, 0),
        (lambda maps: maps.permute((0, 2, 3, 1)), LAST, 0),
        (lambda maps: torch.transpose(maps.permute(0, 2, 3, 1), 1, 3).transpose(2, 3), MAPS, 0),
        (tokens, TOKENS, 0),
        (lambda maps: maps.reshape(2, C, H * W).permute(0, 2, 1), TOKENS, 0),
        (with_classes, TOKENS, 2),
        (lambda maps: with_classes(maps)[:, 1:], TOKENS, 1),
        (lambda maps: with_classes(maps)[:, 2:].reshape(2, H, W, C), LAST, 0),
        (lambda maps: with_classes(maps) + torch.zeros(1, 2 + H * W, C), TOKENS, 2),
        (lambda maps: torch.nn.functional.linear(with_classes(maps), torch.zeros(7, C)), TOKENS, 2),
        (lambda maps: torch.unflatten(tokens(maps).transpose(1, 2), 2, (H, W)), MAPS, 0),
        # a grid turned on its side can still be shown
        (lambda maps: maps.transpose(2, 3), MAPS, 0),
        # attention: each position a mixture, but positions all the same
        (lambda maps: torch.softmax(tokens(maps) @ tokens(maps).transpose(1, 2), 2) @ tokens(maps), (), 0),
        # the class token alone, the mean, a cut through the grid
        (lambda maps: with_classes(maps)[:, 0], (), 2),
        (lambda maps: with_classes(maps)[:, 5:], (), 2),
        (lambda maps: tokens(maps).mean(1), (), 0),
        (lambda maps: torch.roll(maps.permute(0, 2, 3, 1), 1, 1), (), 0),
    ],
)
def test_axes_are_followed(function: Callable[[Tensor], Tensor], axes: tuple[str, ...], leading: int) -> None:
    found = form_of(function)
    assert found is not None
    assert found.axes == axes
    assert found.readable is bool(axes)
    if axes:
        assert found.leading == leading


def test_a_turned_grid_has_its_sides_exchanged() -> None:
    assert form_of(lambda maps: maps.transpose(2, 3)) == Form(MAPS, W, H)


def test_what_no_picture_reaches_has_no_form() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2, C, H, W))

        def forward(self, pixels: Tensor) -> Tensor:
            return pixels + self.weight * 2

    graph = fx.symbolic_trace(Constant())
    found = forms(graph, shapes_of(graph, torch.zeros(2, C, H, W)))
    assert {node.name for node in found} == {"pixels", "add"}


def test_grids_are_read_and_put_back() -> None:
    maps = torch.arange(2.0 * C * H * W).reshape(2, C, H, W)
    last, held = maps.permute(0, 2, 3, 1), with_classes(maps)
    assert torch.equal(to_grid(last, LAST, H, W), maps)
    assert torch.equal(from_grid(maps, LAST), last)
    assert torch.equal(to_grid(held, TOKENS, H, W), maps)
    assert torch.equal(from_grid(maps, TOKENS, leading_tokens(held, 2)), held)
    assert torch.equal(from_grid(maps, TOKENS), tokens(maps))
