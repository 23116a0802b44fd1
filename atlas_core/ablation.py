"""Exact ablation that recomputes only what a change can reach.

Setting one position of a layer to zero changes a small window of the maps behind it, which every convolution and
pooling widens by its kernel. `LocalTail` runs a network's tail once for the images as they are, and then for each
variant only the changed windows, cut from the maps as they are and written over where they changed. What it has no
local form for, and windows that have grown to most of their map, are computed in full; the logits are those of a full
run but for the order of float additions.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg
from torch.nn import functional

from atlas_core.windows import Cut, Sliding, Window, common_span, overwrite, padded_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from atlas_core.models.graph import HeadState

WORTH_IT = 0.6  # a window of more than this share of its map is computed in full
POINTWISE_MODULES = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
    nn.Tanh, nn.Softplus, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.BatchNorm2d, nn.Dropout, nn.Dropout2d,
    nn.Identity,
)  # fmt: skip
POINTWISE_FUNCTIONS = frozenset(
    {torch.relu, torch.sigmoid, torch.tanh, functional.relu, functional.relu6, functional.hardswish, functional.silu,
     functional.sigmoid, functional.gelu, functional.leaky_relu, "relu", "sigmoid", "tanh", "contiguous", "clone"}
)  # fmt: skip
BINARY = frozenset({operator.add, operator.sub, operator.mul, torch.add, torch.sub, torch.mul, "add", "sub", "mul"})


class LocalTail:
    """The tail of a network for a batch of images and any number of variants of them.

    Args:
        tail: The traced tail of a head: activations first, then what goes around the layer.
        state: The images, prepared by the head.
    """

    def __init__(self, tail: fx.GraphModule, state: HeadState) -> None:
        self._interpreter = fx.Interpreter(tail)
        self._modules = dict(tail.named_modules())
        self._nodes = list(tail.graph.nodes)
        self._constants = _constants(self._nodes)
        self._flat: dict[tuple[fx.Node, Sliding, Sliding, float], tuple[Tensor, int, int]] = {}
        self._base = self._as_they_are(state)
        self.logits: Tensor = self._base[self._nodes[-1]]

    @torch.no_grad()
    def zeroed(self, image: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Logits with one position of the layer set to zero, a variant each, shape (n, classes).

        Args:
            image: Which of the images each variant is of, shape (n,).
            row: Row of the position, shape (n,).
            column: Column of the position, shape (n,).
        """
        first, output = self._nodes[0], self._nodes[-1]
        zeros = self._base[first].new_zeros((len(image), self._base[first].shape[1], 1, 1))
        run = _Run(self, image)
        run.changed[first] = Window(zeros, row, column)
        for node in self._nodes[1:-1]:
            if any(source in run.changed for source in node.all_input_nodes):
                run.changed[node] = run.compute(node)
        logits: Tensor = run.full(output.args[0])
        return logits

    def _as_they_are(self, state: HeadState) -> dict[fx.Node, Any]:
        values = iter((state.activations, *state.carried))
        base: dict[fx.Node, Any] = {}
        with torch.no_grad():
            for node in self._nodes:
                base[node] = next(values) if node.op == "placeholder" else self.call(node, base.__getitem__)
        return base

    def call(self, node: fx.Node, value: Callable[[fx.Node], Any]) -> Any:
        """Run one node on values of its inputs."""
        args, kwargs = map_arg(node.args, value), map_arg(node.kwargs, value)
        if node.op == "output":
            return args[0]
        return getattr(self._interpreter, node.op)(node.target, args, kwargs)

    def module(self, node: fx.Node) -> nn.Module | None:
        """The module that a node calls."""
        return self._modules[str(node.target)] if node.op == "call_module" else None

    def base(self, node: fx.Node) -> Any:
        """The node's value for the images as they are."""
        return self._base[node]

    def each(self, node: fx.Node, image: Tensor) -> Any:
        """The node's value for the image of every variant."""
        value = self._base[node]
        return value if node in self._constants else _taken(value, image)

    def cut(self, node: fx.Node, image: Tensor, top: Tensor, left: Tensor, window: Cut) -> Tensor:
        """Windows of a node's map as it is, padding included, shape (n, height, width, channels)."""
        key = (node, window.rows, window.columns, window.fill)
        if key not in self._flat:
            self._flat[key] = padded_rows(self._base[node], window)
        flat, height, width = self._flat[key]
        rows = image[:, None] * height + top[:, None] + torch.arange(window.height, device=top.device)
        places = rows[:, :, None] * width + (left[:, None] + torch.arange(window.width, device=top.device))[:, None, :]
        return flat.index_select(0, places.reshape(-1)).reshape(*places.shape, -1)


class _Run:
    """One pass over the tail for some variants."""

    def __init__(self, tail: LocalTail, image: Tensor) -> None:
        self.tail = tail
        self.image = image
        self.changed: dict[fx.Node, Any] = {}

    def full(self, node: Any) -> Any:
        """A node's value for every variant, windows written into their maps."""
        value = self.changed.get(node)
        if not isinstance(value, Window):
            return value if node in self.changed else self.tail.each(node, self.image)
        maps = self.tail.each(node, self.image).permute(0, 2, 3, 1).contiguous()
        overwrite(maps, value, torch.zeros_like(value.top), torch.zeros_like(value.left))
        return maps.permute(0, 3, 1, 2)

    def compute(self, node: fx.Node) -> Any:
        """The node's value: a window where there is a local form, else the full value."""
        sources = [source for source in node.all_input_nodes if source in self.changed]
        local = None
        if all(isinstance(self.changed[source], Window) for source in sources):
            local = self._local(node)
        return self.tail.call(node, self.full) if local is None else local

    def _local(self, node: fx.Node) -> Any:
        module = self.tail.module(node)
        if isinstance(module, POINTWISE_MODULES) or (module is None and node.target in POINTWISE_FUNCTIONS):
            return self._pointwise(node)
        if isinstance(module, nn.Conv2d):
            return self._convolution(node, module)
        if isinstance(module, nn.MaxPool2d) and not module.return_indices:
            return self._max_pool(node, module)
        if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in {1, (1, 1)}:
            return self._global_mean(node)
        if _is_binary(node, module):
            return self._binary(node)
        if _axis_of_cat(node, module) == 1:
            return self._concatenation(node)
        return None

    def _pointwise(self, node: fx.Node) -> Window | None:
        if len(node.all_input_nodes) != 1:
            return None
        window: Window = self.changed[node.all_input_nodes[0]]
        return window._replace(values=self.tail.call(node, lambda _: window.values))

    def _convolution(self, node: fx.Node, module: nn.Conv2d) -> Window | None:
        if module.padding_mode != "zeros" or isinstance(module.padding, str):
            return None
        axes = [Sliding(*axis) for axis in zip(module.kernel_size, module.stride, module.padding, module.dilation,
                                               strict=True)]  # fmt: skip

        def convolve(windows: Tensor) -> Tensor:
            return functional.conv2d(
                windows, module.weight, module.bias, module.stride, 0, module.dilation, module.groups
            )

        return self._slide(node, axes, 0.0, convolve)

    def _max_pool(self, node: fx.Node, module: nn.MaxPool2d) -> Window | None:
        pairs = [_pair(value) for value in (module.kernel_size, module.stride, module.padding, module.dilation)]
        kernel, stride, _, dilation = pairs
        axes = [Sliding(*axis) for axis in zip(*pairs, strict=True)]

        def pool(windows: Tensor) -> Tensor:
            return functional.max_pool2d(windows, kernel, stride, 0, dilation)

        return self._slide(node, axes, float("-inf"), pool)

    def _slide(
        self, node: fx.Node, axes: list[Sliding], fill: float, operation: Callable[[Tensor], Tensor]
    ) -> Window | None:
        source, (rows, columns) = node.args[0], axes
        if not isinstance(source, fx.Node):
            return None
        window: Window = self.changed[source]
        height, width = self.tail.base(node).shape[2:]
        top, across = rows.reach(window.top, window.height, height)
        left, along = columns.reach(window.left, window.width, width)
        if across * along > WORTH_IT * height * width:
            return None
        cut = Cut(rows.needs(across), columns.needs(along), rows, columns, fill)
        first, before = top * rows.stride, left * columns.stride  # in the padded map
        around = self.tail.cut(source, self.image, first, before, cut)
        overwrite(around, window, first - rows.padding, before - columns.padding)
        return Window(operation(around.permute(0, 3, 1, 2)), top, left)

    def _global_mean(self, node: fx.Node) -> Tensor | None:
        source = node.args[0]
        if not isinstance(source, fx.Node):
            return None
        window: Window = self.changed[source]
        height, width = self.tail.base(source).shape[2:]
        before = self._windows(source, window.top, window.left, window.height, window.width, changed=False)
        difference = (window.values - before).sum((2, 3), keepdim=True)
        mean: Tensor = self.tail.each(node, self.image) + difference / (height * width)
        return mean

    def _binary(self, node: fx.Node) -> Window | None:
        others = [value for value in node.args if not isinstance(value, fx.Node)]
        shape = self.tail.base(node).shape
        if node.kwargs or not all(isinstance(value, int | float) for value in others):
            return None
        if any(getattr(self.tail.base(source), "shape", None) != shape for source in node.all_input_nodes):
            return None
        return self._together(node)

    def _concatenation(self, node: fx.Node) -> Window | None:
        shape = self.tail.base(node).shape[2:]
        if any(self.tail.base(source).shape[2:] != shape for source in node.all_input_nodes):
            return None
        return self._together(node)

    def _together(self, node: fx.Node) -> Window | None:
        """Run a node on the smallest windows that hold what changed in any of its inputs."""
        height, width = self.tail.base(node).shape[2:]
        windows = [self.changed[source] for source in node.all_input_nodes if source in self.changed]
        top, across = common_span([(window.top, window.height) for window in windows], height)
        left, along = common_span([(window.left, window.width) for window in windows], width)
        if across * along > WORTH_IT * height * width:
            return None
        return Window(self.tail.call(node, lambda source: self._windows(source, top, left, across, along)), top, left)

    def _windows(
        self, source: fx.Node, top: Tensor, left: Tensor, height: int, width: int, *, changed: bool = True
    ) -> Tensor:
        """Windows of a node's map for every variant, with what changed or as they were."""
        window = self.changed.get(source) if changed else None
        if window is not None and window.values.shape[2:] == (height, width):
            return window.values  # type: ignore[no-any-return]
        around = self.tail.cut(source, self.image, top, left, Cut(height, width))
        if window is not None:
            overwrite(around, window, top, left)
        return around.permute(0, 3, 1, 2)


def _taken(value: Any, image: Tensor) -> Any:
    if isinstance(value, Tensor) and value.ndim > 0:
        return value[image]
    if isinstance(value, tuple | list):
        return type(value)(_taken(part, image) for part in value)
    return value


def _constants(nodes: list[fx.Node]) -> set[fx.Node]:
    """Nodes that no input reaches."""
    found: set[fx.Node] = set()
    for node in nodes:
        if node.op != "placeholder" and all(source in found for source in node.all_input_nodes):
            found.add(node)
    return found


def _is_binary(node: fx.Node, module: nn.Module | None) -> bool:
    return type(module).__name__ == "OnnxBinaryMathOperation" or (module is None and node.target in BINARY)


def _axis_of_cat(node: fx.Node, module: nn.Module | None) -> Any:
    if type(module).__name__ == "OnnxConcat":
        return getattr(module, "axis", None)
    if module is None and node.target is torch.cat:
        return node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    return None


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
