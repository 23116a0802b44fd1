"""Small networks with known numbers, as torchvision weights and as ONNX files made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torchvision
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from safetensors.torch import save

from atlas_core.cards import InputCard, ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn

SIDE = 32
CLASSES = 5


def reads(data: bytes) -> Callable[[str], bytes]:
    """A store of one blob."""
    return lambda _: data


def input_card(side: int = SIDE, **changes: Any) -> InputCard:
    given = {"channels": 3, "height": side, "width": side, "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.5, 1.0]}
    return InputCard(**(given | changes))


def torchvision_card(architecture: str, side: int = 64, **arguments: Any) -> ModelCard:
    return ModelCard(
        name="small",
        format="torchvision",
        architecture=architecture,
        arguments={"num_classes": CLASSES, **arguments},
        weights="sha256:00",
        input=input_card(side),
    )


def onnx_card(output: str | None = "logits", **changes: Any) -> ModelCard:
    return ModelCard(name="small", format="onnx", source="sha256:00", output=output, input=input_card(**changes))


def module(architecture: str, **arguments: Any) -> nn.Module:
    """A torchvision network with seeded random weights."""
    torch.manual_seed(0)
    built: nn.Module = torchvision.models.get_model(architecture, weights=None, num_classes=CLASSES, **arguments)
    return built.eval()


def weights(architecture: str, **arguments: Any) -> bytes:
    return bytes(save(module(architecture, **arguments).state_dict()))


def graph(
    nodes: Sequence[NodeProto],
    constants: dict[str, NDArray[Any]],
    opset: int = 17,
    batch: int | str = "batch",
    output: str = "logits",
    domain: str | None = None,
) -> ModelProto:
    """An ONNX model from `image` (batch, 3, 32, 32) to one output."""
    made = helper.make_graph(
        list(nodes),
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if domain:
        opsets.append(helper.make_opsetid(domain, 1))
    return helper.make_model(made, opset_imports=opsets, ir_version=9)


def residual(
    opset: int = 17, batch: int | str = "batch", between: Sequence[NodeProto] = (), block: str = "join"
) -> ModelProto:
    """A small residual network with a strided shortcut of slices and padding, as CIFAR's ResNets have it.

    `stem` (8, 32, 32), `half` (16, 16, 16), `shortcut` (16, 16, 16), `block` (16, 16, 16), logits of a global average.
    `between` are further nodes, from `join` to the name given as `block`.
    """
    random = np.random.default_rng(0)
    constants = {
        "w0": random.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32),
        "w1": random.normal(0, 0.2, (16, 8, 3, 3)).astype(np.float32),
        "w2": random.normal(0, 0.2, (16, 16, 3, 3)).astype(np.float32),
        "b0": random.normal(0, 0.1, 8).astype(np.float32),
        "fc": random.normal(0, 0.3, (CLASSES, 16)).astype(np.float32),
        "fcb": np.arange(CLASSES, dtype=np.float32),
        "zero": np.array([0, 0]),
        "end": np.array([SIDE, SIDE]),
        "axes": np.array([2, 3]),
        "two": np.array([2, 2]),
        "pads": np.array([0, 4, 0, 0, 0, 4, 0, 0]),
        "flat": np.array([batch if isinstance(batch, int) else -1, 16]),
    }
    conv: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    node = helper.make_node
    nodes = [
        node("Conv", ["image", "w0", "b0"], ["conv0"], **conv),
        node("Relu", ["conv0"], ["stem"]),
        node("Conv", ["stem", "w1"], ["conv1"], strides=[2, 2], **conv),
        node("Relu", ["conv1"], ["half"]),
        node("Conv", ["half", "w2"], ["conv2"], **conv),
        node("Slice", ["stem", "zero", "end", "axes", "two"], ["sliced"]),
        node("Pad", ["sliced", "pads"], ["shortcut"]),
        node("Add", ["conv2", "shortcut"], ["join"]),
        *between,
        node("Relu", [block], ["block"]),
        node("GlobalAveragePool", ["block"], ["pooled"]),
        node("Reshape", ["pooled", "flat"], ["flattened"]),
        node("Gemm", ["flattened", "fc", "fcb"], ["logits"], transB=1),
    ]
    return graph(nodes, constants, opset, batch)


def pixels(count: int, side: int = SIDE) -> NDArray[np.float32]:
    """Noise 0..1, shape (count, 3, side, side)."""
    return np.random.default_rng(1).random((count, 3, side, side), np.float32)
