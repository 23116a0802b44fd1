"""ONNX to torch for gradients: our normaliser, onnx2torch, and a check against onnxruntime."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnxslim
import torch
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx2torch import convert as onnx2torch_convert
from onnx2torch.node_converters.registry import add_converter, get_converter
from onnx2torch.node_converters.slice import OnnxSlice
from onnx2torch.utils.common import OperationConverterResult, onnx_mapping_from_node
from torch import Tensor, fx, nn

from atlas_core.errors import UnsupportedOperatorError
from atlas_core.models.graph import Network, freeze
from atlas_core.models.onnx_graph import pruned

# the newest opset for which onnx2torch 1.5.15 has its converters
CONVERTED_OPSET = 17
# of the largest value of a layer; measured differences stay under 2e-6
TOLERANCE = 1e-4
# ends the name of a shape that no longer fixes the batch
FREE = "/free"
# attributes that newer opsets added, at the values that mean what the older opset does
IDLE_ATTRIBUTES: Mapping[str, Mapping[str, int]] = {
    "AveragePool": {"dilations": 1},
    "Cast": {"saturate": 1},
    "Resize": {"antialias": 0},
}


@add_converter("Gelu", CONVERTED_OPSET)
def _gelu(node: Any, graph: Any) -> OperationConverterResult:
    approximate = node.attributes.get("approximate", "none")
    return OperationConverterResult(nn.GELU(approximate), onnx_mapping_from_node(node))


class Slice(nn.Module):
    """ONNX's Slice. That of onnx2torch 1.5.15 indexes by a list, which torch is about to read as a gather."""

    def forward(
        self,
        values: Tensor,
        starts: Tensor,
        ends: Tensor,
        axes: Tensor | None = None,
        steps: Tensor | None = None,
    ) -> Tensor:
        """Slice along each axis; a negative step runs backwards."""
        index = [slice(None)] * values.ndim
        along = range(len(starts)) if axes is None else axes.tolist()
        strides = [1] * len(starts) if steps is None else steps.tolist()
        for start, end, axis, step in zip(starts.tolist(), ends.tolist(), along, strides, strict=True):
            if step < 0:
                values = values.flip(axis)
                index[axis] = slice(-start - 1, -end - 1, -step)
            else:
                index[axis] = slice(start, end, step)
        return values[tuple(index)]


def simplified(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """A copy with constants folded, where that succeeds, that gives these tensors under their own names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            slim: ModelProto = onnxslim.slim(pruned(model, outputs))
        except Exception:  # a graph that onnxruntime takes is a model all the same
            return pruned(model, outputs)
    return slim


def normalise(model: ModelProto, batch: int | None = None) -> ModelProto:
    """Say in opset 17, in the words that onnx2torch knows, what a simplified graph says. Changes the model given.

    Nodes are named n0, n1, … so that they can be found again after conversion. Where the file fixes the batch,
    reshapes to that many images are freed from it; a wrong guess shows when the conversion is checked.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    kept: list[NodeProto] = []
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in constants:
            copy = graph.initializer.add()
            copy.CopyFrom(constants[node.input[0]])
            copy.name = node.output[0]
            constants[copy.name] = copy
            continue
        if batch is not None and node.op_type == "Reshape" and node.input[1] in constants:
            node.input[1] = _free_batch(graph, constants, node.input[1], batch)
        _restate(node, {name: numpy_helper.to_array(constants[name]) for name in node.input if name in constants})
        node.name = f"n{len(kept)}"
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = min(opset.version, CONVERTED_OPSET)
    return model


def _free_batch(graph: GraphProto, constants: dict[str, TensorProto], name: str, batch: int) -> str:
    """Name of a shape that keeps its leading axis, where this one fixes it to the batch."""
    shape = numpy_helper.to_array(constants[name])
    if shape.size < 2 or shape[0] != batch:
        return name
    free = name + FREE
    if free not in constants:
        graph.initializer.append(numpy_helper.from_array(np.concatenate([[0], shape[1:]]).astype(np.int64), free))
        constants[free] = graph.initializer[-1]
    return free


def _restate(node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> None:
    """Bring one node to opset 17 where only its form has changed since."""
    if node.op_type == "Reshape" and len(node.input) > 1:
        shape = constants.get(node.input[1])
        if shape is not None and (0 not in shape or node.input[1].endswith(FREE)):
            _drop(node, ["allowzero"])
    elif node.op_type.startswith("Reduce") and node.op_type != "ReduceSum":
        axes = constants.get(node.input[1]) if len(node.input) > 1 else None
        if axes is not None:
            del node.input[1:]
            node.attribute.append(helper.make_attribute("axes", [int(axis) for axis in axes.ravel()]))
    idle = IDLE_ATTRIBUTES.get(node.op_type, {})
    _drop(node, [name for name, value in idle.items() if set(np.ravel(_attribute(node, name, value))) == {value}])


def _attribute(node: NodeProto, name: str, default: int) -> Any:
    found = [helper.get_attribute_value(attribute) for attribute in node.attribute if attribute.name == name]
    return found[0] if found else default


def _drop(node: NodeProto, names: Sequence[str]) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in names]
    del node.attribute[:]
    node.attribute.extend(kept)


def to_torch(
    model: ModelProto, layers: Sequence[str], output: str | None, *, opset: int, batch: int | None = None
) -> Network:
    """Convert a simplified model to a torch network with a place for every layer.

    Args:
        model: Simplified, giving the layers and the output by their names.
        layers: Tensor names.
        output: Name of the logits.
        opset: The opset of the user's file, for the error.
        batch: The batch size that the user's file fixes, if it does.

    Raises:
        UnsupportedOperatorError: Names the operators that cannot be converted, and their opset.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = normalise(copy, batch)
    unknown = sorted(set(_unknown_operators(graph)))
    if unknown:
        raise UnsupportedOperatorError(
            f"cannot be converted to torch for gradients: {', '.join(f'{name} (opset {opset})' for name in unknown)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = onnx2torch_convert(graph)
    except Exception as error:  # its converters raise whatever they meet
        raise UnsupportedOperatorError(f"cannot be converted to torch for gradients (opset {opset}): {error}") from None
    targets = {str(node.target): node for node in module.graph.nodes if node.op == "call_module"}
    places = {
        node.output[0]: targets[node.name]
        for node in graph.graph.node
        if len(node.output) == 1 and node.name in targets
    }
    for name, part in list(module.named_children()):
        if isinstance(part, OnnxSlice):
            setattr(module, name, Slice())
    freeze(module.float()).to(memory_format=torch.channels_last)
    return Network(module, {name: places[name] for name in layers if name in places}, places.get(str(output)))


def _unknown_operators(model: ModelProto) -> Iterator[str]:
    versions = {opset.domain: opset.version for opset in model.opset_import}
    for node in model.graph.node:
        try:
            get_converter(node.op_type, versions[node.domain], node.domain)
        except NotImplementedError:
            yield node.op_type


def check_conversion(
    network: Network, images: NDArray[np.float32], expected: Mapping[str, NDArray[np.float32]]
) -> None:
    """Compare a converted network with what onnxruntime gives for the same normalised images.

    Raises:
        UnsupportedOperatorError: A layer or the logits differ; names the first of them.
    """
    names = [name for name in expected if name in network.places or network.logits is not None]
    nodes = {name: network.places.get(name, network.logits) for name in names}
    watcher = _Watcher(network.module, {node: name for name, node in nodes.items() if node is not None})
    try:
        with torch.no_grad():
            watcher.run(torch.from_numpy(images))
    except RuntimeError as error:
        raise UnsupportedOperatorError(f"the converted model does not run: {str(error).splitlines()[0]}") from None
    for name, value in watcher.values.items():
        difference = float(np.abs(value - expected[name]).max()) if value.shape == expected[name].shape else np.inf
        if not difference <= TOLERANCE * max(float(np.abs(expected[name]).max()), 1e-6):
            raise UnsupportedOperatorError(
                f"the converted model differs from onnxruntime by {difference:.2g} at {name!r}; it gives no gradients"
            )


class _Watcher(fx.Interpreter):
    """Runs a network and keeps the values of the nodes that have a name."""

    def __init__(self, module: fx.GraphModule, names: Mapping[fx.Node, str]) -> None:
        super().__init__(module)
        self.names = names
        self.values: dict[str, NDArray[np.float32]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node as usual, and keep its value."""
        value = super().run_node(n)
        if n in self.names:
            self.values[self.names[n]] = value.numpy()
        return value
