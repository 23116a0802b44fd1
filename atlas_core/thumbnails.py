"""Thumbnails: what a sample's receptive field shows, small enough to keep with every sample.

Averaging is exact: a summed-area table turns the mean over any box, its corners between pixels, into look-ups.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from atlas_core.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIE = 1e-6  # so that an exact half rounds up, whatever the order of the additions was


def cut_thumbnails(
    pixels: NDArray[np.uint8], centres: NDArray[np.float64], window: int, side: int
) -> NDArray[np.uint8]:
    """Cut a square window around every centre and average it down; the picture is reflected at its borders.

    Args:
        pixels: A picture as the network sees it, in its order of channels, shape (height, width, channels).
        centres: Centres (vertical, horizontal) in pixels, where pixel p covers [p, p + 1), shape (n, 2).
        window: Side of the window, in pixels.
        side: Side of a thumbnail, in pixels of its own.

    Returns:
        Thumbnails, shape (n, side, side, channels).
    """
    thumbnails = np.empty((len(centres), side, side, pixels.shape[2]), dtype=np.uint8)
    if len(centres) == 0:
        return thumbnails
    edges = centres[:, :, None] + (np.arange(side + 1) / side - 0.5) * window  # (n, 2, side + 1)
    low = np.floor(edges.min(axis=(0, 2))).astype(np.int64)
    high = np.ceil(edges.max(axis=(0, 2))).astype(np.int64) + 1
    table = _summed(pixels, low[0], high[0], low[1], high[1])
    _average(table, edges[:, 0] - low[0], edges[:, 1] - low[1], (side / window) ** 2, thumbnails)
    return thumbnails


def _summed_area(pixels: NDArray[np.uint8], top: int, bottom: int, left: int, right: int) -> NDArray[np.int64]:
    """Sums of rows [top, row) and columns [left, column) of the picture reflected without end.

    Returns:
        The table, shape (bottom - top + 1, right - left + 1, channels).
    """
    height, width, channels = pixels.shape
    table = np.zeros((bottom - top + 1, right - left + 1, channels), dtype=np.int64)
    for row in range(top, bottom):
        y = row % (2 * height)
        y = y if y < height else 2 * height - 1 - y
        for channel in range(channels):
            run = 0
            for column in range(left, right):
                x = column % (2 * width)
                x = x if x < width else 2 * width - 1 - x
                run += pixels[y, x, channel]
                place = column - left + 1
                table[row - top + 1, place, channel] = table[row - top, place, channel] + run
    return table


def _average_boxes(
    table: NDArray[np.int64],
    rows: NDArray[np.float64],
    columns: NDArray[np.float64],
    per_area: float,
    thumbnails: NDArray[np.uint8],
) -> None:
    """Fill thumbnails (n, side, side, channels) with the means of the boxes between edges of shape (n, side + 1)."""
    count, side, _, channels = thumbnails.shape
    corners = np.empty((side + 1, side + 1, channels))
    for sample in range(count):
        for i in range(side + 1):
            y = math.floor(rows[sample, i])
            down = rows[sample, i] - y
            for j in range(side + 1):
                x = math.floor(columns[sample, j])
                across = columns[sample, j] - x
                # linear between its corners, which is exact for pixels of one colour each
                for channel in range(channels):
                    upper = (1 - across) * table[y, x, channel] + across * table[y, x + 1, channel]
                    lower = (1 - across) * table[y + 1, x, channel] + across * table[y + 1, x + 1, channel]
                    corners[i, j, channel] = (1 - down) * upper + down * lower
        for i in range(side):
            for j in range(side):
                for channel in range(channels):
                    box = corners[i + 1, j + 1, channel] - corners[i, j + 1, channel]
                    box -= corners[i + 1, j, channel] - corners[i, j, channel]
                    thumbnails[sample, i, j, channel] = min(255, math.floor(box * per_area + 0.5 + TIE))


_summed = compiled(_summed_area)
_average = compiled(_average_boxes)
