from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from atlas_core.models.graph import Head, HeadState, Network, freeze
from atlas_core.models.layers import trace


class Skips(nn.Module):
    """logits = mean(relu(3 · (pixels + 1)) + 2 · (pixels + 1)) + number; `double` goes around `triple`."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.number = nn.Parameter(torch.tensor([10.0, 20.0]))

    def forward(self, pixels: Tensor) -> Tensor:
        first = pixels + 1
        double = first * 2
        joined = self.relu(first * 3)
        joined += double
        logits: Tensor = joined.mean((2, 3)) + self.number
        return logits


def network() -> Network:
    graph, places = trace(Skips().eval())
    last = graph.graph.output_node().args[0]
    assert isinstance(last, torch.fx.Node)
    return Network(freeze(graph), places, last)


def head(layer: str) -> Head:
    return Head(*network().split(layer))


def test_the_tail_gets_the_activations_given_and_the_skips_of_the_images() -> None:
    split = head("mul_1")  # first * 3
    state = split.prepare(torch.ones(1, 1, 2, 2))
    torch.testing.assert_close(state.activations, torch.full((1, 1, 2, 2), 6.0))
    assert len(state.carried) == 1
    torch.testing.assert_close(state.carried[0], torch.full((1, 1, 2, 2), 4.0))
    torch.testing.assert_close(split(state, state.activations), torch.tensor([[20.0, 30.0]]))
    variants = torch.stack([torch.zeros(1, 2, 2), torch.full((1, 2, 2), -5.0), torch.full((1, 2, 2), 8.0)])
    torch.testing.assert_close(split(state, variants), torch.tensor([[14.0, 24.0], [14.0, 24.0], [22.0, 32.0]]))


def test_a_state_can_be_taken_image_by_image() -> None:
    split = head("mul_1")
    state = split.prepare(torch.tensor([0.0, 1.0, 2.0]).reshape(3, 1, 1, 1))
    picked = state.take(torch.tensor([2, 2, 0]))
    torch.testing.assert_close(picked.activations.flatten(), torch.tensor([9.0, 9, 3]))
    torch.testing.assert_close(split(picked, picked.activations)[:, 0], torch.tensor([25.0, 25, 15]))


def test_nothing_writes_into_what_was_read() -> None:
    reader = network().reader(["mul_1", "relu", "add_1"], logits=True)
    pixels = torch.full((1, 1, 1, 1), -3.0)
    tripled, rectified, joined, logits = reader(pixels)
    assert (float(tripled), float(rectified), float(joined)) == (-6, 0, -4)
    assert logits.tolist() == [[6, 16]]
    assert float(pixels) == -3


def test_reading_ends_at_the_deepest_layer() -> None:
    made = network()
    early = {str(node) for node in made.reader(["mul"], logits=False).graph.nodes}
    assert early == {"pixels", "add", "mul", "output"}
    assert "mean" in {str(node) for node in made.reader(["mul"], logits=True).graph.nodes}


def test_layers_off_the_way_to_the_logits_have_no_head() -> None:
    made = network()
    made.logits = made.places["mul"]
    with pytest.raises(ValueError, match="relu"):
        made.split("relu")


def test_values_that_belong_to_no_image_are_left_when_images_are_taken() -> None:
    state = HeadState(torch.zeros(2, 1, 1, 1), (torch.arange(5.0), 7, torch.tensor([[1.0], [2.0]])))
    taken = state.take(torch.tensor([1]))
    assert taken.carried[0].tolist() == [0, 1, 2, 3, 4]
    assert taken.carried[1] == 7
    assert taken.carried[2].tolist() == [[2.0]]


class Constants(nn.Module):
    """logits = mean((pixels + 1) · weight²): the square is computed from no picture, before and after the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[2.0], [3.0]])[None, :, :, None])

    def forward(self, pixels: Tensor) -> Tensor:
        square = self.weight * self.weight
        logits: Tensor = ((pixels + 1) * square).mean((2, 3))
        return logits


def test_what_no_picture_changes_is_worked_out_again_and_not_carried() -> None:
    graph, places = trace(Constants().eval())
    network = Network(freeze(graph), places, places["mean"])
    head = Head(*network.split("add"))
    state = head.prepare(torch.zeros(1, 2, 4, 4))
    assert state.carried == ()
    assert head(state, torch.ones(3, 2, 4, 4)).tolist() == [[4, 9]] * 3


def test_layers_beside_the_way_to_the_logits_are_silent() -> None:
    class Beside(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            torch.sigmoid(pixels)
            return torch.relu(pixels).mean((2, 3))

    graph, places = trace(Beside().eval())
    pixels = torch.rand(1, 2, 4, 4)
    assert Network(graph, places, places["mean"]).silent(pixels) == {"sigmoid"}
    assert Network(graph, places, None).silent(pixels) == {"sigmoid", "relu", "mean"}
