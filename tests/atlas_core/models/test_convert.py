from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper

from atlas_core.errors import ModelError, UnsupportedOperatorError
from atlas_core.models.convert import check_conversion, normalise
from atlas_core.models.onnx import OnnxModel, load_onnx
from atlas_core.models.onnx_operators import Slice
from tests.atlas_core.models.nets import graph, onnx_card, pixels, reads, residual


def test_a_residual_network_agrees_with_onnxruntime() -> None:
    model = load_onnx(onnx_card(), reads(residual().SerializeToString()))
    head = model.head("block")
    given = pixels(4)
    _, logits = model.activations(given, [], logits=True)
    state = head.prepare(torch.from_numpy(given))
    assert logits is not None
    np.testing.assert_allclose(head(state, state.activations).numpy(), logits, rtol=1e-4, atol=1e-5)


def test_the_words_of_opset_20_are_restated() -> None:
    node = helper.make_node
    nodes = [
        node("Identity", ["kernel"], ["same"]),
        node("Conv", ["image", "same"], ["map"], kernel_shape=[3, 3]),
        node("Gelu", ["map"], ["bent"], approximate="tanh"),
        node("AveragePool", ["bent"], ["pooled"], kernel_shape=[2, 2], dilations=[1, 1]),
        node("ReduceMean", ["pooled", "axes"], ["mean"], keepdims=0),
        node("Reshape", ["mean", "shape"], ["logits"], allowzero=1),
    ]
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    constants = {"kernel": kernel, "axes": np.array([2, 3]), "shape": np.array([-1, 4])}
    model = load_onnx(onnx_card(), reads(graph(nodes, constants, opset=20).SerializeToString()))
    assert model.unconvertible == ()
    read, _ = model.activations(pixels(2), ["bent"], logits=False)
    np.testing.assert_allclose(model.trunk("bent")(torch.from_numpy(pixels(2))), read["bent"], rtol=1e-4, atol=1e-5)
    field = model.layer("pooled").receptive_field
    assert field is not None
    assert field.size == (4, 4)


def test_identities_of_constants_become_constants() -> None:
    nodes = [helper.make_node("Identity", ["two"], ["same"]), helper.make_node("Mul", ["image", "same"], ["logits"])]
    plain = normalise(graph(nodes, {"two": np.array([2], np.float32)}))
    assert [node.op_type for node in plain.graph.node] == ["Mul"]
    assert {tensor.name: numpy_helper.to_array(tensor).tolist() for tensor in plain.graph.initializer} == {
        "two": [2],
        "same": [2],
    }


def test_attributes_that_mean_something_stay() -> None:
    nodes = [
        helper.make_node("AveragePool", ["image"], ["a"], kernel_shape=[2, 2], dilations=[2, 2]),
        helper.make_node("Reshape", ["a", "shape"], ["logits"], allowzero=1),
    ]
    plain = normalise(graph(nodes, {"shape": np.array([0, 4])}))
    assert [attribute.name for node in plain.graph.node for attribute in node.attribute] == [
        "dilations", "kernel_shape", "allowzero",
    ]  # fmt: skip


def unconvertible() -> OnnxModel:
    between = [helper.make_node("Hardmax", ["join"], ["odd"], axis=1)]
    return load_onnx(onnx_card(), reads(residual(opset=18, between=between, block="odd").SerializeToString()))


def test_an_operator_that_cannot_be_converted_is_named_with_its_opset() -> None:
    model = unconvertible()
    assert len(model.unconvertible) == 1
    assert "Hardmax (opset 18)" in model.unconvertible[0]
    with pytest.raises(UnsupportedOperatorError, match=r"Hardmax \(opset 18\)"):
        model.trunk("stem")


def test_it_collects_all_the_same() -> None:
    read, logits = unconvertible().activations(pixels(2), ["odd"], logits=True)
    assert read["odd"].sum(axis=1).min() == 1
    assert logits is not None


def test_what_stands_behind_the_logits_need_not_be_convertible() -> None:
    model = residual()
    model.graph.node.append(helper.make_node("Hardmax", ["logits"], ["decision"]))
    model.graph.output.append(helper.make_tensor_value_info("decision", 1, None))
    assert load_onnx(onnx_card(), reads(model.SerializeToString())).unconvertible == ()


def test_a_difference_is_refused_and_named() -> None:
    model = load_onnx(onnx_card(), reads(residual().SerializeToString()))
    network = model.network()
    given = pixels(2)
    with torch.no_grad():
        values = dict(
            zip(
                ("stem", "block"), network.reader(["stem", "block"], logits=False)(torch.from_numpy(given)), strict=True
            )
        )
    expected = {name: value.numpy() for name, value in values.items()}
    check_conversion(network, given, expected)
    wrong = expected["block"].copy()
    wrong[0, 0, 0, 0] += 0.01 * np.abs(wrong).max()
    with pytest.raises(UnsupportedOperatorError, match=r"differs from onnxruntime by .* at 'block'"):
        check_conversion(network, given, expected | {"block": wrong})
    with pytest.raises(UnsupportedOperatorError, match="at 'stem'"):
        check_conversion(network, given, {"stem": expected["stem"][:1]})


def test_slices_run_both_ways() -> None:
    values = torch.arange(24).reshape(2, 3, 4)
    numbers = [torch.tensor(part) for part in ([0, -1], [2**31, -(2**31)], [1, -1], [2, -2])]
    torch.testing.assert_close(Slice()(values, *numbers), torch.from_numpy(values.numpy()[:, 0::2, ::-2].copy()))
    torch.testing.assert_close(Slice()(values, torch.tensor([1]), torch.tensor([2])), values[1:2])


def test_a_layer_that_torch_does_not_have_is_named() -> None:
    nodes = [
        helper.make_node("Split", ["image", "parts"], ["left", "right"], axis=1),
        helper.make_node("Relu", ["left"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["logits"]),
    ]
    model = load_onnx(onnx_card(), reads(graph(nodes, {"parts": np.array([2, 1])}).SerializeToString()))
    with pytest.raises(ModelError, match="'left' of small can be read, but has no gradients"):
        model.trunk("left")
    assert model.trunk("map")(torch.rand(1, 3, 32, 32)).shape == (1, 2, 32, 32)


def test_a_graph_that_cannot_be_simplified_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("no")

    monkeypatch.setattr("onnxslim.slim", fails)
    model = load_onnx(onnx_card(), reads(residual().SerializeToString()))
    assert model.unconvertible == ()
    assert model.trunk("block")(torch.rand(1, 3, 32, 32)).shape == (1, 16, 16, 16)
