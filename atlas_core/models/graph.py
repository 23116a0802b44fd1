"""A traced network that can be read at its layers, cut at one, and split at one into prefix and tail."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

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
    """

    def __init__(self, module: fx.GraphModule, places: Mapping[str, fx.Node], logits: fx.Node | None) -> None:
        self.module = module
        self.places = places
        self.logits = logits

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

    def split(self, layer: str) -> tuple[fx.GraphModule, fx.GraphModule]:
        """The prefix, giving (activations, *carried), and the tail, taking the same and giving logits.

        Raises:
            ValueError: The network has no logits, or they do not depend on the layer.
        """
        place = self.places[layer]
        if self.logits is None or self.logits not in (after := _descendants(place)):
            raise ValueError(f"no logits follow the layer {layer!r}")
        tail = after & _ancestors([self.logits])
        tail_nodes = [node for node in self.module.graph.nodes if node in tail]
        carried = list(
            dict.fromkeys(
                source
                for node in tail_nodes
                for source in node.all_input_nodes
                if source is not place and source not in after and source.op != "get_attr"
            )
        )
        prefix = self._cut([place, *carried], as_tuple=True)
        return prefix, self._tail([place, *carried], tail_nodes)

    def _cut(self, outputs: Sequence[fx.Node], *, as_tuple: bool) -> fx.GraphModule:
        needed = _ancestors(outputs)
        graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
        for node in self.module.graph.nodes:
            if node in needed or node.op == "placeholder":
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[node] for node in outputs) if as_tuple else copies[outputs[0]])
        return fx.GraphModule(self.module, graph)

    def _tail(self, inputs: Sequence[fx.Node], nodes: Sequence[fx.Node]) -> fx.GraphModule:
        graph = fx.Graph()
        copies = {node: graph.placeholder(f"value_{index}") for index, node in enumerate(inputs)}
        for node in nodes:
            for source in node.all_input_nodes:
                if source.op == "get_attr" and source not in copies:
                    copies[source] = graph.node_copy(source)
            copies[node] = graph.node_copy(node, copies.__getitem__)
        if self.logits is None:  # split() has looked; this is for the type checker
            raise ValueError("no logits")
        graph.output(copies[self.logits])
        return fx.GraphModule(self.module, graph)


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
    return _reached(node.users, lambda user: user.users)
