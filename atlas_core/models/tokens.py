"""Where a network's tensors have their grid of positions: maps, channels-last maps, or tokens behind a class token.

Decided by following the axes of every tensor from the picture on, through permutations, reshapes and joins; never by
the names of architectures. Axes are `n` images, `c` channels, `h` and `w` the grid's sides, `t` tokens: what stands
before the grid (class and register tokens), then the grid row by row.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

Shape = Sequence[int]

MAPS = ("n", "c", "h", "w")
LAST = ("n", "h", "w", "c")
TOKENS = ("n", "t", "c")

PERMUTATIONS = frozenset({"permute", torch.permute})
SWAPS = frozenset({"transpose", "swapaxes", "swapdims", torch.transpose, torch.swapaxes})
RESHAPES = frozenset({"reshape", "view", "flatten", "unflatten", torch.reshape, torch.flatten, torch.unflatten})
# each position of what they give is a mixture of positions
PRODUCTS = frozenset(
    {"matmul", "bmm", torch.matmul, torch.bmm, torch.baddbmm, torch.einsum, operator.matmul,
     functional.scaled_dot_product_attention}
)  # fmt: skip
MOVERS = frozenset({"flip", "roll", "rot90", torch.flip, torch.roll, torch.rot90})
# what they give is maps, wherever their input came from
MAP_MODULES = (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)


@dataclass(frozen=True)
class Form:
    """How a tensor holds a grid.

    Attributes:
        axes: The meaning of each of its axes; empty where that was lost.
        height: Rows of the grid, of the last known one where the axes were lost.
        width: Columns of the grid.
        leading: How many tokens stand before the grid's.
    """

    axes: tuple[str, ...]
    height: int
    width: int
    leading: int = 0

    @property
    def tokens(self) -> int:
        """Length of a `t` axis."""
        return self.leading + self.height * self.width

    @property
    def readable(self) -> bool:
        """Whether the tensor can be shown as maps (n, channels, height, width)."""
        return self.axes in (MAPS, LAST, TOKENS)

    @property
    def lost(self) -> Form:
        """The same grid in a tensor whose axes are not known."""
        return replace(self, axes=())


def to_grid(value: Tensor, axes: tuple[str, ...], height: int, width: int) -> Tensor:
    """Maps (n, channels, height, width) of a channels-last tensor or of tokens, without leading tokens."""
    if axes == LAST:
        return value.permute(0, 3, 1, 2)
    grid = value[:, value.shape[1] - height * width :]
    return grid.transpose(1, 2).reshape(len(grid), -1, height, width)


def leading_tokens(value: Tensor, count: int) -> Tensor:
    """The tokens before the grid's, shape (n, count, channels)."""
    return value[:, :count]


def from_grid(grid: Tensor, axes: tuple[str, ...], leading: Tensor | None = None) -> Tensor:
    """What `to_grid` was given, with these tokens before the grid's."""
    if axes == LAST:
        return grid.permute(0, 2, 3, 1)
    tokens = grid.flatten(2).transpose(1, 2)
    return tokens if leading is None else torch.cat([leading, tokens], 1)


def forms(module: fx.GraphModule, shapes: Mapping[fx.Node, Shape]) -> dict[fx.Node, Form]:
    """The form of every tensor that is computed from the picture.

    Args:
        module: Takes maps (n, channels, height, width).
        shapes: Of all tensors, for some number of images.
    """
    return _Walk(module, shapes).forms


class _Walk:
    def __init__(self, module: fx.GraphModule, shapes: Mapping[fx.Node, Shape]) -> None:
        self.module = module
        # tuples of tensors stand for their source until one is taken out
        self.shapes: dict[fx.Node, Shape] = dict(shapes)
        self.tuples: set[fx.Node] = set()
        self.forms: dict[fx.Node, Form] = {}
        for node in module.graph.nodes:
            form = self._form(node)
            if form is not None:
                self.forms[node] = form

    def _form(self, node: fx.Node) -> Form | None:
        if node.op == "placeholder":
            shape = self.shapes[node]
            return Form(MAPS, shape[2], shape[3])
        sources = [source for source in node.all_input_nodes if source in self.forms]
        if not sources or node.op == "output":
            return None
        if node not in self.shapes:
            return self._tuple(node, sources[0])
        shape = self.shapes[node]
        if node.op == "call_module" and isinstance(self.module.get_submodule(str(node.target)), MAP_MODULES):
            return Form(MAPS, shape[2], shape[3]) if len(shape) == 4 else self.forms[sources[0]].lost
        return self._named(node, sources[0], shape) or self._any(sources, shape)

    def _tuple(self, node: fx.Node, source: fx.Node) -> Form | None:
        if not any(user.target is operator.getitem and user in self.shapes for user in node.users):
            return None
        self.shapes[node] = self.shapes[source]
        self.tuples.add(node)
        return self.forms[source]

    def _named(self, node: fx.Node, source: fx.Node, shape: Shape) -> Form | None:
        """By the rule of the node's operation; None where it has none."""
        form, target = self.forms[source], node.target
        if target in PERMUTATIONS:
            dims = node.kwargs.get("dims", node.args[1:])
            return permuted(form, _flat(dims))
        if target in SWAPS:
            return permuted(form, _swapped(len(shape), node.args[1:3]))
        if target in RESHAPES or isinstance(self._part(node), nn.Flatten | nn.Unflatten):
            return reshaped(form, self.shapes[source], shape)
        if target in PRODUCTS and sum(other in self.forms for other in node.all_input_nodes) > 1:
            return form.lost
        if target in MOVERS:
            return form if form.axes == MAPS else form.lost  # as maps it can be read; its field is unknown
        if target is operator.getitem:
            return self._item(node, source, shape)
        if target in (torch.cat, torch.concat):
            return self._joined(node, shape)
        return None

    def _part(self, node: fx.Node) -> nn.Module | None:
        return self.module.get_submodule(str(node.target)) if node.op == "call_module" else None

    def _item(self, node: fx.Node, source: fx.Node, shape: Shape) -> Form | None:
        form, index = self.forms[source], node.args[1]
        if source in self.tuples:
            # an attention's second output are its weights
            return form.lost if source.op == "call_module" and index != 0 else None
        if form.axes != TOKENS or not isinstance(index, tuple) or len(index) < 2 or len(shape) != 3:
            return None
        cut = index[1]
        first = cut.start or 0 if isinstance(cut, slice) else None
        if not isinstance(first, int) or shape[1] != form.tokens - first or not 0 <= first <= form.leading:
            return None
        return replace(form, leading=form.leading - first)

    def _joined(self, node: fx.Node, shape: Shape) -> Form | None:
        """Tokens put before a grid's."""
        parts = node.args[0]
        axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        last = parts[-1] if isinstance(parts, list | tuple) else None
        form = self.forms.get(last) if isinstance(last, fx.Node) else None
        if form is None or form.axes != TOKENS or axis not in (1, -2) or not isinstance(last, fx.Node):
            return None
        return replace(form, leading=form.leading + shape[1] - self.shapes[last][1])

    def _any(self, sources: Sequence[fx.Node], shape: Shape) -> Form:
        """Any other operation: axes are what they were in an input of the same grid, maps stay maps."""
        known = [(self.forms[source], self.shapes[source]) for source in sources if self.forms[source].axes]
        for form, before in known:
            if len(before) == len(shape) and _sides(form.axes, before) == _sides(form.axes, shape):
                return form
        for form, _ in known:
            if len(shape) == 4 and form.axes == MAPS:
                return Form(MAPS, shape[2], shape[3])
            if len(shape) == 4 and form.axes == LAST and shrinks(form, shape[1:3]):
                return Form(LAST, shape[1], shape[2])
        return self.forms[sources[0]].lost


def shrinks(form: Form, grid: Shape) -> int:
    """By what whole number a grid is divided, rounded up, both sides alike; 0 where it is not."""
    by = round(form.height / grid[0]) if grid[0] else 0
    fits = by > 1 and all(math.ceil(side / by) == new for side, new in ((form.height, grid[0]), (form.width, grid[1])))
    return by if fits else 0


def _sides(axes: Sequence[str], shape: Shape) -> list[int]:
    return [size for axis, size in zip(axes, shape, strict=True) if axis != "c"]


def _flat(dims: Any) -> list[int]:
    if isinstance(dims, Iterable):
        return [dim for part in dims for dim in _flat(part)]
    return [int(dims)]


def _swapped(rank: int, pair: Sequence[Any]) -> list[int]:
    dims = list(range(rank))
    one, other = (int(dim) % rank for dim in pair)
    dims[one], dims[other] = dims[other], dims[one]
    return dims


def permuted(form: Form, dims: Sequence[int]) -> Form:
    """The form after its axes were put in this order."""
    if len(dims) != len(form.axes):
        return form.lost
    axes = tuple(form.axes[dim] for dim in dims)
    if "w" not in axes or axes.index("h") < axes.index("w"):
        return replace(form, axes=axes)
    # a turned picture can be read, though its fields are not known
    return Form(MAPS, form.width, form.height) if axes == ("n", "c", "w", "h") else form.lost


def reshaped(form: Form, before: Shape, shape: Shape) -> Form:
    """The form after a reshape, told by where the new shape has the grid's sides or the number of tokens."""
    if before[0] != shape[0] and form.axes:
        return form.lost
    grid = (form.height, form.width)
    rank = len(shape)
    axes: tuple[str, ...] = ()
    old = form.axes
    first = old[1:2] in (("h",), ("t",)) or not old
    final = old[-1:] in (("w",), ("t",)) or not old
    if final and rank >= 4 and tuple(shape[-2:]) == grid and (form.leading == 0 or not old):
        axes = ("n", *("c" * (rank - 3)), "h", "w")
    elif first and rank >= 4 and tuple(shape[1:3]) == grid and (form.leading == 0 or not old):
        axes = ("n", "h", "w", *("c" * (rank - 3)))
    elif first and rank >= 3 and shape[1] == form.tokens:
        axes = ("n", "t", *("c" * (rank - 2)))
    elif final and old and rank >= 3 and shape[-1] == form.tokens:
        axes = ("n", *("c" * (rank - 2)), "t")
    if not old and axes not in (MAPS, LAST, TOKENS):
        axes = ()
    return replace(form, axes=axes)
