"""ONNX graphs made free of their batch: what does not depend on the picture is folded, and reshapes take any batch.

Exporters write the number of images into reshapes, and compute shapes from it where it is free. Here the graph is
taken at one number of images, every tensor that does not depend on the picture's values becomes a constant, and the
axis that counts images is followed through the graph, so that no reshape, expansion or constant names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from atlas_core.models.onnx_forms import attribute
from atlas_core.models.onnx_graph import NUMBERS, pruned, seen_outputs, static_shapes

# the axis that counts images, and how many of its entries belong to an image one after the other
Place = tuple[int, int]
Arrays = Mapping[str, NDArray[Any]]
Evaluate = Callable[[ModelProto, Sequence[str]], Sequence[NDArray[Any]]]

PRODUCTS = frozenset(("Attention", "Einsum", "MatMul"))
RESHAPES = frozenset(("Reshape", "Flatten"))
# ends the name of a constant that no longer names the batch
FREE = "/free"


def folded(model: ModelProto, input_name: str, evaluate: Evaluate) -> ModelProto:
    """A copy in which every tensor that does not depend on the picture's values is a constant.

    Args:
        model: Pruned.
        input_name: The image input.
        evaluate: Gives the values of some tensors of a model, for a batch of images.
    """
    seen = {input_name, *seen_outputs(model, input_name)}
    kept = [node for node in model.graph.node if seen.intersection(node.output)]
    given = {tensor.name for tensor in model.graph.initializer}
    used = dict.fromkeys(name for node in kept for name in node.input if name)
    wanted = [name for name in used if name not in seen and name not in given]
    values = evaluate(pruned(model, wanted), wanted) if wanted else []
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    del copy.graph.initializer[:]
    copy.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    copy.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in zip(wanted, values, strict=True)
    )
    _restate_gathers(copy)
    return copy


def _restate_gathers(model: ModelProto) -> None:
    """Say that reading a list from its first to its last entry is a reshape, as exporters write strides."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    lists = {node.output[0] for node in model.graph.node if node.op_type == "Reshape" and node.input[1] in constants
             and numpy_helper.to_array(constants[node.input[1]]).size == 1}  # fmt: skip
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in lists and node.input[1] in constants:
            indices = numpy_helper.to_array(constants[node.input[1]])
            if np.array_equal(indices.ravel(), np.arange(indices.size)):
                shape = numpy_helper.from_array(np.array(indices.shape, np.int64), f"{node.output[0]}/shape")
                model.graph.initializer.append(shape)
                node.CopyFrom(helper.make_node("Reshape", [node.input[0], shape.name], node.output, name=node.name))


def freed(model: ModelProto, input_name: str, shape: Sequence[int]) -> ModelProto:
    """A copy of a folded graph that takes any number of images.

    A wrong guess at what counts images shows when the conversion is checked on another number of them.

    Args:
        model: Folded.
        input_name: The image input.
        shape: Of the images with which it was folded, (n, channels, height, width).
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    freer = _Freer(copy, static_shapes(copy, input_name, shape), input_name, shape)
    for node in copy.graph.node:
        freer.visit(node)
    copy.graph.initializer.extend(freer.added)
    for value in copy.graph.input:
        if value.name == input_name:
            element = value.type.tensor_type.elem_type
            value.CopyFrom(helper.make_tensor_value_info(input_name, element, [None, *shape[1:]]))
    for output in copy.graph.output:
        output.type.tensor_type.ClearField("shape")
    return copy


def counts_images(model: ModelProto) -> bool:
    """Whether shapes are computed while the graph runs, and used."""
    return any(node.op_type in NUMBERS for node in model.graph.node)


def has_products(model: ModelProto, input_name: str) -> bool:
    """Whether tensors that depend on the picture are multiplied with each other as matrices, as attention does."""
    seen = seen_outputs(model, input_name)
    return any(node.op_type in PRODUCTS and sum(name in seen for name in node.input) > 1 for node in model.graph.node)


class _Freer:
    """Follows the axis of images through a graph; `places` holds it for each tensor where it is known."""

    def __init__(
        self, model: ModelProto, shapes: Mapping[str, Sequence[int]], input_name: str, images: Sequence[int]
    ) -> None:
        self.images = images[0]
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.shapes = {**shapes, **{name: list(value.shape) for name, value in self.constants.items()}}
        self.places: dict[str, Place] = {input_name: (0, 1)}
        self.added: list[Any] = []

    def visit(self, node: NodeProto) -> None:
        source = next((name for name in node.input if name in self.places), None)
        shape = self.shapes.get(node.output[0])
        place = None if source is None or shape is None else self._place(node, source, shape)
        if source is None or shape is None or place is None:
            return
        axis = place[0]
        if node.op_type == "Reshape":
            self._free_reshape(node, source, shape, axis)
        elif node.op_type == "Expand":
            self._replace(node, 1, axis - len(shape), 1)
        else:
            self._free_constants(node, shape, axis)
        self.places.update(dict.fromkeys(node.output, place))

    def _place(self, node: NodeProto, source: str, shape: Sequence[int]) -> Place | None:
        """Where a node's output counts images."""
        (axis, inner), before = self.places[source], self.shapes.get(source)
        if before is None:
            return None
        if node.op_type in RESHAPES:
            return reshaped_axis(before, axis, inner, shape, self.images)
        rule = AXIS_RULES.get(node.op_type)
        moved = axis + len(shape) - len(before) if rule is None else rule(node, axis, len(before), self.constants)
        return (moved, inner) if moved is not None and moved >= 0 and shape[moved] == before[axis] else None

    def _free_reshape(self, node: NodeProto, source: str, shape: Sequence[int], axis: int) -> None:
        asked = self.constants.get(node.input[1])
        if asked is None or len(asked) != len(shape) or asked[axis] <= 0:
            return
        new = [int(size) for size in asked]
        rest = new.index(-1) if -1 in new else None
        before = self.shapes[source]
        if axis == self.places[source][0] and before[axis] == shape[axis]:
            new[axis] = 0
        else:
            if rest is not None:
                new[rest] = shape[rest]
            new[axis] = -1
        self._add(node, 1, np.array(new, np.int64))
        kept = [given for given in node.attribute if given.name != "allowzero"]
        del node.attribute[:]
        node.attribute.extend(kept)

    def _replace(self, node: NodeProto, place: int, axis: int, size: int) -> None:
        asked = self.constants.get(node.input[place])
        if asked is not None and len(asked) >= -axis:
            new = asked.copy()
            new[axis] = size
            self._add(node, place, new)

    def _free_constants(self, node: NodeProto, shape: Sequence[int], axis: int) -> None:
        """Constants that are repeated for each image are given once."""
        joined = node.op_type == "Concat"
        for place, name in enumerate(node.input):
            value = self.constants.get(name)
            if value is None or self.images == 1 or (not joined and node.op_type not in BROADCASTING):
                continue
            own = axis - (len(shape) - value.ndim)
            if own >= 0 and value.ndim and value.shape[own] == self.images:
                once = value.take([0], own)
                if np.array_equal(np.broadcast_to(once, value.shape), value):
                    self._add(node, place, once)

    def _add(self, node: NodeProto, place: int, value: NDArray[Any]) -> None:
        name = f"{node.output[0]}/{place}{FREE}"
        self.added.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        self.constants[name] = value
        node.input[place] = name


BROADCASTING = frozenset(("Add", "And", "Div", "Equal", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum", "Where"))


def reshaped_axis(before: Sequence[int], axis: int, inner: int, after: Sequence[int], images: int) -> Place | None:
    """Where images are counted after a reshape; None where they are split among several axes.

    With one image there are several places that it may stand at: as the slowest part of an axis before anywhere else,
    in front before behind, in the last axis, that of the channels, least likely.

    Args:
        before: The shape before.
        axis: The axis that counts images,
        inner: and how many of its entries belong to an image, one after the other.
        after: The shape after.
        images: How many there are.
    """
    stride = inner * prod(before[axis + 1 :])  # from one image to the next, in elements
    found = []
    for place, size in enumerate(after):
        step = prod(after[place + 1 :])
        if step and stride % step == 0 and size % (images * (stride // step)) == 0:
            outer = size // (images * (stride // step))
            found.append((place == len(after) - 1, outer > 1, place, stride // step))
    return min(found)[2:] if found else None


AxisRule = Callable[[NodeProto, int, int, Arrays], int | None]


def _named_axes(node: NodeProto, constants: Arrays, rank: int) -> list[int] | None:
    axes = attribute(node, "axes")
    if axes is None and len(node.input) > 1 and node.input[1] in constants:
        axes = constants[node.input[1]].ravel().tolist()
    return None if axes is None else sorted(int(axis) % rank for axis in axes)


def _transposed(node: NodeProto, axis: int, rank: int, constants: Arrays) -> int:
    order = attribute(node, "perm")
    return list(order).index(axis) if order else rank - 1 - axis


def _squeezed(node: NodeProto, axis: int, rank: int, constants: Arrays) -> int | None:
    axes = _named_axes(node, constants, rank)
    return None if axes is None or axis in axes else axis - sum(other < axis for other in axes)


def _unsqueezed(node: NodeProto, axis: int, rank: int, constants: Arrays) -> int | None:
    count = len(attribute(node, "axes") or constants.get(node.input[-1], ()))
    axes = _named_axes(node, constants, rank + count)
    kept = [place for place in range(rank + count) if place not in (axes or ())]
    return kept[axis] if axes else None


def _reduced(node: NodeProto, axis: int, rank: int, constants: Arrays) -> int | None:
    axes = _named_axes(node, constants, rank)
    if axes is None or axis in axes:
        return None
    return axis if attribute(node, "keepdims") in (None, 1) else axis - sum(other < axis for other in axes)


def _gathered(node: NodeProto, axis: int, rank: int, constants: Arrays) -> int | None:
    along = (attribute(node, "axis") or 0) % rank
    indices = constants.get(node.input[1])
    if indices is None or axis == along:
        return None
    return axis if axis < along else axis + indices.ndim - 1


AXIS_RULES: Mapping[str, AxisRule] = {
    "Transpose": _transposed,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    "Gather": _gathered,
    **dict.fromkeys(
        (f"Reduce{name}" for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum")), _reduced
    ),
}
