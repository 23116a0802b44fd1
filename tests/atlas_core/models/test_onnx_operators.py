"""Operators in torch against onnxruntime, in any opset's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from atlas_core.models.onnx import load_onnx
from tests.atlas_core.models.nets import graph, onnx_card, pixels, reads

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(8, 3, 3, 3)).astype(np.float32)


def floats(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def normal(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


# operator, opset, what follows the maps (n, 8, 32, 32) among its inputs, attributes
CASES: list[tuple[str, int, list[Any], dict[str, Any]]] = [
    ("Cast", 17, [], {"to": TensorProto.FLOAT16}),
    ("Clip", 17, [floats(-0.5).reshape(()), floats(0.25).reshape(())], {}),
    ("Clip", 17, [None, floats(0.25).reshape(())], {}),
    ("Gelu", 20, [], {}),
    ("Gelu", 20, [], {"approximate": "tanh"}),
    ("GlobalMaxPool", 17, [], {}),
    ("GroupNormalization", 18, [normal(4), normal(4)], {"num_groups": 4}),
    ("GroupNormalization", 21, [normal(8), normal(8)], {"num_groups": 4, "epsilon": 0.1}),
    ("LayerNormalization", 17, [normal(32), normal(32)], {}),
    ("LayerNormalization", 17, [normal(32, 32)], {"axis": 2, "epsilon": 0.1}),
    ("LayerNormalization", 17, [normal(1)], {"axis": 1}),
    ("Mish", 18, [], {}),
    ("Pad", 17, [np.array([0, 1, 2, 3, 0, 0, 1, 0]), floats(2).reshape(())], {"mode": "constant"}),
    ("Pad", 17, [np.array([0, 0, -1, 3, 0, 0, 1, -2])], {"mode": "constant"}),
    ("Pad", 18, [np.array([2, 1, 0, 3]), None, np.array([2, 3])], {"mode": "reflect"}),
    ("Pad", 17, [np.array([0, 0, 1, 1, 0, 0, 1, 1])], {"mode": "edge"}),
    ("Pad", 19, [np.array([0, 0, 1, 1, 0, 0, 1, 1])], {"mode": "wrap"}),
    ("RMSNormalization", 23, [normal(32)], {}),
    ("Swish", 24, [], {"alpha": 1.5}),
    ("Resize", 18, [None, floats(1, 1, 2, 2)], {"mode": "nearest"}),
    ("ReduceSum", 13, [np.array([2, 3])], {"keepdims": 1}),
    ("ReduceMax", 20, [np.array([-1, -2])], {"keepdims": 1}),
]


@pytest.mark.parametrize(("kind", "opset", "given", "attributes"), CASES, ids=lambda value: str(value)[:24])
def test_it_gives_what_onnxruntime_does(kind: str, opset: int, given: list[Any], attributes: dict[str, Any]) -> None:
    constants = {f"c{place}": value for place, value in enumerate(given) if value is not None}
    names = [f"c{place}" if value is not None else "" for place, value in enumerate(given)]
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["map"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node(kind, ["map", *names], ["made"], **attributes),
        helper.make_node("Cast", ["made"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["float"], ["logits"]),
    ]
    check(nodes, {"kernel": KERNEL, **constants}, opset)


def check(nodes: list[Any], constants: dict[str, Any], opset: int) -> None:
    """The graph converts, its logits are onnxruntime's, and `map` has a gradient towards them."""
    model = load_onnx(onnx_card(), reads(graph(nodes, constants, opset).SerializeToString()))
    assert model.unconvertible == ()
    _, logits = model.activations(pixels(2), [], logits=True)
    assert logits is not None
    head = model.head("map")
    state = head.prepare(torch.from_numpy(pixels(2)))
    activations = state.activations.clone().requires_grad_()
    found = head(state, activations)
    np.testing.assert_allclose(found.detach(), logits, rtol=2e-3, atol=1e-4)
    (gradient,) = torch.autograd.grad(found.square().sum(), activations)
    assert bool(gradient.isfinite().all())
    assert float(gradient.abs().sum()) > 0


@pytest.mark.parametrize(
    ("opset", "attributes", "parts"),
    [(11, {"split": [2, 6]}, None), (13, {}, np.array([2, 6])), (18, {"num_outputs": 2}, None)],
)
def test_splits_of_each_opset(opset: int, attributes: dict[str, Any], parts: NDArray[np.int64] | None) -> None:
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["map"], kernel_shape=[3, 3]),
        helper.make_node("Split", ["map"] if parts is None else ["map", "parts"], ["a", "b"], axis=1, **attributes),
        helper.make_node("Mul", ["a", "two"], ["a2"]),
        helper.make_node("Concat", ["b", "a2"], ["both"], axis=1),
        helper.make_node("GlobalAveragePool", ["both"], ["logits"]),
    ]
    check(nodes, {"kernel": KERNEL, "two": floats(2)} | ({} if parts is None else {"parts": parts}), opset)


@pytest.mark.parametrize(
    ("attributes", "mask"),
    [
        ({"q_num_heads": 4, "kv_num_heads": 4}, None),
        ({"q_num_heads": 4, "kv_num_heads": 4, "is_causal": 1, "scale": 0.3}, None),
        ({"q_num_heads": 2, "kv_num_heads": 2}, normal(16, 16)),
        ({"q_num_heads": 2, "kv_num_heads": 2}, np.tri(16, dtype=bool)),
    ],
)
def test_attention_of_opset_23(attributes: dict[str, Any], mask: NDArray[Any] | None) -> None:
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "kernel"], ["map"], kernel_shape=[3, 3], strides=[8, 8], pads=[1, 1, 1, 1]),
        node("Reshape", ["map", "flat"], ["flattened"]),
        node("Transpose", ["flattened"], ["tokens"], perm=[0, 2, 1]),
        *(node("MatMul", ["tokens", f"w{part}"], [part]) for part in "qkv"),
        node("Attention", ["q", "k", "v", *(["mask"] if mask is not None else [])], ["mixed"], **attributes),
        node("Transpose", ["mixed"], ["turned"], perm=[0, 2, 1]),
        node("ReduceMax", ["turned", "last"], ["logits"], keepdims=0),
    ]
    weights: dict[str, Any] = {f"w{part}": normal(8, 8) for part in "qkv"}
    constants = {"kernel": KERNEL, "flat": np.array([0, 8, 16]), "last": np.array([2]), **weights}
    check(nodes, constants | ({} if mask is None else {"mask": mask}), 23)
