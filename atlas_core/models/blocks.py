"""Which tensors of a traced network are outputs of blocks: the layers that people mean when they ask for one."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import fx, nn

if TYPE_CHECKING:
    from atlas_core.models.tokens import Form

WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.MultiheadAttention)
# a module with fewer is part of a block: a convolution with its normaliser and activation
LEAST_WEIGHTED = 2
# of a network without blocks, each last tensor before the grid shrinks stands for one
LEAST_BLOCKS = 2


def block_outputs(
    module: fx.GraphModule,
    places: Mapping[str, fx.Node],
    shapes: Mapping[fx.Node, Sequence[int]],
    held: Mapping[fx.Node, Form],
) -> set[fx.Node]:
    """The outputs of blocks: where all that reaches the network's output passes, at the end of a composite module.

    A composite module has two or more weighted layers: residual, inception, fire and transformer blocks, and stages
    of them. Branches, gates and what a skip connection goes around are passed by, so they are none. In a network
    without such modules these are the last tensors before the grid shrinks.

    Args:
        module: The traced network.
        places: By name, modules' names among them, the node whose value it stands for.
        shapes: Of all tensors.
        held: The grids of tensors, from `tokens.forms`.
    """
    passed = bottlenecks(module, shapes, held)
    parts = _composite(module, shapes, held)
    found = {node for name, node in places.items() if name in parts and node in passed and held[node].readable}
    return found if len(found) >= LEAST_BLOCKS else found | {node for node in passed if _ends_stage(node, held)}


def bottlenecks(
    module: fx.GraphModule, shapes: Mapping[fx.Node, Sequence[int]], held: Mapping[fx.Node, Form]
) -> set[fx.Node]:
    """Tensors that every path from the picture to the output goes through."""
    order = {node: place for place, node in enumerate(module.graph.nodes)}
    output = module.graph.output_node()
    needed = _needed(output, held)
    found = set()
    reach = 0  # of the edges from nodes before, the furthest end
    for node in module.graph.nodes:
        if node not in needed:
            continue
        if reach <= order[node] and node in shapes and node.op != "placeholder":
            found.add(node)
        ends = [order[user] for user in node.users if user in needed or user is output]
        reach = max([reach, *ends])
    return found


def _needed(output: fx.Node, held: Mapping[fx.Node, Form]) -> set[fx.Node]:
    """What the output is computed from, sizes and other numbers left out."""
    found: set[fx.Node] = set()
    waiting = list(output.all_input_nodes)
    while waiting:
        node = waiting.pop()
        if node in held and node not in found:
            found.add(node)
            waiting.extend(node.all_input_nodes)
    return found


def _composite(
    module: fx.GraphModule, shapes: Mapping[fx.Node, Sequence[int]], held: Mapping[fx.Node, Form]
) -> Collection[str]:
    """Names of modules with two or more weighted layers that work on a grid."""
    counts: dict[str, int] = {}
    for node in module.graph.nodes:
        form = held.get(node)
        if form is None or form.height * form.width == 1 or not _is_weighted(module, node):
            continue
        parts = _owner(module, node).split(".")
        for depth in range(1, len(parts) + 1):
            name = ".".join(parts[:depth])
            counts[name] = counts.get(name, 0) + 1
    return {name for name, count in counts.items() if count >= LEAST_WEIGHTED}


def _is_weighted(module: fx.GraphModule, node: fx.Node) -> bool:
    return node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), WEIGHTED)


def _owner(module: fx.GraphModule, node: fx.Node) -> str:
    """Name of the module that holds the layer that a node calls."""
    return str(node.target).rpartition(".")[0]


def _ends_stage(node: fx.Node, held: Mapping[fx.Node, Form]) -> bool:
    form = held[node]
    after = [held[user] for user in node.users if user in held]
    shrunk = any(user.height * user.width < form.height * form.width for user in after)
    return form.readable and shrunk and node.target is not operator.getitem
