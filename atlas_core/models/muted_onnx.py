"""Something muted at a tensor of an ONNX graph, by nodes put in behind the one that makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from atlas_core.errors import ModelError
from atlas_core.models.tokens import MAPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_core.audit.muting import Mute
    from atlas_core.models.tokens import Form

PREFIX = "atlas_muted"


def muted_graph(graph: ModelProto, layer: str, form: Form, mute: Mute) -> ModelProto:
    """A copy of a graph that mutes directions of a tensor; whatever reads the tensor reads what is left of it.

    Args:
        graph: With a tensor of this name.
        layer: The tensor.
        form: How it holds its grid; tokens before the grid stay as they are.
        mute: Of as many channels.

    Raises:
        ModelError: No node of the graph makes the tensor.
    """
    model = ModelProto()
    model.CopyFrom(graph)
    nodes = list(model.graph.node)
    maker = next((place for place, node in enumerate(nodes) if layer in node.output), None)
    if maker is None:
        raise ModelError(f"nothing can be put in behind {layer!r}: no node of the graph itself makes it")
    adding = _Adding(_element(graph, layer), form, f"{PREFIX}{len(nodes)}")  # of no node that was put in before
    before = f"{adding.prefix}_{layer}"
    nodes[maker].output[list(nodes[maker].output).index(layer)] = before
    added = adding.nodes(before, layer, mute)
    del model.graph.node[:]
    model.graph.node.extend([*nodes[: maker + 1], *added, *nodes[maker + 1 :]])
    model.graph.initializer.extend(adding.weights)
    return model


def _element(graph: ModelProto, layer: str) -> int:
    """Element type of a tensor whose types are inferred; float32 where that is not known."""
    values = (*graph.graph.value_info, *graph.graph.output)
    return next((value.type.tensor_type.elem_type for value in values if value.name == layer), TensorProto.FLOAT)


class _Adding:
    """The nodes that mute: of maps two 1 x 1 convolutions a direction, else two products along the last axis."""

    def __init__(self, element: int, form: Form, prefix: str) -> None:
        self.weights: list[TensorProto] = []
        self.prefix = prefix
        self._kind = helper.tensor_dtype_to_np_dtype(element)
        self._form = form
        self._made: list[NodeProto] = []

    def nodes(self, before: str, after: str, mute: Mute) -> list[NodeProto]:
        """From the tensor `before` to `after`, one direction after the other."""
        there = before
        last = len(mute.level) - 1
        for number in range(last + 1):
            excess = self._excess(there, number, mute)
            taken = self._along(excess, number, mute)
            there = self._node("Sub", [there, taken], f"{number}_left" if number < last else None, after)
        return self._made

    def _excess(self, there: str, number: int, mute: Mute) -> str:
        normal, level = mute.normal[number], mute.level[number : number + 1]
        if self._form.axes == MAPS:
            inputs = [there, self._weight(f"{number}_normal", normal[None, :, None, None]),
                      self._weight(f"{number}_level", -level)]  # fmt: skip
            return self._node("Relu", [self._node("Conv", inputs, f"{number}_score")], f"{number}_excess")
        score = self._node("MatMul", [there, self._weight(f"{number}_normal", normal[:, None])], f"{number}_product")
        score = self._node("Sub", [score, self._weight(f"{number}_level", level)], f"{number}_score")
        excess = self._node("Relu", [score], f"{number}_excess")
        if not self._form.leading:
            return excess
        grid = (np.arange(self._form.tokens) >= self._form.leading).astype(np.float32)
        return self._node("Mul", [excess, self._weight(f"{number}_grid", grid[None, :, None])], f"{number}_of_grid")

    def _along(self, excess: str, number: int, mute: Mute) -> str:
        along = mute.along[number]
        if self._form.axes == MAPS:
            return self._node("Conv", [excess, self._weight(f"{number}_along", along[:, None, None, None])],
                              f"{number}_taken")  # fmt: skip
        return self._node("MatMul", [excess, self._weight(f"{number}_along", along[None])], f"{number}_taken")

    def _node(self, kind: str, inputs: list[str], name: str | None, output: str = "") -> str:
        output = output if name is None else f"{self.prefix}_{name}"
        self._made.append(helper.make_node(kind, inputs, [output], name=f"{self.prefix}_node_{len(self._made)}"))
        return output

    def _weight(self, name: str, values: NDArray[np.float32]) -> str:
        self.weights.append(numpy_helper.from_array(values.astype(self._kind), f"{self.prefix}_{name}"))
        return f"{self.prefix}_{name}"
