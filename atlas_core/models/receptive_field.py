"""Receptive fields, worked out from kernels, strides and paddings by walking the graph.

A field is kept per axis as the interval [low, high) that position 0 sees and the jump between positions, in input
pixels; pixel p covers [p, p + 1). Padding is counted, so fields at the border reach outside the picture. Attention
sees the whole picture from every position: there the interval still tells where a position lies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from atlas_core.cards import ReceptiveField


@dataclass(frozen=True, slots=True)
class Axis:
    """What position 0 sees along one axis, and how far the next position is.

    `whole` is the input's side where every position sees all of it, and 0 elsewhere.
    """

    low: float = 0.0
    high: float = 1.0
    jump: float = 1.0
    whole: float = 0.0

    @property
    def size(self) -> float:
        """How much a position sees, in input pixels."""
        return self.whole or self.high - self.low

    def window(self, kernel: int, stride: int, padding: int, dilation: int) -> Axis:
        """After a convolution or pooling; `padding` is the one before the first position."""
        last = dilation * (kernel - 1)
        low, high = self.low - padding * self.jump, self.high + (last - padding) * self.jump
        return Axis(low, high, self.jump * stride, self.whole)


@dataclass(frozen=True, slots=True)
class Field:
    """The receptive field of a layer: vertical and horizontal axis."""

    vertical: Axis = Axis()
    horizontal: Axis = Axis()

    def window(
        self, kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
    ) -> Field:
        """After a convolution or pooling, all arguments as (vertical, horizontal)."""
        return Field(
            self.vertical.window(kernel[0], stride[0], padding[0], dilation[0]),
            self.horizontal.window(kernel[1], stride[1], padding[1], dilation[1]),
        )

    def everywhere(self, height: float, width: float) -> Field:
        """After an operation that lets every position see the whole input, given its sides; positions stay."""
        return Field(replace(self.vertical, whole=height), replace(self.horizontal, whole=width))

    def card(self) -> ReceptiveField:
        """The form in which layers are listed."""
        axes = (self.vertical, self.horizontal)
        return ReceptiveField(
            size=(axes[0].size, axes[1].size),
            jump=(axes[0].jump, axes[1].jump),
            start=((axes[0].low + axes[0].high) / 2, (axes[1].low + axes[1].high) / 2),
        )


def union(fields: Iterable[Field | None]) -> Field | None:
    """What a sum or concatenation sees; None where a part is unknown or the jumps differ."""
    known = list(fields)
    if not known or any(field is None for field in known):
        return None
    vertical = _union_axis([field.vertical for field in known if field])
    horizontal = _union_axis([field.horizontal for field in known if field])
    return Field(vertical, horizontal) if vertical and horizontal else None


def _union_axis(axes: list[Axis]) -> Axis | None:
    jump = axes[0].jump
    if any(axis.jump != jump for axis in axes):
        return None
    return Axis(min(axis.low for axis in axes), max(axis.high for axis in axes), jump, max(axis.whole for axis in axes))
