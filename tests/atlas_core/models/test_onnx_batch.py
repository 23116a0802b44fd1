"""Files that fix their number of images, and those that compute with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from onnx import helper

from atlas_core.attribution import Places, ablation, full_ablation
from atlas_core.models.graph import Network
from atlas_core.models.one_by_one import OneByOne
from atlas_core.models.onnx import OnnxModel, load_onnx
from atlas_core.models.onnx_batch import reshaped_axis
from tests.atlas_core.models.exports import exported
from tests.atlas_core.models.families import TINY
from tests.atlas_core.models.nets import CLASSES, graph, onnx_card, pixels, reads, residual


def gradients(model: OnnxModel, layer: str, given: np.ndarray) -> torch.Tensor:
    images = torch.from_numpy(given).requires_grad_()
    (gradient,) = torch.autograd.grad(model.trunk(layer)(images).square().sum(), images)
    return gradient


@pytest.mark.parametrize(("name", "kind"), [("mobilenet", Network), ("vit", OneByOne)])
def test_an_export_for_one_image_is_that_for_any_number(name: str, kind: type[Network]) -> None:
    family = TINY[name]
    card = family.card(format="onnx", architecture=None, weights=None, source="sha256:00")
    free, fixed = (load_onnx(card, reads(exported(family.make(), family.shape, "legacy", batch=batch)))
                   for batch in (None, 1))  # fmt: skip
    assert fixed.unconvertible == ()
    assert type(fixed.network()) is kind  # of one image the exporter leaves transpositions out of attention
    given = family.pixels(3)
    layers = [[layer for layer in model.layers if layer.block] for model in (free, fixed)]
    assert [layer.shape for layer in layers[0]] == [layer.shape for layer in layers[1]]
    expected, wanted = free.activations(given, [layers[0][-1].name], logits=True)
    read, logits = fixed.activations(given, [layers[1][-1].name], logits=True)
    assert wanted is not None
    assert logits is not None
    np.testing.assert_allclose(read[layers[1][-1].name], expected[layers[0][-1].name], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        gradients(fixed, layers[1][0].name, given), gradients(free, layers[0][0].name, given), rtol=1e-3, atol=1e-5
    )
    head = fixed.head(layers[1][0].name)
    with torch.no_grad():
        state = head.prepare(torch.from_numpy(given))
        np.testing.assert_allclose(head(state, state.activations), logits, rtol=1e-3, atol=1e-4)


def only_for_one() -> Any:
    """Channels exchanged with images by a reshape, which is right while there is one image alone."""
    random = np.random.default_rng(0)
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "kernel"], ["map"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Reshape", ["map", "turned"], ["exchanged"]),
        node("Softmax", ["exchanged"], ["soft"], axis=0),
        node("Reshape", ["soft", "back"], ["again"]),
        node("Add", ["again", "map"], ["sum"]),
        node("GlobalAveragePool", ["sum"], ["pooled"]),
        node("Flatten", ["pooled"], ["flat"]),
        node("MatMul", ["flat", "weight"], ["logits"]),
    ]
    constants = {
        "kernel": random.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "weight": random.normal(size=(4, CLASSES)).astype(np.float32),
        "turned": np.array([4, 1, 32, 32]),
        "back": np.array([1, 4, 32, 32]),
    }
    return graph(nodes, constants, batch=1)


def test_a_graph_that_is_right_for_one_image_alone_is_run_image_by_image() -> None:
    model = load_onnx(onnx_card(), reads(only_for_one().SerializeToString()))
    assert model.unconvertible == ()
    assert isinstance(model.network(), OneByOne)
    given = pixels(3)
    read, logits = model.activations(given, ["map", "sum"], logits=True)
    assert logits is not None
    with torch.no_grad():
        both = model.network().reader(["map", "sum"], logits=True)((torch.from_numpy(given) - _mean()) / _std())
    for value, expected in zip(both, (read["map"], read["sum"], logits), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.trunk("sum")(torch.from_numpy(given)), read["sum"], rtol=1e-4, atol=1e-5)
    each = [gradients(model, "sum", given[place : place + 1]) for place in range(3)]
    torch.testing.assert_close(gradients(model, "sum", given), torch.cat(each))


def test_its_heads_carry_each_images_own_values() -> None:
    model = load_onnx(onnx_card(), reads(only_for_one().SerializeToString()))
    given = pixels(2)
    _, logits = model.activations(given, [], logits=True)
    assert logits is not None
    head = model.head("soft") if "soft" in model.network().places else model.head("again")
    with torch.no_grad():
        state = head.prepare(torch.from_numpy(given))
        np.testing.assert_allclose(head(state, state.activations), logits, rtol=1e-4, atol=1e-5)
        turned = head(state.take(torch.tensor([1, 0])), state.activations.flip(0))
        np.testing.assert_allclose(turned, logits[::-1], rtol=1e-4, atol=1e-5)
        places = Places(*(torch.tensor(axis) for axis in ([0, 1], [3, 9], [5, 31])))
        torch.testing.assert_close(ablation(head, state)(places), full_ablation(head, state)(places))


@pytest.mark.parametrize("opset", [11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26])
def test_every_opset_is_taken(opset: int) -> None:
    model = load_onnx(onnx_card(), reads(residual(opset=opset).SerializeToString()))
    assert model.unconvertible == ()
    assert {"stem", "block"} <= {layer.name for layer in model.layers}


@pytest.mark.parametrize(
    ("before", "axis", "inner", "after", "place"),
    [
        ((3, 4, 5), 0, 1, (12, 5), (0, 4)),  # windows joined with images
        ((12, 5), 0, 4, (3, 4, 5), (0, 1)),  # and taken apart again
        ((7, 3, 5), 1, 1, (21, 5), (0, 1)),  # images within tokens
        ((3, 4), 0, 1, (2, 6), None),  # images split among axes
        ((1, 4, 5), 0, 1, (4, 5), (0, 4)),  # one image: as the slowest part of the channels
    ],
)
def test_the_axis_of_images_is_followed_through_reshapes(
    before: tuple[int, ...], axis: int, inner: int, after: tuple[int, ...], place: tuple[int, int] | None
) -> None:
    assert reshaped_axis(before, axis, inner, after, before[axis] // inner) == place


def _mean() -> torch.Tensor:
    return torch.tensor(onnx_card().input.mean).reshape(1, -1, 1, 1)


def _std() -> torch.Tensor:
    return torch.tensor(onnx_card().input.std).reshape(1, -1, 1, 1)
