"""Which places of a traced network are layers, and what each position of them sees."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional
from torchvision.models.feature_extraction import NodePathTracer
from torchvision.ops import stochastic_depth

from atlas_core.cards import LayerInfo
from atlas_core.models.receptive_field import Field, union

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
POINTWISE_FUNCTIONS: frozenset[Callable[..., Any]] = frozenset(
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
    module: fx.GraphModule, places: Mapping[str, fx.Node], shapes: Mapping[fx.Node, Sequence[int]]
) -> tuple[LayerInfo, ...]:
    """The places that give (n, channels, height, width) with at least 3 × 3 positions, in order of execution.

    Of several names for one place the shortest comes first.
    """
    order = {node: index for index, node in enumerate(module.graph.nodes)}
    fields = receptive_fields(module, shapes)
    listed = []
    for name in sorted(places, key=lambda name: (order[places[name]], len(name))):
        node = places[name]
        shape = shapes.get(node, ())
        if len(shape) == 4 and min(shape[2:]) >= LEAST_SIDE:
            field = fields.get(node)
            listed.append(
                LayerInfo(
                    name=name,
                    shape=(shape[1], shape[2], shape[3]),
                    receptive_field=field.card() if field else None,
                )
            )
    return tuple(listed)


def receptive_fields(module: fx.GraphModule, shapes: Mapping[fx.Node, Sequence[int]]) -> dict[fx.Node, Field | None]:
    """The receptive field of every node; None where an operation is not known to keep places apart.

    Factors of one value a channel, such as squeeze-and-excitation's gates, see the whole picture and are left out.
    """
    fields: dict[fx.Node, Field | None] = {}
    for node in module.graph.nodes:
        if node.op == "placeholder":
            fields[node] = Field()
            continue
        sources = _spatial(node.all_input_nodes, shapes)
        fields[node] = _through(module, node, union(fields.get(source) for source in sources))
    return fields


def _spatial(nodes: Iterable[fx.Node], shapes: Mapping[fx.Node, Sequence[int]]) -> list[fx.Node]:
    return [node for node in nodes if node.op == "placeholder" or tuple(shapes.get(node, ())[2:]) not in ((), (1, 1))]


def _through(module: fx.GraphModule, node: fx.Node, field: Field | None) -> Field | None:
    if field is None:
        return None
    if node.op == "call_module":
        return _through_module(module.get_submodule(str(node.target)), field)
    if node.op == "call_method":
        return field if node.target in ("add", "mul", "relu", "sigmoid", "contiguous", "clone") else None
    if node.target in (functional.max_pool2d, functional.avg_pool2d):
        return _through_pooling_call(node, field)
    return field if node.target in POINTWISE_FUNCTIONS or node.target in JOINS else None


def _through_module(part: nn.Module, field: Field) -> Field | None:
    if isinstance(part, POINTWISE_MODULES):
        return field
    if isinstance(part, nn.Conv2d):
        if isinstance(part.padding, str):
            return None
        return field.window(part.kernel_size, part.stride, part.padding, part.dilation)
    if isinstance(part, nn.MaxPool2d | nn.AvgPool2d):
        dilation = getattr(part, "dilation", 1)
        return field.window(*(_pair(value) for value in (part.kernel_size, part.stride, part.padding, dilation)))
    return None


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


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
