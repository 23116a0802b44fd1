"""Where an ONNX graph's tensors have their grid of positions: what `tokens` says of torch's networks, of ONNX's.

Decided by following the axes of every tensor from the picture on, operator by operator, never by names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from atlas_core.models.onnx_graph import NUMBERS
from atlas_core.models.tokens import MAPS, TOKENS, Form, permuted, reshaped

Shapes = Mapping[str, Sequence[int]]
Constants = Mapping[str, NDArray[Any]]

# what they give is maps, wherever their input came from
MAP_OPERATORS = frozenset(
    ("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "DepthToSpace", "GlobalAveragePool",
     "GlobalMaxPool", "LRN", "LpPool", "MaxPool", "SpaceToDepth")
)  # fmt: skip
RESHAPES = frozenset(("Flatten", "Reshape", "Squeeze", "Unsqueeze"))
# each position of what they give is a mixture of positions
PRODUCTS = frozenset(("Attention", "Einsum", "Gemm", "MatMul"))


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    found = [helper.get_attribute_value(given) for given in node.attribute if given.name == name]
    return found[0] if found else default


def constants_of(model: ModelProto) -> dict[str, NDArray[Any]]:
    """Values of a graph's initializers and constants by name."""
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            found[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return found


def forms(model: ModelProto, input_name: str, shapes: Shapes) -> dict[str, Form]:
    """The form of every tensor that is computed from the picture's values.

    Args:
        model: Simplified, so that axes are constants.
        input_name: The image input.
        shapes: Of the tensors, the input among them, for some number of images; one that is left out loses its axes.
    """
    return _Walk(model, input_name, shapes).forms


class _Walk:
    def __init__(self, model: ModelProto, input_name: str, shapes: Shapes) -> None:
        self.shapes = shapes
        self.constants = constants_of(model)
        self.images, _, height, width = shapes[input_name]
        self.forms: dict[str, Form] = {input_name: Form(MAPS, height, width)}
        # of tensors whose axes were lost by joining parts of a grid anew: their order of positions is not the grid's
        self.shuffled: set[str] = set()
        for node in model.graph.node:
            if node.op_type not in NUMBERS:
                self._visit(node)

    def _visit(self, node: NodeProto) -> None:
        sources = [name for name in node.input if name in self.forms]
        if not sources:
            return
        for output in filter(None, node.output):
            shape = self.shapes.get(output)
            form = self.forms[sources[0]].lost if shape is None else self._form(node, sources, shape)
            self.forms[output] = form
            lost = not form.axes and any(name in self.shuffled for name in sources)
            if lost or (node.op_type == "Concat" and not form.axes):
                self.shuffled.add(output)

    def _form(self, node: NodeProto, sources: Sequence[str], shape: Sequence[int]) -> Form:
        source, kind = sources[0], node.op_type
        form = self.forms[source]
        if kind in MAP_OPERATORS:
            return Form(MAPS, shape[2], shape[3]) if len(shape) == 4 else form.lost
        if kind == "Transpose":
            return permuted(form, attribute(node, "perm") or [*range(len(shape))][::-1])
        if kind in RESHAPES:
            known = source in self.shapes and source not in self.shuffled
            found = reshaped(form, self.shapes[source], shape) if known else form.lost
            # windows and heads may stand where images do
            return found if found.axes[:1] != ("n",) or shape[0] == self.images else form.lost
        if kind in PRODUCTS and len(sources) > 1:
            return form.lost
        if kind in ("Slice", "Pad"):
            return self._resized(node, source, shape)
        if kind == "Concat":
            return self._joined(node, shape)
        return self._any(sources, shape)

    def _resized(self, node: NodeProto, source: str, shape: Sequence[int]) -> Form:
        """Parts of a grid, or one with a margin; of tokens, those from some place among the leading ones on."""
        form = self.forms[source]
        if len(shape) != len(form.axes):
            return form.lost
        if "t" not in form.axes:
            height, width = (shape[form.axes.index(axis)] for axis in "hw")
            return replace(form, height=height, width=width)
        dropped = self.shapes[source][form.axes.index("t")] - shape[form.axes.index("t")]
        if node.op_type == "Slice" and self._starts_at(node, form.axes.index("t"), dropped, len(shape)):
            return replace(form, leading=form.leading - dropped) if 0 <= dropped <= form.leading else form.lost
        return form.lost

    def _starts_at(self, node: NodeProto, axis: int, place: int, rank: int) -> bool:
        """Whether a slice takes what follows a place of an axis, or leaves the axis alone."""
        starts = self.constants.get(node.input[1]) if len(node.input) > 1 else attribute(node, "starts")
        axes = self.constants.get(node.input[3]) if len(node.input) > 3 else attribute(node, "axes")
        if starts is None:
            return False
        along = range(len(starts)) if axes is None else [int(one) % rank for one in axes]
        found = dict(zip(along, (int(start) for start in starts), strict=True))
        return found.get(axis, 0) == place

    def _joined(self, node: NodeProto, shape: Sequence[int]) -> Form:
        """Tokens put before a grid's, or channels side by side; parts of a grid side by side lose their places."""
        axis = attribute(node, "axis", 0) % len(shape)
        last = self.forms.get(node.input[-1])
        if last is not None and last.axes == TOKENS and axis == 1:
            return replace(last, leading=last.leading + shape[1] - self.shapes[node.input[-1]][1])
        sources = [name for name in node.input if name in self.forms]
        known = [self.forms[name] for name in sources if self.forms[name].axes]
        if not known or len(known[0].axes) != len(shape) or known[0].axes[axis] != "c":
            return self.forms[sources[0]].lost
        return self._any(sources, shape)

    def _any(self, sources: Sequence[str], shape: Sequence[int]) -> Form:
        """Any other operator: axes are what they were in an input of the same grid, maps stay maps."""
        known = [(self.forms[name], self.shapes[name]) for name in sources if self.forms[name].axes]
        for form, before in known:
            if len(before) == len(shape) and _sides(form.axes, before) == _sides(form.axes, shape):
                return form
        if len(shape) == 4 and any(form.axes == MAPS for form, _ in known):
            return Form(MAPS, shape[2], shape[3])
        return self.forms[sources[0]].lost


def _sides(axes: Sequence[str], shape: Sequence[int]) -> list[int]:
    return [size for axis, size in zip(axes, shape, strict=True) if axis != "c"]
