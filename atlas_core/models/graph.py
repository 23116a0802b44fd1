"""A traced network that can be read at its layers, cut at one, and split at one into prefix and tail."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn

from atlas_core.models.sizes import fixed_nodes
from atlas_core.models.tokens import MAPS, TOKENS, Form, from_grid, leading_tokens, to_grid

if TYPE_CHECKING:
    from atlas_core.cards import InputCard

# what writes into its first argument, and what does the same without
OUT_OF_PLACE: Mapping[Callable[..., Any], Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}


def freeze(module: fx.GraphModule) -> fx.GraphModule:
    """Set to evaluation, take the weights' gradients away, and let no operation write into its input."""
    module.eval().requires_grad_(False)
    for part in module.modules():
        if getattr(part, "inplace", False) is True:
            part.inplace = False  # type: ignore[assignment]  # a flag of many torch modules
    for node in module.graph.nodes:
        if node.op == "call_function" and node.target in OUT_OF_PLACE:
            node.target = OUT_OF_PLACE[node.target]
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    module.recompile()
    return module


class Recorder(fx.Interpreter):
    """Runs a network once and keeps the shape of every tensor."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """Run one node as usual, and note its shape."""
        value = super().run_node(n)
        if isinstance(value, Tensor):
            self.shapes[n] = tuple(value.shape)
        return value


def shapes_of(module: fx.GraphModule, pixels: Tensor) -> dict[fx.Node, tuple[int, ...]]:
    """Shape of every tensor in the network for these inputs."""
    recorder = Recorder(module)
    with torch.no_grad():
        recorder.run(pixels)
    return recorder.shapes


class _Taped(fx.Interpreter):
    """Runs a network and keeps some nodes' values, on the tape from the first of them on."""

    def __init__(self, module: fx.GraphModule, nodes: Collection[fx.Node]) -> None:
        super().__init__(module)
        self.values: dict[fx.Node, Tensor] = {}
        self._nodes = nodes

    def run_node(self, n: fx.Node) -> Any:
        """Run one node as usual, and keep its value where it is wanted and a tensor."""
        value = super().run_node(n)
        if n in self._nodes and isinstance(value, Tensor):
            self.values[n] = value if value.requires_grad else value.requires_grad_()
        return value


@dataclass(frozen=True)
class HeadState:
    """What the tail of a network needs for a batch of images.

    Attributes:
        activations: Activations of the layer, shape (n, channels, height, width).
        carried: Values of skip connections around the layer, a leading axis of n images each where they are tensors.
    """

    activations: Tensor
    carried: tuple[Any, ...] = ()

    def take(self, images: Tensor) -> HeadState:
        """The state of these images in this order; repeats are allowed. `images` has shape (m,), integers."""
        return HeadState(self.activations[images], tuple(self._per_image(value, images) for value in self.carried))

    def _per_image(self, value: Any, images: Tensor) -> Any:
        if isinstance(value, Tensor) and value.ndim > 0 and len(value) == len(self.activations):
            return value[images]
        return value


class Head(nn.Module):
    """A network from one layer to its logits: `prepare` images once, then run the tail on variants."""

    def __init__(self, prefix: nn.Module, tail: nn.Module) -> None:
        super().__init__()
        self.prefix = prefix
        self.tail = tail

    def prepare(self, pixels: Tensor) -> HeadState:
        """Run the network up to the layer, and what goes around it. Pixels 0..1, shape (n, channels, height, width)."""
        activations, *carried = self.prefix(pixels)
        return HeadState(activations, tuple(carried))

    def forward(self, state: HeadState, activations: Tensor) -> Tensor:
        """Logits, shape (m, classes), for activations of shape (m, channels, height, width).

        m is the number of images in the state, or any number of variants of its only image.
        """
        if len(state.activations) == 1 != len(activations):
            state = state.take(torch.zeros(len(activations), dtype=torch.long, device=activations.device))
        logits: Tensor = self.tail(activations, *state.carried)
        return logits.flatten(1)  # some export (n, classes, 1, 1)


class Network:
    """A frozen traced network with named places.

    Args:
        module: Takes normalised pixels, shape (n, channels, height, width).
        places: The node whose value a layer's name stands for.
        logits: The node of the logits, or None where the network has none.
        forms: How a node's value holds its grid, for nodes that are no maps (n, channels, height, width). Such layers
            are read as maps; leading tokens travel around the layer to the tail.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        places: Mapping[str, fx.Node],
        logits: fx.Node | None,
        forms: Mapping[fx.Node, Form] = MappingProxyType({}),
    ) -> None:
        self.module = module
        self.places = places
        self.logits = logits
        self.forms = {node: form for node, form in forms.items() if form.axes != MAPS and form.readable}

    def fixed(self, input: InputCard) -> frozenset[str]:
        """Layers that can be computed from inputs of the card's size alone; grids of tokens are cut for one size."""
        nodes = fixed_nodes(self.module, input) | {node for node, form in self.forms.items() if form.axes == TOKENS}
        return frozenset(name for name, node in self.places.items() if node in nodes)

    def silent(self, pixels: Tensor) -> frozenset[str]:
        """Layers that the logits do not depend on.

        Such are those beside the way to the logits, and tokens behind the last block that lets the class token see
        them: their gradient is nought to the last bit.

        Args:
            pixels: Any normalised picture with some variety, shape (1, channels, height, width).
        """
        if self.logits is None:
            return frozenset(self.places)
        heard = _ancestors([self.logits])
        tokens = [node for node, form in self.forms.items() if form.leading and node in heard]
        if tokens:
            heard -= self._unheard(self.logits, tokens, pixels)
        return frozenset(name for name, node in self.places.items() if node not in heard)

    def _unheard(self, logits: fx.Node, tokens: Sequence[fx.Node], pixels: Tensor) -> set[fx.Node]:
        """Of the nodes with leading tokens, those whose other tokens change nothing."""
        taped = _Taped(self.module, {*tokens, logits})
        with torch.enable_grad():
            taped.run(pixels)
            loss = taped.values.pop(logits).square().sum()
        gradients = torch.autograd.grad(loss, list(taped.values.values()), materialize_grads=True)
        pairs = zip(taped.values, gradients, strict=True)
        return {node for node, gradient in pairs if not gradient[:, self.forms[node].leading :].any()}

    def reader(self, layers: Sequence[str], *, logits: bool) -> fx.GraphModule:
        """A network that gives the tuple of these layers' activations, and the logits last where asked for.

        It runs no further than the deepest of them.
        """
        wanted = [self.places[name] for name in layers]
        if logits and self.logits is not None:
            wanted.append(self.logits)
        return self._cut(wanted, as_tuple=True)

    def trunk(self, layer: str) -> fx.GraphModule:
        """The network from pixels to one layer's activations."""
        return self._cut([self.places[layer]], as_tuple=False)

    def whole(self) -> fx.GraphModule:
        """The network from pixels to the logits, which it must have."""
        assert self.logits is not None, "only a network with logits runs to them"
        return self._cut([self.logits], as_tuple=False)

    def split(self, layer: str) -> tuple[fx.GraphModule, fx.GraphModule]:
        """The prefix, giving (activations, *carried), and the tail, taking the same and giving logits.

        Raises:
            ValueError: The network has no logits, or they do not depend on the layer.
        """
        place = self.places[layer]
        if self.logits is None or self.logits not in (after := _descendants(place)):
            raise ValueError(f"no logits follow the layer {layer!r}")
        tail = after & _ancestors([self.logits])
        # what no picture changes, such as weights and biases of position, is worked out again behind the layer
        constant = set(self.module.graph.nodes) - _reached(self.module.graph.find_nodes(op="placeholder"), _users)
        tail |= constant & _ancestors(tail)
        tail_nodes = [node for node in self.module.graph.nodes if node in tail]
        carried = list(
            dict.fromkeys(
                source
                for node in tail_nodes
                for source in node.all_input_nodes
                if source is not place and source not in tail and not _is_batch(source)
            )
        )
        prefix = self._cut([place], carried, as_tuple=True)
        return prefix, self._tail(place, carried, tail_nodes)

    def _cut(
        self, layers: Sequence[fx.Node], carried: Sequence[fx.Node] | None = None, *, as_tuple: bool
    ) -> fx.GraphModule:
        """The network to these layers as maps; with `carried`, also a layer's leading tokens and these values."""
        needed = _ancestors([*layers, *(carried or ())])
        graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
        for node in self.module.graph.nodes:
            if node in needed or node.op == "placeholder":
                copies[node] = graph.node_copy(node, copies.__getitem__)
        outputs = [self._as_maps(graph, node, copies[node]) for node in layers]
        if carried is not None:
            outputs += self._leading(graph, layers[0], copies[layers[0]])
            outputs += [copies[node] for node in carried]
        graph.output(tuple(outputs) if as_tuple else outputs[0])
        return fx.GraphModule(self.module, graph)

    def _as_maps(self, graph: fx.Graph, node: fx.Node, copy: fx.Node) -> fx.Node:
        form = self.forms.get(node)
        return copy if form is None else graph.call_function(to_grid, (copy, form.axes, form.height, form.width))

    def _leading(self, graph: fx.Graph, node: fx.Node, copy: fx.Node) -> list[fx.Node]:
        form = self.forms.get(node)
        return [graph.call_function(leading_tokens, (copy, form.leading))] if form and form.leading else []

    def _tail(self, place: fx.Node, carried: Sequence[fx.Node], nodes: Sequence[fx.Node]) -> fx.GraphModule:
        graph = fx.Graph()
        grid = graph.placeholder("value_0")
        form = self.forms.get(place)
        leading = (graph.placeholder("leading"),) if form and form.leading else ()
        copies = {node: graph.placeholder(f"value_{index}") for index, node in enumerate(carried, 1)}
        copies[place] = graph.call_function(from_grid, (grid, form.axes, *leading)) if form else grid
        for node in nodes:
            for source in node.all_input_nodes:
                if _is_batch(source) and source not in copies:
                    copies[source] = graph.call_method("size", (grid, 0))
            copies[node] = graph.node_copy(node, copies.__getitem__)
        if self.logits is None:  # split() has looked; this is for the type checker
            raise ValueError("no logits")
        graph.output(copies[self.logits])
        return fx.GraphModule(self.module, graph)


def _is_batch(node: fx.Node) -> bool:
    """Whether a node is the number of images; a tail has that of its variants."""
    source = node.args[0] if node.args else None
    if node.op == "call_method" and node.target == "size":
        return node.args[1:] == (0,)
    of_shape = isinstance(source, fx.Node) and (
        (source.target is getattr and source.args[1] == "shape") or (source.target == "size" and len(source.args) == 1)
    )
    return bool(of_shape and node.target is operator.getitem and node.args[1] == 0)


def _reached(start: Iterable[fx.Node], onward: Callable[[fx.Node], Iterable[fx.Node]]) -> set[fx.Node]:
    """The start and all that can be reached from it."""
    found: set[fx.Node] = set()
    waiting = list(start)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(onward(node))
    return found


def _ancestors(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    """The nodes and all that they are computed from."""
    return _reached(nodes, lambda node: node.all_input_nodes)


def _descendants(node: fx.Node) -> set[fx.Node]:
    """All that is computed from the node, without itself."""
    return _reached(node.users, _users)


def _users(node: fx.Node) -> Iterable[fx.Node]:
    return node.users
