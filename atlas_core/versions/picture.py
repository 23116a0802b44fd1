"""Both halves of a coupled map side by side, coloured by class, with the cells that were born, lost and moved."""

from __future__ import annotations

import colorsys
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from atlas_core.versions.changes import Change, Kinds

MAP, MARGIN, GAP, LINE = 560, 28, 36, 20
INK, PALE, GROUND, FRAME = (40, 40, 40), (120, 120, 120), (255, 255, 255), (224, 224, 224)
BORN, LOST, MOVED = (0, 110, 40), (190, 20, 20), (30, 60, 190)
NO_CLASS = (170, 170, 170)
PALETTE = ((78, 121, 167), (242, 142, 43), (225, 87, 89), (118, 183, 178), (89, 161, 79), (237, 201, 72),
           (176, 122, 161), (255, 157, 167), (156, 117, 95), (140, 140, 200))  # fmt: skip
LEGEND = 12
"""Classes named below the maps, those with most samples."""
POINT_ALPHA = 200
LARGER = (40_000, 10_000, 500)
"""Up to so many points each is a pixel wider."""
NUMBERED = 9
Colour = tuple[int, int, int]


def draw(
    layouts: Sequence[NDArray[np.float32]],
    labels: Sequence[NDArray[np.integer]],
    names: Sequence[str],
    titles: Sequence[str],
    layer: str,
    side: int,
    found: Kinds,
) -> bytes:
    """Draw the old half on the left and the new one on the right.

    Args:
        layouts: Points of each half in the unit square, y up, shape (n, 2) each.
        labels: Class of each point, -1 for none.
        names: Of the classes.
        titles: Of the halves.
        layer: Name of the layer.
        side: Cells a side.
        found: What changed; born and moved cells are framed on the new half, lost ones on the old.

    Returns:
        PNG.
    """
    page = _Page(layer, titles, found)
    for half, (layout, label) in enumerate(zip(layouts, labels, strict=True)):
        page.points(half, layout, colours_of(label, len(names)))
    for number, change in enumerate(found.moved, 1):
        page.cell(1, change, side, MOVED, number)
        page.cell(0, change, side, MOVED, number, at=change.origin)
    for changes, half, colour in ((found.born, 1, BORN), (found.lost, 0, LOST)):
        for change in changes:
            page.cell(half, change, side, colour)
    page.legend(np.concatenate(list(labels)), names)
    return page.png()


def colour_of(index: int, classes: int) -> Colour:
    """A class's colour: of a few classes well apart, of many around the circle."""
    if classes <= len(PALETTE):
        return PALETTE[index]
    hue = index * 0.618034 % 1  # the golden ratio keeps neighbours in number apart
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.6 + 0.3 * (index % 2), 0.8)
    return round(255 * red), round(255 * green), round(255 * blue)


def colours_of(label: NDArray[np.integer], classes: int) -> NDArray[np.uint8]:
    """The colour of each point, shape (n, 3); grey without a class."""
    table = np.array([*(colour_of(index, classes) for index in range(classes)), NO_CLASS], np.uint8)
    return np.asarray(table[label])


class _Page:
    """A picture of two maps.

    Args:
        layer: Named on top.
        titles: Of the two.
        found: Says below what the frames mean, and how many there are.
    """

    def __init__(self, layer: str, titles: Sequence[str], found: Kinds) -> None:
        self._picture = Image.new("RGB", (2 * MARGIN + 2 * MAP + GAP, 2 * MARGIN + MAP + 5 * LINE), GROUND)
        self._draw = ImageDraw.Draw(self._picture)
        self._fonts = {size: ImageFont.load_default(size) for size in (11, 13, 16)}
        self._top = MARGIN + 2 * LINE
        self._text(MARGIN, MARGIN - 12, layer, 13, PALE)
        for half, (when, title) in enumerate(zip(("old", "new"), titles, strict=True)):
            left = self._left(half)
            self._text(left, MARGIN + LINE - 6, f"{when}: {title}", 16)
            self._draw.rectangle((left, self._top, left + MAP, self._top + MAP), outline=FRAME)
        self._x = float(MARGIN)
        for colour, word, changes in ((BORN, "born", found.born), (LOST, "lost", found.lost),
                                      (MOVED, "moved", found.moved)):  # fmt: skip
            self._entry(colour, f"{word}: {len(changes)}", self._top + MAP + 12, framed=True)

    @staticmethod
    def _left(half: int) -> int:
        return MARGIN + half * (MAP + GAP)

    def _text(self, x: float, y: float, text: str, size: int, colour: Colour = INK) -> None:
        self._draw.text((x, y), text, fill=colour, font=self._fonts[size])

    def _entry(self, colour: Colour, text: str, y: float, *, framed: bool = False) -> None:
        """A line of the legend, to the right of the one before, or below where there is no room."""
        box = (self._x, y + 2, self._x + 10, y + 12)
        self._draw.rectangle(box, outline=colour, width=2, fill=None if framed else colour)
        self._text(self._x + 16, y, text, 11)
        self._x += 32 + self._draw.textlength(text, self._fonts[11])

    def points(self, half: int, layout: NDArray[np.float32], colours: NDArray[np.uint8]) -> None:
        """Put the points of a half down, those of all classes mixed so that none covers another."""
        left, size = self._left(half), 1 + sum(len(layout) <= most for most in LARGER)
        x = left + 1 + np.rint(layout[:, 0] * (MAP - 2)).astype(int)
        y = self._top + 1 + np.rint((1 - layout[:, 1]) * (MAP - 2)).astype(int)
        pixels = np.asarray(self._picture).astype(np.float32)
        share = POINT_ALPHA / 255
        for dx in range(size):
            for dy in range(size):
                place = np.minimum(y + dy, self._top + MAP - 1), np.minimum(x + dx, left + MAP - 1)
                pixels[place] = share * colours + (1 - share) * pixels[place]
        self._picture.paste(Image.fromarray(np.rint(pixels).astype(np.uint8)))

    def cell(
        self, half: int, change: Change, side: int, colour: Colour, number: int = 0, at: int | None = None
    ) -> None:
        """Frame a cell of a half, with a number where it has a counterpart on the other."""
        row, column = divmod(change.cell if at is None else at, side)
        left, top = self._left(half) + column * MAP / side, self._top + row * MAP / side
        self._draw.rectangle((left, top, left + MAP / side, top + MAP / side), outline=colour, width=2)
        if 0 < number <= NUMBERED:
            self._text(left + 4, top + 2, str(number), 13, colour)

    def legend(self, label: NDArray[np.integer], names: Sequence[str]) -> None:
        """Name the classes with most points, as many as have room."""
        index, times = np.unique(label[label >= 0], return_counts=True)
        shown = np.sort(index[np.argsort(-times, kind="stable")[:LEGEND]])
        self._x = float(MARGIN)
        for one in shown.tolist():
            width = 32 + self._draw.textlength(names[one], self._fonts[11])
            if self._x + width > self._picture.width - MARGIN:
                break
            self._entry(colour_of(one, len(names)), names[one], self._top + MAP + 12 + LINE)

    def png(self) -> bytes:
        """The picture's bytes."""
        data = io.BytesIO()
        self._picture.save(data, "PNG", optimize=True)
        return data.getvalue()
