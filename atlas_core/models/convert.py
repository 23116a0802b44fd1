"""ONNX to torch for gradients: our normaliser, onnx2torch, and a check against onnxruntime."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxslim
import torch
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnx2torch import convert as onnx2torch_convert
from onnx2torch.node_converters.registry import get_converter
from torch import nn

from atlas_core.errors import ModelError, UnsupportedOperatorError
from atlas_core.models.graph import Network, freeze
from atlas_core.models.one_by_one import OneByOne
from atlas_core.models.onnx_graph import inferred, pruned
from atlas_core.models.onnx_operators import DOMAIN, OPERATORS

if TYPE_CHECKING:
    from atlas_core.models.tokens import Form

# the newest opset for which onnx2torch 1.5.15 has its converters
CONVERTED_OPSET = 17
# of the largest value of a layer; measured differences stay under 2e-6
TOLERANCE = 1e-4
HALF_TOLERANCE = 2e-2
# of a constant that is computed beforehand
FOLDED_BYTES = 2**26
# attributes that newer opsets added, at the values that mean what the older opset does
IDLE_ATTRIBUTES: Mapping[str, Mapping[str, int]] = {
    "AveragePool": {"dilations": 1},
    "Resize": {"antialias": 0},
}


def simplified(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """A copy with constants folded, where that succeeds, that gives these tensors under their own names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            slim: ModelProto = onnxslim.slim(pruned(model, outputs), size_threshold=FOLDED_BYTES)
        except Exception:  # a graph that onnxruntime takes is a model all the same
            return pruned(model, outputs)
    return slim


def normalise(model: ModelProto) -> ModelProto:
    """Say in opset 17, in the words that onnx2torch knows, what a simplified graph says. Changes the model given.

    Nodes are named n0, n1, … so that they can be found again after conversion.
    """
    with contextlib.suppress(ModelError):  # types help, and are not needed
        model.CopyFrom(inferred(model))  # before nodes move to a domain without rules
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
        _restate(node, {name: numpy_helper.to_array(constants[name]) for name in node.input if name in constants})
        if node.op_type in OPERATORS:
            node.domain = DOMAIN
        node.name = f"n{len(kept)}"
        kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx"):
            opset.version = min(opset.version, CONVERTED_OPSET)
    if all(opset.domain != DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return model


def _restate(node: NodeProto, constants: Mapping[str, NDArray[Any]]) -> None:
    """Bring one node to opset 17 where only its form has changed since."""
    if node.op_type == "Reshape" and len(node.input) > 1:
        shape = constants.get(node.input[1])
        if shape is not None and 0 not in shape:
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
    model: ModelProto, layers: Mapping[str, Form], output: str | None, *, opset: int, single: bool = False
) -> Network:
    """Convert a simplified model to a torch network with a place for every layer.

    Args:
        model: Simplified, giving the layers and the output by their names.
        layers: Tensor names, with how each holds its grid.
        output: Name of the logits.
        opset: The opset of the user's file, for the error.
        single: Whether the graph is right for a batch of one alone.

    Raises:
        UnsupportedOperatorError: Names the operators that cannot be converted, and their opset.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    graph = normalise(copy)
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
        node.output[0]: targets[_module_name(node)]
        for node in graph.graph.node
        if len(node.output) == 1 and _module_name(node) in targets
    }
    freeze(module.float())
    for part in module.modules():
        if isinstance(part, nn.Conv2d):  # constants of other ranks know no such order
            part.to(memory_format=torch.channels_last)
    kind = OneByOne if single else Network
    layers = {name: form for name, form in layers.items() if name in places}
    held = {places[name]: form for name, form in layers.items()}
    return kind(module, {name: places[name] for name in layers}, places.get(str(output)), held)


def _module_name(node: NodeProto) -> str:
    """What onnx2torch calls the module of a node."""
    return f"{node.domain}/{node.name}".lstrip("/")


def _unknown_operators(model: ModelProto) -> Iterator[str]:
    versions = {opset.domain: opset.version for opset in model.opset_import}
    for node in model.graph.node:
        try:
            get_converter(node.op_type, versions[node.domain], node.domain)
        except NotImplementedError:
            yield node.op_type


def check_conversion(
    network: Network,
    images: NDArray[np.float32],
    expected: Mapping[str, NDArray[np.float32]],
    output: str | None = None,
    *,
    half: bool = False,
) -> None:
    """Compare a converted network with what onnxruntime gives for the same normalised images.

    Args:
        network: Converted; computes in float32.
        images: Normalised.
        expected: What onnxruntime gives, by name; layers that the network has no place for are passed by.
        output: Name of the logits.
        half: Whether the file computes in float16, which rounds a thousand times as much.

    Raises:
        UnsupportedOperatorError: A layer or the logits differ; names the first of them.
    """
    names = [name for name in expected if name in network.places]
    logits = [output] if output in expected and output not in network.places and network.logits is not None else []
    try:
        with torch.no_grad():
            given = network.reader(names, logits=bool(logits))(torch.from_numpy(images))
    except (RuntimeError, ValueError, TypeError, NotImplementedError, IndexError) as error:
        raise UnsupportedOperatorError(f"the converted model does not run: {str(error).splitlines()[0]}") from None
    for name, tensor in zip([*names, *map(str, logits)], given, strict=True):
        value = tensor.numpy()
        difference = float(np.abs(value - expected[name]).max()) if value.shape == expected[name].shape else np.inf
        if not difference <= (HALF_TOLERANCE if half else TOLERANCE) * max(float(np.abs(expected[name]).max()), 1e-6):
            raise UnsupportedOperatorError(
                f"the converted model differs from onnxruntime by {difference:.2g} at {name!r}; it gives no gradients"
            )
