"""Which places of a traced network are layers, and what each position of them sees."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torchvision.models.feature_extraction import NodePathTracer
from torchvision.models.swin_transformer import _patch_merging_pad, shifted_window_attention
from torchvision.ops import stochastic_depth

from atlas_core.cards import LayerInfo
from atlas_core.models.blocks import block_outputs
from atlas_core.models.receptive_field import Field, union
from atlas_core.models.tokens import MAPS, PERMUTATIONS, RESHAPES, SWAPS, Form, forms, shrinks

# fewer positions a side leave no interior to sample from
LEAST_SIDE = 3

POINTWISE_MODULES = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.Hardtanh,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.Identity,
    nn.Dropout,
    nn.Dropout2d,
    nn.AlphaDropout,
    nn.BatchNorm2d,
    nn.GroupNorm,
    nn.LocalResponseNorm,
)
# over the channels alone where these come last
CHANNEL_MODULES = (nn.Linear, nn.LayerNorm, nn.RMSNorm)
CHANNEL_FUNCTIONS: frozenset[Any] = frozenset({functional.linear, functional.layer_norm})
SPLITS: frozenset[Any] = frozenset({"chunk", "split", torch.chunk, torch.split})
POINTWISE_FUNCTIONS: frozenset[Any] = frozenset(
    {
        torch.relu,
        torch.sigmoid,
        torch.tanh,
        functional.relu,
        functional.relu6,
        functional.leaky_relu,
        functional.elu,
        functional.gelu,
        functional.silu,
        functional.hardswish,
        functional.hardsigmoid,
        functional.dropout,
        functional.batch_norm,
        stochastic_depth,
        *("relu", "sigmoid", "tanh", "contiguous", "clone", "add", "mul"),
    }
)
JOINS: frozenset[Callable[..., Any]] = frozenset(
    {torch.cat, torch.add, torch.mul, torch.sub, operator.add, operator.sub, operator.mul, operator.truediv}
)


def trace(module: nn.Module) -> tuple[fx.GraphModule, dict[str, fx.Node]]:
    """Trace a network; a module's path stands for its last node, and every node has a path of its own.

    The names are those of `torchvision.models.feature_extraction`.
    """
    tracer = NodePathTracer()
    graph = tracer.trace(module)
    places: dict[str, fx.Node] = {}
    for node in graph.nodes:
        name = tracer.node_to_qualname.get(node)
        if name is None or node.op in ("placeholder", "output"):
            continue
        parts = name.split(".")
        for depth in range(1, len(parts)):
            places[".".join(parts[:depth])] = node
        places[name] = node
        if node.op == "call_module":
            places.setdefault(str(node.target), node)
    return fx.GraphModule(module, graph), places


def list_layers(
    module: fx.GraphModule,
    places: Mapping[str, fx.Node],
    shapes: Mapping[fx.Node, Sequence[int]],
    held: Mapping[fx.Node, Form] | None = None,
) -> tuple[LayerInfo, ...]:
    """The places with a grid of at least 3 × 3 positions: blocks in order of execution, then the rest in the same.

    Of several names for one place the shortest comes first.

    Args:
        module: The traced network.
        places: By name the node whose value it stands for.
        shapes: Of all tensors for some images of the card's size.
        held: How tensors hold their grids, from `tokens.forms`.
    """
    held = forms(module, shapes) if held is None else held
    order = {node: index for index, node in enumerate(module.graph.nodes)}
    fields = receptive_fields(module, shapes, held)
    blocks = _names_of(block_outputs(module, places, shapes, held), module, places)
    listed = []
    for name in sorted(places, key=lambda name: (name not in blocks, order[places[name]], len(name))):
        node = places[name]
        form = held.get(node)
        # a tuple of tensors has a form, and no shape
        if node in shapes and form is not None and form.readable and min(form.height, form.width) >= LEAST_SIDE:
            field = fields.get(node)
            channels = shapes[node][form.axes.index("c")]
            listed.append(
                LayerInfo(
                    name=name,
                    shape=(channels, form.height, form.width),
                    receptive_field=field.card() if field else None,
                    block=name in blocks,
                )
            )
    return tuple(listed)


def _names_of(nodes: Collection[fx.Node], module: fx.GraphModule, places: Mapping[str, fx.Node]) -> set[str]:
    """Names of modules that end at these nodes; the node's own name where there is none."""
    modules = {name for name, _ in module.named_modules()}
    ended = {node for name, node in places.items() if name in modules}
    return {name for name, node in places.items() if node in nodes and (name in modules or node not in ended)}


def receptive_fields(
    module: fx.GraphModule, shapes: Mapping[fx.Node, Sequence[int]], held: Mapping[fx.Node, Form]
) -> dict[fx.Node, Field | None]:
    """The receptive field of every node; None where an operation is not known to keep places apart.

    Factors of one value a channel, such as squeeze-and-excitation's gates, see the whole picture and are left out.
    Among channels-last maps and tokens an operation that is not known to keep places apart is taken to let each see
    the whole picture, as attention does, and to leave them where they are.
    """
    fields: dict[fx.Node, Field | None] = {}
    sides = (1.0, 1.0)
    for node in module.graph.nodes:
        if node.op == "placeholder":
            fields[node] = Field()
            sides = (float(shapes[node][2]), float(shapes[node][3]))
        elif node in held:
            lineage = [source for source in node.all_input_nodes if source in held]
            sources = [source for source in lineage if _spatial(held[source], shapes.get(source, ()))]
            field = union(fields.get(source) for source in sources)
            fields[node] = None if field is None else _through(module, node, field, sources, held, sides)
    return fields


def _spatial(form: Form, shape: Sequence[int]) -> bool:
    return (form.height, form.width) != (1, 1) if form.axes else tuple(shape[2:]) not in ((), (1, 1))


def _through(
    module: fx.GraphModule,
    node: fx.Node,
    field: Field,
    sources: Sequence[fx.Node],
    held: Mapping[fx.Node, Form],
    sides: tuple[float, float],
) -> Field | None:
    form = held[node]
    if node.op == "call_module":
        part = module.get_submodule(str(node.target))
        if isinstance(part, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            return _through_window(part, field)
        known = isinstance(part, POINTWISE_MODULES) or (isinstance(part, CHANNEL_MODULES) and _channels_last(form))
    elif node.target in (functional.max_pool2d, functional.avg_pool2d):
        return _through_pooling_call(node, field)
    elif node.target is shifted_window_attention:
        return _through_attention_windows(node, field)
    elif node.target is _patch_merging_pad:
        return _moved(field, held[sources[0]], form)
    else:
        known = _keeps_places(node, sources, held)
    if known:
        return field
    if all(held[source].axes == MAPS for source in sources):
        return None
    return _moved(field, held[sources[0]], form).everywhere(*sides)


def _channels_last(form: Form) -> bool:
    return form.axes[-1:] == ("c",)


def _keeps_places(node: fx.Node, sources: Sequence[fx.Node], held: Mapping[fx.Node, Form]) -> bool:
    """Whether a call of a function or method leaves every position to itself."""
    form, target = held[node], node.target
    if target in POINTWISE_FUNCTIONS or target in JOINS:
        return True
    if not form.axes or not all(held[source].axes for source in sources):
        return False
    if target in CHANNEL_FUNCTIONS:
        return _channels_last(form)
    if target in PERMUTATIONS or target in SWAPS:  # of maps that stay maps, rows and columns were exchanged
        return not form.axes == held[sources[0]].axes == MAPS
    if target in RESHAPES:
        return True
    same = all((held[source].height, held[source].width) == (form.height, form.width) for source in sources)
    return same and (target in SPLITS or (target is operator.getitem and not _cuts_grid(node)))


def _cuts_grid(node: fx.Node) -> bool:
    """Whether an index reaches beyond images, tokens and channels of what it is taken from."""
    index = node.args[1]
    return isinstance(index, tuple) and any(part != slice(None) for part in index[2:])


def _moved(field: Field, before: Form, after: Form) -> Field:
    """Where an unknown operation divides a channels-last grid, it is taken to join whole squares of positions."""
    by = shrinks(before, (after.height, after.width))
    return field.window((by, by), (by, by), (0, 0), (1, 1)) if by else field


def _through_window(part: nn.Module, field: Field) -> Field | None:
    if isinstance(part, nn.Conv2d):
        if isinstance(part.padding, str):
            return None
        return field.window(part.kernel_size, part.stride, part.padding, part.dilation)
    dilation = getattr(part, "dilation", 1)
    values = (getattr(part, name) for name in ("kernel_size", "stride", "padding"))
    return field.window(*(_pair(value) for value in (*values, dilation)))


def _through_pooling_call(node: fx.Node, field: Field) -> Field | None:
    names = ("input", "kernel_size", "stride", "padding")
    given = dict(zip(names, node.args, strict=False)) | node.kwargs
    kernel = given["kernel_size"]
    stride = given.get("stride")
    return field.window(
        _pair(kernel),
        _pair(kernel if stride is None else stride),
        _pair(given.get("padding", 0)),
        _pair(given.get("dilation", 1)),
    )


def _through_attention_windows(node: fx.Node, field: Field) -> Field:
    """As far as a window reaches from its own edge: where in its window a position lies differs."""
    window = _pair(node.args[4] if len(node.args) > 4 else node.kwargs["window_size"])
    reach = (window[0] - 1, window[1] - 1)
    return field.window((2 * reach[0] + 1, 2 * reach[1] + 1), (1, 1), reach, (1, 1))


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
