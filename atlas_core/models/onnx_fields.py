"""Receptive fields of ONNX tensors, from the operators' attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
from onnx import ModelProto, NodeProto, numpy_helper

from atlas_core.models.receptive_field import Axis, Field, union

if TYPE_CHECKING:
    import numpy as np

POINTWISE = frozenset(
    (
        *("Cast", "Clip", "Dropout", "Erf", "Exp", "Identity", "Log", "Neg", "Pow", "Reciprocal", "Sqrt"),
        *("BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN"),
        *("Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu", "Sigmoid"),
        *("Softplus", "Softsign", "Tanh"),
    )
)
JOINS = frozenset(("Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum", "Where"))
SPATIAL_AXES = (2, 3)


@dataclass(frozen=True)
class Graph:
    """What the rules look up: shapes of the tensors (n, C, H, W), and the constants."""

    shapes: Mapping[str, Sequence[int]]
    constants: Mapping[str, np.ndarray[Any, Any]]

    def integers(self, node: NodeProto, index: int) -> list[int] | None:
        """The constant integers that a node has as one of its inputs."""
        if index >= len(node.input) or node.input[index] not in self.constants:
            return None
        return [int(value) for value in self.constants[node.input[index]].ravel()]


Rule = Callable[[NodeProto, Field, Graph], Field | None]


def receptive_fields(
    model: ModelProto, input_name: str, shapes: Mapping[str, Sequence[int]]
) -> dict[str, Field | None]:
    """The receptive field of every tensor; None where an operator is not known to keep places apart.

    Factors of one value a channel, such as squeeze-and-excitation's gates, see the whole picture and are left out.

    Args:
        model: Simplified, so that slices and paddings are constants.
        input_name: The image input.
        shapes: Of the tensors of rank 4, the input among them.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    graph = Graph(shapes, constants)
    fields: dict[str, Field | None] = {input_name: Field()}
    for node in model.graph.node:
        sources = [name for name in node.input if tuple(shapes.get(name, ())[2:]) not in ((), (1, 1))]
        field = union(fields.get(name) for name in sources)
        after = None if field is None else _through(node, field, graph)
        fields.update(dict.fromkeys(node.output, after))
    return fields


def _through(node: NodeProto, field: Field, graph: Graph) -> Field | None:
    if node.op_type in POINTWISE or node.op_type in JOINS:
        return field
    rule = RULES.get(node.op_type)
    return rule(node, field, graph) if rule else None


def _window(node: NodeProto, field: Field, graph: Graph) -> Field | None:
    attributes = _attributes(node)
    kernel = attributes.get("kernel_shape")
    if kernel is None and node.op_type == "Conv" and node.input[1] in graph.constants:
        kernel = list(graph.constants[node.input[1]].shape[2:])
    if kernel is None:
        return None
    stride, dilation = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    padding = attributes.get("pads", [0, 0, 0, 0])[:2]
    automatic = attributes.get("auto_pad", b"NOTSET")
    if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
        sizes = graph.shapes[node.input[0]][2:]
        padding = [
            _same_padding(*values, lower=automatic == b"SAME_LOWER")
            for values in zip(sizes, kernel, stride, dilation, strict=True)
        ]
    return field.window(kernel, stride, padding, dilation)


def _same_padding(size: int, kernel: int, stride: int, dilation: int, *, lower: bool) -> int:
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return (total + 1) // 2 if lower else total // 2


def _slice(node: NodeProto, field: Field, graph: Graph) -> Field | None:
    starts, axes, steps = graph.integers(node, 1), graph.integers(node, 3), graph.integers(node, 4)
    if starts is None:
        return None
    axes = list(range(len(starts))) if axes is None else [axis % 4 for axis in axes]
    steps = [1] * len(starts) if steps is None else steps
    both = [field.vertical, field.horizontal]
    for start, axis, step in zip(starts, axes, steps, strict=True):
        if axis in SPATIAL_AXES:
            if step < 1:
                return None
            size = graph.shapes[node.input[0]][axis]
            first = min(start, size) if start >= 0 else max(start + size, 0)
            both[axis - 2] = both[axis - 2].window(1, step, -first, 1)
    return Field(*both)


def _pad(node: NodeProto, field: Field, graph: Graph) -> Field | None:
    pads = graph.integers(node, 1) if len(node.input) > 1 else _attributes(node).get("pads")
    if pads is None or len(pads) != 8 or (len(node.input) > 3 and node.input[3]):
        return None
    return Field(_shifted(field.vertical, pads[2]), _shifted(field.horizontal, pads[3]))


def _shifted(axis: Axis, padding: int) -> Axis:
    return axis.window(1, 1, padding, 1)


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


RULES: Mapping[str, Rule] = {
    "Conv": _window,
    "MaxPool": _window,
    "AveragePool": _window,
    "LpPool": _window,
    "Slice": _slice,
    "Pad": _pad,
}
