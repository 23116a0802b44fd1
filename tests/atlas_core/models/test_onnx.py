from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from atlas_core.errors import ModelError
from atlas_core.models.onnx import OnnxModel, load_onnx
from tests.atlas_core.models.nets import graph, onnx_card, pixels, reads, residual

if TYPE_CHECKING:
    from onnx import ModelProto


def loaded(model: ModelProto, output: str | None = "logits", **changes: Any) -> OnnxModel:
    return load_onnx(onnx_card(output, **changes), reads(model.SerializeToString()))


def summing() -> ModelProto:
    """`ones` sums the pixels of 3 × 3 windows of all channels, by two; the logits are its mean and twice that."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["ones"], pads=[1, 1, 0, 0], strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["ones"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "double"], ["logits"]),
    ]
    kernel = np.ones((1, 3, 3, 3), np.float32)
    return graph(nodes, {"kernel": kernel, "double": np.array([[1, 2]], np.float32)})


def test_values_computed_by_hand() -> None:
    model = loaded(summing(), mean=[0, 0, 0], std=[1, 1, 0.5])
    given = np.full((1, 3, 32, 32), 0.25, np.float32)
    read, logits = model.activations(given, ["ones"], logits=True)
    # 1/4 + 1/4 + 1/2 a place; the first row and column see two of three
    assert read["ones"][0, 0, 0, :3].tolist() == [4, 6, 6]
    assert read["ones"][0, 0, 1, :3].tolist() == [6, 9, 9]
    mean = (4 + 30 * 6 + 225 * 9) / 256
    assert logits is not None
    np.testing.assert_allclose(logits, np.array([[mean, 2 * mean]]), rtol=1e-6)


def test_layers_are_tensors_in_order_with_their_fields() -> None:
    layers = loaded(residual()).layers
    # without modules' names blocks are what joins paths, and what stands before the grid shrinks
    assert [layer.name for layer in layers if layer.block] == ["stem", "block"]
    assert [layer.name for layer in layers] == [
        "stem", "block", "conv0", "conv1", "sliced", "half", "shortcut", "conv2", "join",
    ]  # fmt: skip
    by_name = {layer.name: layer for layer in layers}
    assert by_name["block"].shape == (16, 16, 16)
    fields = {name: by_name[name].receptive_field for name in ("stem", "half", "shortcut", "block")}
    sizes = {name: (field.size, field.jump, field.start) for name, field in fields.items() if field}
    assert sizes == {
        "stem": ((3, 3), (1, 1), (0.5, 0.5)),
        "half": ((5, 5), (2, 2), (0.5, 0.5)),
        "shortcut": ((3, 3), (2, 2), (0.5, 0.5)),
        "block": ((9, 9), (2, 2), (0.5, 0.5)),
    }


@pytest.mark.parametrize(
    ("attributes", "size", "jump", "start"),
    [
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, 4, 2, 1.0),  # 32 by 2 with kernel 4: one before, one after
        ({"auto_pad": "SAME_LOWER", "strides": [1, 1]}, 4, 1, 0.0),  # three in all, two before
        ({"auto_pad": "VALID", "strides": [3, 3]}, 4, 3, 2.0),
        ({"pads": [2, 2, 0, 0], "dilations": [2, 2]}, 7, 1, 1.5),
    ],
)
def test_padding_and_dilation_in_the_fields(attributes: dict[str, Any], size: int, jump: int, start: float) -> None:
    nodes = [helper.make_node("Conv", ["image", "kernel"], ["logits"], **attributes)]
    layer = loaded(graph(nodes, {"kernel": np.ones((1, 3, 4, 4), np.float32)}), None).layer("logits")
    assert layer.receptive_field is not None
    field = layer.receptive_field
    assert (field.size[0], field.jump[1], field.start[0]) == (size, jump, start)


def test_a_graph_without_logits_has_none() -> None:
    nodes = [helper.make_node("Relu", ["image"], ["map"])]
    model = loaded(graph(nodes, {}, output="map"), None)
    assert model.classes is None
    read, logits = model.activations(pixels(1), ["map"], logits=True)
    assert logits is None
    assert read["map"].shape == (1, 3, 32, 32)
    with pytest.raises(ModelError, match="no logits"):
        model.head("map")


def test_logits_with_axes_of_one_position_are_flattened() -> None:
    nodes = [helper.make_node("GlobalAveragePool", ["image"], ["logits"])]
    model = loaded(graph(nodes, {}))
    assert model.classes == 3
    _, logits = model.activations(pixels(2), [], logits=True)
    assert logits is not None
    assert logits.shape == (2, 3)


def test_a_batch_that_the_file_fixes_is_worked_around() -> None:
    free, fixed = loaded(residual()), loaded(residual(batch=2))
    given = pixels(5)
    for layers in (["half"], ["block"]):
        expected, wanted = free.activations(given, layers, logits=True)
        read, logits = fixed.activations(given, layers, logits=True)
        np.testing.assert_allclose(read[layers[0]], expected[layers[0]], rtol=1e-4, atol=1e-5)
        assert logits is not None
        assert wanted is not None
        np.testing.assert_allclose(logits, wanted, rtol=1e-4, atol=1e-5)
    assert fixed.unconvertible == ()


def test_an_intermediate_tensor_may_be_the_output() -> None:
    assert loaded(residual(), "flattened").classes == 16


@pytest.mark.parametrize(("output", "says"), [("logit", "nearest are logits"), ("block", r"\(3, 16, 16, 16\)")])
def test_an_output_that_is_none_is_refused(output: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        loaded(residual(), output)


@pytest.mark.parametrize("data", [b"", b"not a protobuf", b"PK\x03\x04 an archive"])
def test_what_is_no_onnx_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"no ONNX.*torch.onnx.export"):
        load_onnx(onnx_card(), reads(data))


def test_another_size_than_the_cards_is_refused() -> None:
    with pytest.raises(ModelError, match=r"\[None, 3, 32, 32\].*\[3, 64, 64\]"):
        loaded(residual(), height=64, width=64)


def test_a_second_input_is_refused() -> None:
    model = residual()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match="image, mask"):
        loaded(model)


def test_operators_of_other_domains_are_refused() -> None:
    nodes = [helper.make_node("Secret", ["image"], ["logits"], domain="com.example")]
    with pytest.raises(ModelError, match=r"Secret.*'com.example'"):
        loaded(graph(nodes, {}, domain="com.example"))


def test_operators_of_other_domains_inside_a_branch_are_refused() -> None:
    out = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    body = helper.make_graph([helper.make_node("Secret", ["image"], ["inner"], domain="x")], "body", [], [out])
    nodes = [helper.make_node("If", ["yes"], ["logits"], then_branch=body, else_branch=body)]
    with pytest.raises(ModelError, match="Secret"):
        loaded(graph(nodes, {"yes": np.array(True)}, domain="x"))


def test_a_graph_that_does_not_run_is_refused() -> None:
    nodes = [helper.make_node("Conv", ["image", "kernel"], ["logits"])]
    with pytest.raises(ModelError, match=r"ONNX|onnxruntime"):
        loaded(graph(nodes, {"kernel": np.ones((1, 5, 3, 3), np.float32)}))


def test_layers_behind_the_logits_are_not_computed_for_them() -> None:
    model = loaded(residual())
    model.activations(pixels(1), ["stem"], logits=False)
    (session,) = model._sessions.values()
    assert session.outputs == ("stem",)
