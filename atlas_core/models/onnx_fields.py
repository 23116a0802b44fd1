"""Receptive fields of ONNX tensors, from the operators' attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import onnx
from onnx import ModelProto, NodeProto

from atlas_core.models.onnx_forms import constants_of
from atlas_core.models.receptive_field import Field, union
from atlas_core.models.tokens import MAPS, Form

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
# over the channels alone where these come last
CHANNELWISE = frozenset(("Gemm", "LayerNormalization", "LogSoftmax", "MatMul", "RMSNormalization", "Softmax"))
RESTATED = frozenset(("Flatten", "Reshape", "Split", "Squeeze", "Transpose", "Unsqueeze"))
REDUCTIONS = frozenset(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "ReduceSumSquare"))
SIDES = ("h", "w")


@dataclass(frozen=True)
class Graph:
    """What the rules look up: the tensors' shapes and grids, the constants, the sides and the number of the images."""

    shapes: Mapping[str, Sequence[int]]
    held: Mapping[str, Form]
    constants: Mapping[str, np.ndarray[Any, Any]]
    sides: tuple[float, float]
    images: int

    def integers(self, node: NodeProto, index: int) -> list[int] | None:
        """The constant integers that a node has as one of its inputs."""
        if index >= len(node.input) or node.input[index] not in self.constants:
            return None
        return [int(value) for value in self.constants[node.input[index]].ravel()]

    def spatial(self, name: str) -> bool:
        """Whether a tensor has a grid of more than one position, or may have one."""
        form = self.held[name]
        if form.axes:
            return (form.height, form.width) != (1, 1)
        images, *rest = self.shapes.get(name, (0, 0, 0))
        return images != self.images or tuple(rest[1:]) not in ((), (1, 1))  # tokens may stand where images do


Rule = Callable[[NodeProto, Field, Graph], Field | None]


def receptive_fields(
    model: ModelProto, input_name: str, shapes: Mapping[str, Sequence[int]], held: Mapping[str, Form]
) -> dict[str, Field | None]:
    """The receptive field of every tensor; None where an operator is not known to keep places apart.

    Factors of one value a channel, such as squeeze-and-excitation's gates, see the whole picture and are left out.
    Among channels-last maps and tokens an operator that is not known to keep places apart is taken to let each see
    the whole picture, as attention does, and to leave them where they are.

    Args:
        model: Simplified, so that slices and paddings are constants.
        input_name: The image input.
        shapes: Of the tensors, the input among them.
        held: How tensors hold their grids, from `onnx_forms.forms`.
    """
    images, _, height, width = shapes[input_name]
    graph = Graph(shapes, held, constants_of(model), (float(height), float(width)), images)
    fields: dict[str, Field | None] = {input_name: Field()}
    slices = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Slice"}
    for node in model.graph.node:
        sources = [name for name in node.input if name in held and graph.spatial(name)]
        rolled = node.op_type == "Concat" and not held.get(node.output[0], Form(MAPS, 1, 1)).axes
        seen = [_sliced_from(name, slices) for name in sources] if rolled else sources
        field = union(fields.get(name) for name in seen)
        for output in node.output:
            fields[output] = _through(node, field, sources, output, graph) if field and output in held else None
    return fields


def _sliced_from(name: str, slices: Mapping[str, str]) -> str:
    """The tensor that a part was cut from: parts put together in another order move nothing on the whole."""
    while name in slices:
        name = slices[name]
    return name


def _through(node: NodeProto, field: Field, sources: Sequence[str], output: str, graph: Graph) -> Field | None:
    before, after = graph.held[sources[0]], graph.held[output]
    rule = RULES.get(node.op_type)
    if rule and before.axes and after.axes:
        return rule(node, field, graph)
    if _keeps_places(node, [graph.held[name] for name in sources], after):
        return field
    if all(graph.held[name].axes == MAPS for name in sources):
        return None
    return field.everywhere(*graph.sides)


def _keeps_places(node: NodeProto, before: Sequence[Form], after: Form) -> bool:
    """Whether an operator leaves every position to itself."""
    kind = node.op_type
    if kind in POINTWISE or kind in JOINS:
        return bool(after.axes) or kind != "Concat"
    if not after.axes or not all(form.axes for form in before):
        return False
    if kind == "Transpose":  # of maps that stay maps, rows and columns were exchanged
        return not after.axes == before[0].axes == MAPS
    if kind in RESTATED:
        return True
    if kind in REDUCTIONS:
        return (after.height, after.width) == (before[0].height, before[0].width)
    return kind in CHANNELWISE and after.axes[-1] == "c"


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
    form = graph.held[node.input[0]]
    starts, axes, steps = graph.integers(node, 1), graph.integers(node, 3), graph.integers(node, 4)
    if starts is None:
        return None
    rank = len(form.axes)
    axes = list(range(len(starts))) if axes is None else [axis % rank for axis in axes]
    steps = [1] * len(starts) if steps is None else steps
    both = [field.vertical, field.horizontal]
    for start, axis, step in zip(starts, axes, steps, strict=True):
        if form.axes[axis] in SIDES:
            if step < 1:
                return None
            size = graph.shapes[node.input[0]][axis]
            first = min(start, size) if start >= 0 else max(start + size, 0)
            side = SIDES.index(form.axes[axis])
            both[side] = both[side].window(1, step, -first, 1)
    return Field(*both)


def _pad(node: NodeProto, field: Field, graph: Graph) -> Field | None:
    axes = graph.held[node.input[0]].axes
    pads = graph.integers(node, 1) if len(node.input) > 1 else _attributes(node).get("pads")
    if pads is None or len(pads) != 2 * len(axes) or (len(node.input) > 3 and node.input[3]):
        return None
    if "t" in axes:
        return field
    before = (pads[axes.index(side)] for side in SIDES)
    return Field(
        *(axis.window(1, 1, pad, 1) for axis, pad in zip((field.vertical, field.horizontal), before, strict=True))
    )


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
