"""Which tensors of an ONNX graph are outputs of blocks: what `blocks` says of torch's networks, of ONNX's.

Exporters leave the path of the module that a node came from, in its metadata or as its name's leading parts; a module
with two or more weighted operators is a block. In a file without such paths blocks are told by how tensors are joined.
"""

from __future__ import annotations

import ast
import itertools
from typing import TYPE_CHECKING

from atlas_core.models.blocks import LEAST_BLOCKS, LEAST_WEIGHTED
from atlas_core.models.onnx_fields import POINTWISE
from atlas_core.models.onnx_graph import NUMBERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from onnx import ModelProto, NodeProto

    from atlas_core.models.tokens import Form

WEIGHTED = frozenset(("Conv", "ConvTranspose", "Gemm", "MatMul"))
SCOPES = "pkg.torch.onnx.name_scopes"
# in characters; paths of deep networks have some hundred
LONGEST_PATH = 4096


def block_outputs(
    model: ModelProto, origin: Mapping[str, NodeProto], outputs: Sequence[str], held: Mapping[str, Form]
) -> set[str]:
    """The outputs of blocks: where all that reaches the graph's outputs passes, at the end of a block.

    Args:
        model: Simplified.
        origin: The nodes of the file by their outputs, with the names and metadata that exporters gave them.
        outputs: The tensors for whose sake there is a graph: the logits.
        held: The grids of tensors, from `onnx_forms.forms`.
    """
    nodes = [node for node in model.graph.node if node.op_type not in NUMBERS and node.output[0] in held]
    passed = bottlenecks(nodes, outputs, held)
    found = _ends_of_modules(nodes, passed, origin, held)
    if len(found) < LEAST_BLOCKS:
        found |= _joins(nodes, passed, held)
    if len(found) < LEAST_BLOCKS:
        found |= {name for name in passed if _ends_stage(name, nodes, held)}
    return {name for name in found if held[name].readable}


def bottlenecks(nodes: Sequence[NodeProto], outputs: Sequence[str], held: Mapping[str, Form]) -> list[str]:
    """Tensors that every path from the picture to these outputs goes through, in order."""
    last = dict.fromkeys(outputs, len(nodes))  # of every tensor that is needed, the place of its last use
    for place, node in reversed(list(enumerate(nodes))):
        if any(name in last for name in node.output):
            for name in node.input:
                if name in held:
                    last.setdefault(name, place)
    computed = {name for node in nodes for name in node.output}
    reach = max((place for name, place in last.items() if name not in computed), default=0)
    found = []
    for place, node in enumerate(nodes):
        used = [name for name in node.output if name in last]
        if reach <= place and len(used) == 1:
            found.append(used[0])
        reach = max([reach, *(last[name] for name in used)])
    return found


def _ends_of_modules(
    nodes: Sequence[NodeProto], passed: Sequence[str], origin: Mapping[str, NodeProto], held: Mapping[str, Form]
) -> set[str]:
    """Of every module with so many weighted operators the last bottleneck, unless weighted ones follow it."""
    counts: dict[str, int] = {}
    ends: dict[str, str | None] = {}
    crossing = set(passed)
    for node in nodes:
        name = node.output[0]
        weighted = _is_weighted(node, held)
        for scope in _scopes(origin.get(name, node)):
            if weighted:
                counts[scope] = counts.get(scope, 0) + 1
                ends[scope] = None
            if name in crossing:
                ends[scope] = name
    return {end for scope, end in ends.items() if end and counts.get(scope, 0) >= LEAST_WEIGHTED}


def _scopes(node: NodeProto) -> list[str]:
    """Paths of the modules that a node came from, the whole model left out."""
    told = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), None)
    if max(len(node.name), len(told or "")) > LONGEST_PATH:
        return []
    if told is not None:
        try:
            return [str(scope) for scope in ast.literal_eval(told)[1:-1]]
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # whatever a file may say
            return []
    parts = node.name.strip("/").split("/")[:-1]
    return ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]


def _is_weighted(node: NodeProto, held: Mapping[str, Form]) -> bool:
    form = held[node.output[0]]
    constant = sum(name in held for name in node.input) == 1
    return node.op_type in WEIGHTED and constant and form.height * form.width > 1


def _joins(nodes: Sequence[NodeProto], passed: Sequence[str], held: Mapping[str, Form]) -> set[str]:
    """Where paths with weighted operators come together again, after the activation that may follow."""
    places = {name: place for place, node in enumerate(nodes) for name in node.output}
    found = set()
    for place, (before, name) in enumerate(itertools.pairwise(["", *passed])):
        between = nodes[places.get(before, -1) + 1 : places[name] + 1]
        joined = sum(source in held for source in nodes[places[name]].input) > 1
        if joined and sum(_is_weighted(node, held) for node in between) >= LEAST_WEIGHTED:
            following = passed[place + 1] if place + 1 < len(passed) else name
            node = nodes[places[following]]
            found.add(following if node.op_type in POINTWISE and name in node.input else name)
    return found


def _ends_stage(name: str, nodes: Sequence[NodeProto], held: Mapping[str, Form]) -> bool:
    """Whether the grid shrinks after a tensor."""
    size = held[name].height * held[name].width
    after = [held[node.output[0]] for node in nodes if name in node.input]
    return any(form.height * form.width < size for form in after)
