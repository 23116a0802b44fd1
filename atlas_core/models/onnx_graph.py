"""ONNX files: parsed within bounds, checked, and cut down to the tensors that are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import onnx
import onnx.inliner
import onnx.shape_inference
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from atlas_core.errors import ModelError

if TYPE_CHECKING:
    from atlas_core.cards import InputCard

# a protobuf holds less; ResNet-152 has 516 nodes, large vision transformers some thousands
MOST_BYTES = 2**31 - 1
MOST_NODES = 20_000
# functions of a file within each other
MOST_CALLS = 64
# of one tensor for one image: 4 GiB of floats are in no image network
MOST_ELEMENTS = 2**30
# of a batch that a file fixes
MOST_IMAGES = 1024
DOMAINS = ("", "ai.onnx")
# nothing bounds how long it runs
ENDLESS = frozenset(("Loop",))
# they give what they are given, in shape and type, which onnx 1.23 does not know
UNINFERRED = frozenset(("GroupNormalization",))
# what they give no longer depends on the picture's values
NUMBERS = frozenset(("Shape", "Size"))
FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)


@dataclass(frozen=True)
class OnnxInput:
    """The image input of a graph: its name, its element type, and its batch size where the file fixes one."""

    name: str
    element: int
    batch: int | None


def read_onnx(data: bytes) -> ModelProto:
    """Parse a file; local functions are inlined and types inferred.

    Raises:
        ModelError: It is no ONNX file, too large, has external data, or needs operators of another domain.
    """
    if len(data) > MOST_BYTES:
        raise ModelError(f"the ONNX file is larger than {MOST_BYTES:,} bytes")
    model = ModelProto()
    try:
        model.ParseFromString(data)
    except Exception:  # protobuf's DecodeError, whose package has no types
        model.Clear()
    if not model.graph.node:
        raise ModelError("the source is no ONNX file with a graph; export the model with torch.onnx.export")
    if model.functions:
        _check_functions(model)
        model = onnx.inliner.inline_local_functions(model)
    _check(model)
    return inferred(model)


def _check_functions(model: ModelProto) -> None:
    """Refuse functions that become too many nodes where they are called, or that call themselves."""
    bodies = {(body.domain, body.name): body for body in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(key: tuple[str, str], callers: tuple[tuple[str, str], ...]) -> int:
        if key not in bodies:
            return 1
        if key in callers or len(callers) > MOST_CALLS:
            raise ModelError(f"the function {key[1]!r} of the ONNX file calls itself, or is called from too deep")
        if key not in sizes:
            sizes[key] = total(bodies[key].node, (*callers, key))
        return sizes[key]

    def total(nodes: Iterable[NodeProto], callers: tuple[tuple[str, str], ...]) -> int:
        return sum(size((node.domain, node.op_type), callers) for node in _with_inner(nodes))

    _check_nodes(total(model.graph.node, ()))


def _check_nodes(count: int) -> None:
    if count > MOST_NODES:
        raise ModelError(f"the ONNX graph has {count} nodes; {MOST_NODES} are taken at most")


def _check(model: ModelProto) -> None:
    nodes = list(all_nodes(model.graph))
    _check_nodes(len(nodes))
    strange = next((node for node in nodes if node.domain not in DOMAINS), None)
    if strange is not None:
        raise ModelError(
            f"the ONNX operator {strange.op_type} is of the domain {strange.domain!r}; custom operators are not run"
        )
    endless = next((node for node in nodes if node.op_type in ENDLESS), None)
    if endless is not None:
        raise ModelError(f"the ONNX operator {endless.op_type} is not run; export the model without loops")
    if all(opset.domain not in DOMAINS for opset in model.opset_import):
        raise ModelError("the ONNX file does not say which version of ONNX's operators it is written in")
    total = 0
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise ModelError("the ONNX file keeps its weights in another file; save it with external_data=False")
        elements = prod(tensor.dims)
        total += elements
        if min(tensor.dims, default=0) < 0 or elements > MOST_ELEMENTS:
            raise ModelError(
                f"the ONNX tensor {tensor.name!r} has the shape {list(tensor.dims)}; a tensor of weights holds "
                f"{MOST_ELEMENTS:,} numbers at most"
            )
    if total > MOST_BYTES:
        raise ModelError(
            f"the ONNX graph says that its weights are {total:,} numbers; {MOST_BYTES:,} are taken at most"
        )


def opset_of(model: ModelProto) -> int:
    """The version of ONNX's own operators that a model is written in."""
    return int(next(opset.version for opset in model.opset_import if opset.domain in DOMAINS))


def all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """Every node, those of branches and loop bodies too."""
    return _with_inner(graph.node)


def _with_inner(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for body in _bodies(attribute):
                yield from _with_inner(body.node)


def _bodies(attribute: AttributeProto) -> list[GraphProto]:
    return [attribute.g, *attribute.graphs] if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) else []


def _tensors(graph: GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for body in _bodies(attribute):
                yield from _tensors(body)


def image_input(model: ModelProto, card: InputCard) -> OnnxInput:
    """The one input of a graph.

    Raises:
        ModelError: There is not exactly one input, or it does not take what the card says.
    """
    constants = {initializer.name for initializer in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ModelError(f"the ONNX graph must have one input, a batch of images; it has {names}")
    tensor = inputs[0].type.tensor_type
    sizes = [size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim]
    wanted = [card.channels, card.height, card.width]
    if tensor.elem_type not in FLOATS or len(sizes) != 4:
        raise ModelError(f"the ONNX input {inputs[0].name} must be float of shape (batch, channels, height, width)")
    if any(size not in (None, 0, want) for size, want in zip(sizes[1:], wanted, strict=True)):
        raise ModelError(f"the ONNX input {inputs[0].name} has the shape {sizes}, the card's input is {wanted}")
    if (sizes[0] or 1) > MOST_IMAGES:
        raise ModelError(f"the ONNX input {inputs[0].name} is fixed to {sizes[0]} images at once; export it for any "
                         f"number, or for {MOST_IMAGES} at most")  # fmt: skip
    return OnnxInput(inputs[0].name, tensor.elem_type, sizes[0] or None)


def static_shapes(model: ModelProto, input_name: str, shape: Sequence[int]) -> dict[str, list[int]]:
    """The shapes that can be told without running a graph on anything, for images of this shape.

    What the file itself says of shapes is not heeded.

    Raises:
        ModelError: Shapes contradict each other, or a tensor is absurdly large.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        if value.name == input_name:
            element = value.type.tensor_type.elem_type
            value.CopyFrom(onnx.helper.make_tensor_value_info(input_name, element, list(shape)))
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        output.type.tensor_type.ClearField("shape")
    found = {}
    told = inferred(copy).graph
    for value in (*told.input, *told.value_info, *told.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(size.HasField("dim_value") for size in tensor.shape.dim):
            found[value.name] = [size.dim_value for size in tensor.shape.dim]
            if prod(found[value.name]) > MOST_ELEMENTS * max(shape[0], 1):
                raise ModelError(
                    f"the ONNX tensor {value.name!r} would have the shape {found[value.name]}; a tensor holds "
                    f"{MOST_ELEMENTS:,} numbers an image at most"
                )
    return found


def inferred(model: ModelProto) -> ModelProto:
    """A copy with the types and shapes that can be told without running it.

    Raises:
        ModelError: They contradict each other.
    """
    copy, plain = ModelProto(), ModelProto()
    copy.CopyFrom(model)
    plain.CopyFrom(model)
    for node in plain.graph.node:
        if node.op_type in UNINFERRED:
            node.CopyFrom(onnx.helper.make_node("Identity", [node.input[0]], node.output))
    try:
        graph = onnx.shape_inference.infer_shapes(plain, data_prop=True).graph
    except Exception as error:  # a C++ exception without a Python class of its own
        raise ModelError(f"the ONNX graph is broken: {str(error).splitlines()[0]}") from None
    del copy.graph.value_info[:], copy.graph.output[:]
    copy.graph.value_info.extend(graph.value_info)
    copy.graph.output.extend(graph.output)
    return copy


def seen_outputs(model: ModelProto, input_name: str) -> dict[str, NodeProto]:
    """The tensors that depend on the picture's values, in order of execution, with the nodes that give them."""
    found: dict[str, NodeProto] = {}
    for node in model.graph.node:
        if node.op_type not in NUMBERS and any(name == input_name or name in found for name in _inputs(node)):
            found.update(dict.fromkeys(filter(None, node.output), node))
    return found


def float_outputs(model: ModelProto, input_name: str) -> list[str]:
    """Names of the float tensors that depend on the picture, in order, whose rank is 2 to 4 or unknown."""
    graph = model.graph
    known = {value.name: value for value in (*graph.value_info, *graph.output)}
    names = [name for name in seen_outputs(model, input_name) if name in known]
    return [name for name in names if _is_candidate(known[name])]


def _is_candidate(value: ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.elem_type in FLOATS and (not tensor.HasField("shape") or len(tensor.shape.dim) in (2, 3, 4))


def pruned(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """A copy that computes these tensors and nothing else."""
    nodes = _needed(model.graph, outputs)
    used = {name for node in nodes for name in _inputs(node)} | set(outputs)
    elements = {
        value.name: value.type.tensor_type.elem_type for value in (*model.graph.value_info, *model.graph.output)
    }
    graph = GraphProto(name=model.graph.name)
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in used)
    graph.input.extend(model.graph.input)
    graph.value_info.extend(value for value in model.graph.value_info if value.name not in outputs)
    graph.output.extend(
        onnx.helper.make_tensor_value_info(name, elements.get(name, TensorProto.FLOAT), None) for name in outputs
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def _needed(graph: GraphProto, outputs: Iterable[str]) -> list[NodeProto]:
    wanted = set(outputs)
    nodes = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(_inputs(node))
    return nodes[::-1]


def _inputs(node: NodeProto) -> Iterator[str]:
    """What a node reads; bodies read outer tensors without listing them."""
    yield from node.input
    for attribute in node.attribute:
        for body in _bodies(attribute):
            for inner in all_nodes(body):
                yield from inner.input
            yield from (value.name for value in body.output)
