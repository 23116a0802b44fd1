"""Windows of maps: what a local change can reach through a kernel, cut out and written back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Window(NamedTuple):
    """What changed of a map, one window a variant; everything else is as in the variant's image.

    Attributes:
        values: Shape (n, channels, height, width).
        top: First row of each window, shape (n,).
        left: First column of each window, shape (n,).
    """

    values: Tensor
    top: Tensor
    left: Tensor

    @property
    def height(self) -> int:
        """Rows of a window."""
        return self.values.shape[2]

    @property
    def width(self) -> int:
        """Columns of a window."""
        return self.values.shape[3]


class Sliding(NamedTuple):
    """Kernel, stride, padding and dilation of a convolution or pooling along one axis."""

    kernel: int
    stride: int
    padding: int
    dilation: int

    def reach(self, start: Tensor, size: int, outputs: int) -> tuple[Tensor, int]:
        """First output and number of outputs that rows [start, start + size) of the input can change."""
        span = self.dilation * (self.kernel - 1)
        count = min(outputs, (size - 1 + span) // self.stride + 1)
        first = -((span - start - self.padding) // self.stride)  # rounded up
        return first.clamp(0, outputs - count), count

    def needs(self, count: int) -> int:
        """Rows of the input under this many outputs."""
        return (count - 1) * self.stride + self.dilation * (self.kernel - 1) + 1


class Cut(NamedTuple):
    """How windows are cut from a map: their size, and what is around the map."""

    height: int
    width: int
    rows: Sliding = Sliding(1, 1, 0, 1)
    columns: Sliding = Sliding(1, 1, 0, 1)
    fill: float = 0.0


def padded_rows(value: Tensor, window: Cut) -> tuple[Tensor, int, int]:
    """A map as rows of channels, shape (n * height * width, channels), padded so that every window lies inside."""
    above, before = window.rows.padding, window.columns.padding
    below = above + window.rows.stride - 1  # ceil_mode may look this far over the edge
    after = before + window.columns.stride - 1
    padded = functional.pad(value, (before, after, above, below), value=window.fill)
    _, channels, height, width = padded.shape
    return padded.permute(0, 2, 3, 1).reshape(-1, channels), height, width


def overwrite(around: Tensor, window: Window, top: Tensor, left: Tensor) -> None:
    """Write what changed into windows (n, height, width, channels) that begin at (top, left) of the map."""
    n, height, width, channels = around.shape
    rows = (window.top - top)[:, None] + torch.arange(window.height, device=top.device)
    columns = (window.left - left)[:, None] + torch.arange(window.width, device=top.device)
    places = (torch.arange(n, device=top.device)[:, None] * height + rows)[:, :, None] * width + columns[:, None, :]
    values = window.values.permute(0, 2, 3, 1).reshape(-1, channels)
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None, :]
    flat = around.view(-1, channels)
    if inside.all():
        flat.index_copy_(0, places.reshape(-1), values)
    else:
        flat.index_copy_(0, places[inside], values[inside.reshape(-1)])


def common_span(windows: list[tuple[Tensor, int]], size: int) -> tuple[Tensor, int]:
    """Start and size, the same for every variant, of what holds all these (start, size) along one axis."""
    first = torch.stack([start for start, _ in windows]).amin(0)
    last = torch.stack([start + length for start, length in windows]).amax(0)
    length = int((last - first).max())
    return first.clamp(0, size - length), length
