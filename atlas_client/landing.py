"""An image beside the map it landed on: what it lights up, its positions, and how sure they are.

The map is faded, and shines where positions land, by their density. A position has one colour on the image and on the
map, that of its place on the map, so that both are read together: a disc, a ring where it is ambiguous, a cross where
it is farther from the atlas than most of the atlas's own samples are.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from atlas_client.atlas import TILE_SIDE
from atlas_client.sheet import GROUND, INK, LINE, MARK_RADIUS, SOFT, Box, Colour, Mark, Sheet, enlarged

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas
    from atlas_client.projection import Projection

MARGIN, MAP, SIDEBAR, GAP, TITLE = 36, 960, 420, 40, 44
WARM = (232, 104, 24)
CORNERS = np.array([[[24, 96, 240], [214, 20, 150]], [[0, 150, 70], [240, 120, 0]]], np.float64)
"""Colours of the map's corners, by row from the top and column; between them they blend."""
FAR_PERCENTILE = 95.0
FADED = 0.80
"""How far the map fades to white where nothing lands."""
LEAST_WIDTH, MOST_WIDTH = 0.018, 0.06
"""Standard deviation of a position's light, in sides of the map: its spread within these."""
LIGHT_SIDE = 320
CONTOURS = (0.5, 0.9)
"""Shares of the light that the lines enclose."""
LABELS, LABEL_GAP, LABEL_SIZE, LABEL_HEIGHT = 5, 0.14, 17, 30.0
REACHES = (58.0, 84.0, 118.0)
SAID_OF_MARKS: tuple[tuple[Mark, str], ...] = (
    ("disc", "lands in one place"),
    ("ring", "ambiguous: neighbours lie in several places"),
    ("cross", "farther than 95% of the atlas's own samples"),
)


@dataclass(frozen=True)
class Named:
    """A cell that many positions land in, and what is said of it; x and y of its middle on the map, y upwards."""

    x: float
    y: float
    said: str


def draw_landing(projection: Projection, atlas: Atlas, layer: str, side: int) -> Image.Image:
    """Draw an image beside a level, with its positions on both.

    Args:
        projection: Of the image.
        atlas: That it landed on.
        layer: Name of a layer of both.
        side: Cells a side of one of its levels.

    Returns:
        RGB.
    """
    places = projection.columns(layer)
    sheet = Sheet(2 * MARGIN + SIDEBAR + GAP + MAP, 2 * MARGIN + TITLE + MAP)
    named = brightest_cells(projection.to_heatmap(layer, side), atlas.raw_cells(layer, side))
    _draw_map(sheet, places, _lit(*level_pictures(atlas, layer, side), light(places)), named)
    below = _draw_image(sheet, projection, places, layer, atlas.manifest["model"]["input"])
    below = _draw_classes(sheet, projection, below)
    _draw_legend(sheet, places, projection.typical_share(layer), below)
    names = atlas.manifest.get("names", {})
    title = " · ".join(str(part) for part in (names.get("model"), layer, names.get("dataset")) if part)
    said = f"{side} x {side} cells · {atlas.said_of_icons}"
    left, right = MARGIN + SIDEBAR + GAP, MARGIN + SIDEBAR + GAP + MAP
    sheet.text(left, MARGIN + 4, title, 20, width=MAP - sheet.width_of(said, 15) - 20)
    sheet.text(right, MARGIN + 8, said, 15, SOFT, anchor="ra")
    return sheet.finished()


def marks_of(places: dict[str, NDArray[Any]]) -> list[Mark]:
    """How each position is drawn."""
    return [
        "cross" if far else "ring" if ambiguous else "disc"
        for far, ambiguous in zip(places["percentile"] >= FAR_PERCENTILE, places["ambiguous"], strict=True)
    ]


def colours_of(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Colour]:
    """The colour of each place of the map."""
    right, up = x[:, None], y[:, None]
    above = CORNERS[0, 0] * (1 - right) + CORNERS[0, 1] * right
    below = CORNERS[1, 0] * (1 - right) + CORNERS[1, 1] * right
    return [(round(red), round(green), round(blue)) for red, green, blue in (above * up + below * (1 - up)).tolist()]


def light(places: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Density of the positions over the map, each a normal as wide as its spread.

    Returns:
        Shape (320, 320), row 0 at the top; its sum is 1.
    """
    middle = (np.arange(LIGHT_SIDE) + 0.5) / LIGHT_SIDE
    width = np.clip(places["spread"], LEAST_WIDTH, MOST_WIDTH)[:, None]
    across = np.exp(-(((middle - places["x"][:, None]) / width) ** 2) / 2)
    down = np.exp(-(((1 - middle - places["y"][:, None]) / width) ** 2) / 2)
    shed = across.sum(axis=1) * down.sum(axis=1)
    return np.asarray((down / (shed * len(shed))[:, None]).T @ across, np.float64)


def level_enclosing(density: NDArray[np.float64], share: float) -> float:
    """The density above which lies the smallest region that holds such a share of it."""
    falling = np.sort(density.ravel())[::-1]
    return float(falling[min(np.searchsorted(np.cumsum(falling), share * falling.sum()), falling.size - 1)])


def brightest_cells(heat: NDArray[np.float64], cells: list[dict[str, Any]]) -> list[Named]:
    """The cells that most positions land in, none close by another.

    Args:
        heat: Share of the positions in each cell, shape (side, side), row 0 at the top.
        cells: Of the level, with column, row and classes.
    """
    side = len(heat)
    classes = {(cell["row"], cell["column"]): cell.get("classes") for cell in cells}
    named: list[Named] = []
    for flat in np.argsort(-heat.ravel(), kind="stable").tolist():
        row, column = divmod(flat, side)
        if heat[row, column] == 0 or len(named) == LABELS:
            break
        x, y = (column + 0.5) / side, 1 - (row + 0.5) / side
        if all(np.hypot(x - other.x, y - other.y) >= LABEL_GAP for other in named):
            strongest = [one["name"] for one in classes.get((row, column)) or ()][:1]
            named.append(Named(x, y, "  ".join([*strongest, f"{heat[row, column]:.0%}"])))
    return named


def seen_box(size: tuple[int, int], input: dict[str, Any]) -> Box:
    """The part of a picture that a network sees: what its shorter side's resizing and the crop of the middle leave.

    Args:
        size: Width and height of the picture.
        input: Of the model's card: width, height, resize and crop.

    Returns:
        Left, top, right, bottom in the picture's pixels.
    """
    if input.get("crop") is None:
        return 0, 0, size[0], size[1]
    shorter = min(size)
    scale = max((input.get("resize") or shorter) / shorter, input["width"] / size[0], input["height"] / size[1])
    across, down = input["width"] / scale, input["height"] / scale
    left, top = max(0.0, (size[0] - across) / 2), max(0.0, (size[1] - down) / 2)
    return left, top, min(left + across, size[0]), min(top + down, size[1])


def level_pictures(atlas: Atlas, layer: str, side: int) -> tuple[Image.Image, Image.Image]:
    """A level as it shines, and as it is where nothing lands; of an atlas without icons how full cells are, tinted."""
    size = atlas.icon_size(layer, side)
    if size is None:
        poster = atlas.poster(layer, side)
        return Image.blend(poster, Image.new("RGB", poster.size, WARM), 0.7), poster
    picture = Image.new("RGB", (side * size, side * size), GROUND)
    for x, y in np.ndindex(*(-(-side // TILE_SIDE),) * 2):
        tile = atlas.tile(layer, side, x, y)
        if tile is not None:
            picture.paste(tile, (x * TILE_SIDE * size, y * TILE_SIDE * size), tile)
    return picture, picture


def _lit(bright: Image.Image, dim: Image.Image, density: NDArray[np.float64]) -> Image.Image:
    """The map, shining where the density is."""
    size = enlarged(MAP, MAP)
    bright, dim = (picture.resize(size, Image.Resampling.LANCZOS) for picture in (bright, dim))
    faded = Image.blend(dim.convert("L").convert("RGB"), Image.new("RGB", size, GROUND), FADED)
    shine = np.minimum(density / level_enclosing(density, CONTOURS[0]), 1) ** 0.5
    mask = Image.fromarray(np.asarray(255 * shine, np.uint8)).resize(size, Image.Resampling.BICUBIC)
    lit = Image.composite(bright, faded, mask)
    large = np.asarray(Image.fromarray(density.astype(np.float32)).resize(size, Image.Resampling.BICUBIC))
    for share, ink, width in zip(CONTOURS, (INK, SOFT), (3, 2), strict=True):
        lit.paste(ink, (0, 0), _outline(large > level_enclosing(density, share), width))
    return lit


def _outline(inside: NDArray[np.bool_], width: int) -> Image.Image:
    """Mask of a region's edge."""
    edge = np.zeros_like(inside)
    for step in range(1, width + 1):
        edge[step:] |= inside[step:] ^ inside[:-step]
        edge[:, step:] |= inside[:, step:] ^ inside[:, :-step]
    return Image.fromarray(np.asarray(255 * edge, np.uint8))


def _draw_map(sheet: Sheet, places: dict[str, NDArray[Any]], lit: Image.Image, named: list[Named]) -> None:
    left, top = MARGIN + SIDEBAR + GAP, MARGIN + TITLE
    sheet.paste(lit, left, top)
    x, y = left + places["x"] * MAP, top + (1 - places["y"]) * MAP
    boxes: list[Box] = []
    for one in named:
        middle = left + one.x * MAP, top + (1 - one.y) * MAP
        boxes.append(_free_box(sheet.width_of(one.said, LABEL_SIZE) + 20, middle, x, y, boxes))
        sheet.line(middle, ((boxes[-1][0] + boxes[-1][2]) / 2, (boxes[-1][1] + boxes[-1][3]) / 2))
    for mark, colour, across, down in zip(marks_of(places), colours_of(places["x"], places["y"]), x, y, strict=True):
        sheet.mark(across, down, mark, colour)
    for box, one in zip(boxes, named, strict=True):
        sheet.label(box, one.said, LABEL_SIZE)


def _free_box(width: float, around: tuple[float, float], x: Any, y: Any, taken: list[Box]) -> Box:
    """Where beside a place of the map a label covers the fewest positions and no other label, and stays on the map."""
    left, top = MARGIN + SIDEBAR + GAP, MARGIN + TITLE
    options = []
    for angle in np.arange(16) * np.pi / 8:
        for reach in REACHES:
            across, down = around[0] + np.cos(angle) * (reach + width / 3), around[1] + np.sin(angle) * reach
            box = across - width / 2, down - LABEL_HEIGHT / 2, across + width / 2, down + LABEL_HEIGHT / 2
            outside = box[0] < left or box[2] > left + MAP or box[1] < top or box[3] > top + MAP
            on_others = sum(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in taken)
            covered = np.mean((box[0] - 6 < x) & (x < box[2] + 6) & (box[1] - 6 < y) & (y < box[3] + 6))
            options.append((outside + on_others, covered + reach / 2000, box))
    return min(options)[2]


def _draw_image(
    sheet: Sheet, projection: Projection, places: dict[str, NDArray[Any]], layer: str, input: dict[str, Any]
) -> float:
    """What the network sees, with its positions; gives where the sheet is free below."""
    rows, columns = projection["layers"][layer]["grid"]
    width, height = (SIDEBAR, SIDEBAR * rows / columns) if rows <= columns else (SIDEBAR * columns / rows, SIDEBAR)
    top = MARGIN + TITLE
    sheet.paste(_seen(projection.image, input, enlarged(width, height)), MARGIN, top)
    x = MARGIN + (places["column"] + 0.5) * width / columns
    y = top + (places["row"] + 0.5) * height / rows
    radius = max(2.2, min(MARK_RADIUS, width / columns / 3.4))
    for mark, colour, across, down in zip(marks_of(places), colours_of(places["x"], places["y"]), x, y, strict=True):
        sheet.mark(across, down, mark, colour, radius)
    sheet.text(MARGIN, MARGIN + 4, projection.name, 20, width=SIDEBAR)
    return top + height + 26


def _seen(data: bytes, input: dict[str, Any], size: tuple[int, int]) -> Image.Image:
    """What the network sees of an image; plain grey of what is no picture, such as an array."""
    try:
        with Image.open(io.BytesIO(data)) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB")
    except OSError:
        return Image.new("RGB", size, LINE)
    return picture.resize(size, Image.Resampling.LANCZOS, box=seen_box(picture.size, input))


def _draw_classes(sheet: Sheet, projection: Projection, top: float) -> float:
    for name, probability in projection.classes[:3]:
        sheet.text(MARGIN, top, name, 18, width=SIDEBAR - 70)
        sheet.text(MARGIN + SIDEBAR, top, f"{probability:.0%}", 18, anchor="ra")
        sheet.bar(MARGIN, top + 26, SIDEBAR, probability)
        top += 42
    return top + 10


def _draw_legend(sheet: Sheet, places: dict[str, NDArray[Any]], typical_share: float, top: float) -> None:
    marks = marks_of(places)
    for mark, said in SAID_OF_MARKS:
        sheet.mark(MARGIN + 8, top + 10, mark, INK)
        sheet.text(MARGIN + 24, top, str(marks.count(mark)), 16)
        sheet.text(MARGIN + 62, top, said, 16, SOFT)
        top += 28
    sheet.text(MARGIN, top + 10, f"{typical_share:.0%} of {len(marks)} positions are typical of the atlas", 16)
    sheet.text(MARGIN, top + 36, f"median spread {np.median(places['spread']):.1%} of the map's side", 16)
    notes = (
        "Brighter: more positions; lines enclose 50% and 90%.",
        "A position has one colour here and on the map.",
        "Labels: a cell's strongest class, its share of positions.",
    )
    for line, note in enumerate(notes):
        sheet.text(MARGIN, top + 72 + 22 * line, note, 15, SOFT)
