"""ONNX operators in torch, where onnx2torch 1.5.15 lacks them, is strict or is slow; any opset's form of them.

A node of one of these operators is moved to the domain `DOMAIN` before conversion, where this table is registered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from onnx2torch.node_converters.registry import add_converter
from onnx2torch.utils.common import OperationConverterResult, onnx_mapping_from_node
from torch import Tensor, nn
from torch.nn import functional

DOMAIN = "atlas"
# of ONNX's element types, those that stay what they are in a network of float32
KEPT_TYPES: Mapping[int, torch.dtype] = {6: torch.int32, 7: torch.int64, 9: torch.bool}
PADDINGS = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


class Slice(nn.Module):
    """Slice. That of onnx2torch 1.5.15 indexes by a list, which torch is about to read as a gather."""

    def forward(
        self,
        values: Tensor,
        starts: Tensor,
        ends: Tensor,
        axes: Tensor | None = None,
        steps: Tensor | None = None,
    ) -> Tensor:
        """Slice along each axis; a negative step runs backwards."""
        index = [slice(None)] * values.ndim
        along = range(len(starts)) if axes is None else axes.tolist()
        strides = [1] * len(starts) if steps is None else steps.tolist()
        for start, end, axis, step in zip(starts.tolist(), ends.tolist(), along, strides, strict=True):
            most = values.shape[axis]  # exporters write the largest integers for an open end
            start, end = (max(-most - 1, min(most, place)) for place in (start, end))
            if step < 0:
                values = values.flip(axis)
                index[axis] = slice(-start - 1, -end - 1, -step)
            else:
                index[axis] = slice(start, end, step)
        return values[tuple(index)]


class Concat(nn.Module):
    """Concat; a constant such as a class token, given once, is repeated for every image."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *parts: Tensor) -> Tensor:
        """Join along the axis."""
        axis = self.axis % parts[0].ndim
        if parts[0].ndim == 1:
            return torch.cat(parts)
        sizes = [max(part.shape[place] for part in parts) for place in range(parts[0].ndim)]
        whole = [part.expand(*sizes[:axis], part.shape[axis], *sizes[axis + 1 :]) for part in parts]
        return torch.cat(whole, axis)


class LayerNormalization(nn.Module):
    """LayerNormalization over the axes from `axis` on; the mean and deviation that it can also give are left out."""

    def __init__(self, axis: int, epsilon: float) -> None:
        super().__init__()
        self.axis, self.epsilon = axis, epsilon

    def forward(self, values: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
        """Normalise, scale, shift."""
        shape = values.shape[self.axis :]
        shift = None if bias is None else bias.expand(shape)
        return functional.layer_norm(values, shape, scale.expand(shape), shift, self.epsilon)


class RMSNormalization(nn.Module):
    """RMSNormalization over the axes from `axis` on, since opset 23."""

    def __init__(self, axis: int, epsilon: float) -> None:
        super().__init__()
        self.axis, self.epsilon = axis, epsilon

    def forward(self, values: Tensor, scale: Tensor) -> Tensor:
        """Normalise, scale."""
        shape = values.shape[self.axis :]
        return functional.rms_norm(values, shape, scale.expand(shape), self.epsilon)


class GroupNormalization(nn.Module):
    """GroupNormalization; its scale is one a group in opset 18, one a channel since 21."""

    def __init__(self, groups: int, epsilon: float) -> None:
        super().__init__()
        self.groups, self.epsilon = groups, epsilon

    def forward(self, values: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        """Normalise, scale, shift."""
        each = values.shape[1] // len(scale)
        return functional.group_norm(
            values, self.groups, scale.repeat_interleave(each), bias.repeat_interleave(each), self.epsilon
        )


class Clip(nn.Module):
    """Clip to bounds that may be tensors or attributes."""

    def __init__(self, least: float | None, most: float | None) -> None:
        super().__init__()
        self.least, self.most = least, most

    def forward(self, values: Tensor, min: Tensor | None = None, max: Tensor | None = None) -> Tensor:
        """Bound the values."""
        low = self.least if min is None else min.item()
        high = self.most if max is None else max.item()
        return values if low is None and high is None else values.clamp(low, high)


class Pad(nn.Module):
    """Pad; negative sizes cut."""

    def __init__(self, mode: str, pads: list[int] | None) -> None:
        super().__init__()
        self.mode, self.pads = PADDINGS[mode], pads

    def forward(
        self, values: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None
    ) -> Tensor:
        """Pad every axis."""
        sizes = self.pads if pads is None else pads.tolist()
        along = list(range(values.ndim)) if axes is None else [int(axis) % values.ndim for axis in axes]
        before, after = [0] * values.ndim, [0] * values.ndim
        for place, axis in enumerate(along):
            before[axis], after[axis] = (sizes or [])[place], (sizes or [])[place + len(along)]
        flat = [size for axis in reversed(range(values.ndim)) for size in (before[axis], after[axis])]
        if self.mode == "constant":
            return functional.pad(values, flat, value=0.0 if value is None else float(value.item()))
        while flat and flat[-2:] == [0, 0] and len(flat) > 4:
            flat = flat[:-2]
        return functional.pad(values, flat, mode=self.mode)


class Split(nn.Module):
    """Split into parts of given sizes, or into so many equal ones."""

    def __init__(self, axis: int, sizes: list[int] | None, count: int) -> None:
        super().__init__()
        self.axis, self.sizes, self.count = axis, sizes, count

    def forward(self, values: Tensor, split: Tensor | None = None) -> tuple[Tensor, ...] | Tensor:
        """Split; the last of equal parts may be shorter."""
        sizes = self.sizes if split is None else split.tolist()
        each: int | list[int] = -(-values.shape[self.axis] // self.count) if sizes is None else sizes
        parts: tuple[Tensor, ...] = torch.functional.split(values, each, self.axis)
        return parts if self.count > 1 else parts[0]


class Cast(nn.Module):
    """Cast; all floats are float32 here, whatever the file says."""

    def __init__(self, to: int) -> None:
        super().__init__()
        self.to_type = KEPT_TYPES.get(to, torch.float32)

    def forward(self, values: Tensor) -> Tensor:
        """Change the type."""
        return values.to(self.to_type)


class Attention(nn.Module):
    """Attention, since opset 23: softmax(q k^T scale + mask) v, written out so that it has all derivatives."""

    def __init__(self, scale: float | None, heads: int | None, key_heads: int | None, *, causal: bool) -> None:
        super().__init__()
        self.scale, self.heads, self.key_heads, self.causal = scale, heads, key_heads, causal

    def forward(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend; queries, keys and values have the shape (n, heads, tokens, channels), or heads among the channels."""
        joined = query.ndim == 3
        if joined:
            query = _by_head(query, self.heads)
            key, value = (_by_head(part, self.key_heads) for part in (key, value))
        repeats = query.shape[1] // key.shape[1]
        if repeats > 1:
            key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if self.scale is None else self.scale)
        if self.causal:
            later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
            scores = scores.masked_fill(later, -torch.inf)
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
        found = scores.softmax(-1) @ value
        return found.transpose(1, 2).flatten(2) if joined else found


class GlobalMaxPool(nn.Module):
    """GlobalMaxPool."""

    def forward(self, values: Tensor) -> Tensor:
        """The largest value of each channel, shape (n, channels, 1, 1)."""
        return values.amax(tuple(range(2, values.ndim)), keepdim=True)


class Swish(nn.Module):
    """Swish, since opset 24."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, values: Tensor) -> Tensor:
        """Bend the values."""
        return values * torch.sigmoid(self.alpha * values)


def _by_head(tokens: Tensor, heads: int | None) -> Tensor:
    """Tokens (n, t, heads · channels) as (n, heads, t, channels)."""
    return tokens.reshape(*tokens.shape[:2], heads or 1, -1).transpose(1, 2)


def _attention(given: Mapping[str, Any], outputs: int) -> nn.Module:
    if outputs > 1 or given.get("softcap"):
        raise NotImplementedError("Attention with a soft cap, or with its keys as outputs")
    heads = given.get("q_num_heads")
    return Attention(
        given.get("scale"), heads, given.get("kv_num_heads", heads), causal=bool(given.get("is_causal", 0))
    )


def _layer_norm(given: Mapping[str, Any], outputs: int) -> nn.Module:
    if outputs > 1:
        raise NotImplementedError("LayerNormalization with its mean as an output")
    return LayerNormalization(given.get("axis", -1), given.get("epsilon", 1e-5))


Factory = Callable[[Mapping[str, Any], int], nn.Module]

# by operator: from a node's attributes and number of outputs to a module
OPERATORS: Mapping[str, Factory] = {
    "Attention": _attention,
    "Cast": lambda given, outputs: Cast(given["to"]),
    "Clip": lambda given, outputs: Clip(given.get("min"), given.get("max")),
    "Concat": lambda given, outputs: Concat(given["axis"]),
    "Gelu": lambda given, outputs: nn.GELU(given.get("approximate", "none")),
    "GlobalMaxPool": lambda given, outputs: GlobalMaxPool(),
    "GroupNormalization": lambda given, outputs: GroupNormalization(given["num_groups"], given.get("epsilon", 1e-5)),
    "LayerNormalization": _layer_norm,
    "Mish": lambda given, outputs: nn.Mish(),
    "Pad": lambda given, outputs: Pad(given.get("mode", "constant"), given.get("pads")),
    "RMSNormalization": lambda given, outputs: RMSNormalization(given.get("axis", -1), given.get("epsilon", 1e-5)),
    "Slice": lambda given, outputs: Slice(),
    "Split": lambda given, outputs: Split(given.get("axis", 0), given.get("split"), outputs),
    "Swish": lambda given, outputs: Swish(given.get("alpha", 1.0)),
}


def _register(factory: Factory) -> Callable[[Any, Any], OperationConverterResult]:
    def convert(node: Any, graph: Any) -> OperationConverterResult:
        return OperationConverterResult(factory(node.attributes, len(node.output_values)), onnx_mapping_from_node(node))

    return convert


for _name, _factory in OPERATORS.items():
    add_converter(_name, 1, DOMAIN)(_register(_factory))
