"""A white sheet to draw on: pictures, text, bars, labels, and the marks of positions."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SCALE = 2
"""Drawn so many times as large, then made smaller, so that edges are smooth."""
GROUND, INK, SOFT, LINE = (255, 255, 255), (28, 32, 38), (104, 112, 122), (214, 218, 224)
COLD, WARM = (24, 82, 178), (226, 88, 10)
"""Of values below and above zero."""
MARK_RADIUS = 5.5

Box: TypeAlias = "tuple[float, float, float, float]"  # left, top, right, bottom
Colour: TypeAlias = "tuple[int, int, int]"
Mark = Literal["disc", "ring", "cross"]


class Sheet:
    """A picture in the making; all lengths are in pixels of the finished one.

    Args:
        width: Of the sheet.
        height: Of the sheet.
    """

    def __init__(self, width: float, height: float) -> None:
        """White all over."""
        self._picture = Image.new("RGB", enlarged(width, height), GROUND)
        self._pen = ImageDraw.Draw(self._picture)

    def finished(self) -> Image.Image:
        """The picture, RGB."""
        size = self._picture.width // SCALE, self._picture.height // SCALE
        return self._picture.resize(size, Image.Resampling.LANCZOS)

    def paste(self, picture: Image.Image, left: float, top: float) -> None:
        """Put a picture of `enlarged` size there, in a frame."""
        self._picture.paste(picture, enlarged(left, top))
        right, bottom = left * SCALE + picture.width, top * SCALE + picture.height
        self._pen.rectangle([left * SCALE, top * SCALE, right, bottom], outline=LINE, width=SCALE)

    def text(
        self, left: float, top: float, text: str, size: int, ink: Colour = INK, *, anchor: str = "la", width: float = 0
    ) -> None:
        """Write a line; where a width is given, cut with an ellipsis to fit it."""
        if width and self.width_of(text, size) > width:
            while text and self.width_of(text + "…", size) > width:
                text = text[:-1]
            text += "…"
        self._pen.text((left * SCALE, top * SCALE), text, fill=ink, font=_font(size), anchor=anchor)

    def width_of(self, text: str, size: int) -> float:
        """How wide a line is."""
        return self._pen.textlength(text, _font(size)) / SCALE

    def bar(self, left: float, top: float, width: float, share: float) -> None:
        """A thin bar, so much of it filled."""
        for end, ink in ((width, LINE), (max(1.0, width * share), INK)):
            self._pen.rectangle(_box(left, top, left + end, top + 3), fill=ink)

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """A thin straight line."""
        self._pen.line(_box(*start, *end), fill=INK, width=round(1.4 * SCALE))

    def label(self, box: Box, text: str, size: int) -> None:
        """A line of text in a rounded box."""
        self._pen.rounded_rectangle(_box(*box), radius=7 * SCALE, fill=GROUND, outline=INK, width=SCALE)
        self.text((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, text, size, anchor="mm")

    def mark(self, x: float, y: float, kind: Mark, colour: Colour, radius: float = MARK_RADIUS) -> None:
        """A position: a disc, a hollow ring or a cross, set off from the ground in white."""
        around = _box(x - radius, y - radius, x + radius, y + radius)
        if kind == "cross":
            for width, ink in ((5.0, GROUND), (2.4, colour)):
                for ends in (around, (around[0], around[3], around[2], around[1])):
                    self._pen.line(ends, fill=ink, width=round(width * SCALE))
        elif kind == "ring":
            edge = radius + 0.8
            self._pen.ellipse(_box(x - edge, y - edge, x + edge, y + edge), fill=GROUND)
            self._pen.ellipse(around, outline=colour, width=round(2.4 * SCALE))
        else:
            self._pen.ellipse(around, fill=colour, outline=GROUND, width=round(1.3 * SCALE))


def enlarged(width: float, height: float) -> tuple[int, int]:
    """The pixels that so many of the finished sheet are drawn with."""
    return round(width * SCALE), round(height * SCALE)


def _box(left: float, top: float, right: float, bottom: float) -> Box:
    return left * SCALE, top * SCALE, right * SCALE, bottom * SCALE


def _font(size: int) -> Any:
    return ImageFont.load_default(size * SCALE)


def scale_bar(low: float, high: float, width: float, height: float) -> Image.Image:
    """The colours of a scale from its least value to its greatest, white at zero, of `enlarged` size."""
    value = np.linspace(low, high, enlarged(width, 0)[0])[:, None] / (max(-low, high) or 1.0)
    tint = np.where(value < 0, np.array(COLD), np.array(WARM))
    row = np.array(GROUND) + np.abs(value) * (tint - np.array(GROUND))
    return Image.fromarray(np.tile(row.round().astype(np.uint8)[None], (enlarged(0, height)[1], 1, 1)))
