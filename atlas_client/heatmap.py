"""A heat map over a level: icons are as present as their cell's value is large, and blue where it is below zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from atlas_client.landing import level_pictures
from atlas_client.measures import SAID, UNITS
from atlas_client.sheet import COLD, GROUND, LINE, SOFT, WARM, Colour, Sheet, enlarged, scale_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_client.atlas import Atlas
    from atlas_client.connection import Document
    from atlas_client.options import Sign

MARGIN, MAP, SIDEBAR, GAP, TITLE = 36, 960, 260, 40, 44
TINT = 0.35
"""How much of its colour lies over an icon where its value is largest."""
PALE = 0.06
"""How present an icon of no value is, so that the map can be made out."""
LISTED, LISTED_ICON = 5, 56


def draw_heatmap(heat: Document, atlas: Atlas, sign: Sign = "both") -> Image.Image:
    """Draw a heat map over its level of an atlas.

    Args:
        heat: From `Client.heatmap`.
        atlas: That it is of.
        sign: What is shown: `both` on one scale, or only the `positive` or the `negative` on its own.

    Returns:
        RGB.
    """
    sheet = Sheet(2 * MARGIN + SIDEBAR + GAP + MAP, 2 * MARGIN + TITLE + MAP)
    left, top, side = MARGIN + SIDEBAR + GAP, MARGIN + TITLE, heat["side"]
    pictures = level_pictures(atlas, heat["layer"], side)
    sheet.paste(_shown(pictures[1], values_of(heat, sign)), left, top)
    names = atlas.manifest.get("names", {})
    title = " · ".join(str(part) for part in (names.get("model"), heat["layer"], names.get("dataset")) if part)
    said = f"{side} x {side} cells · {atlas.said_of_icons}"
    sheet.text(left, MARGIN + 4, title, 20, width=MAP - sheet.width_of(said, 15) - 20)
    sheet.text(left + MAP, MARGIN + 8, said, 15, SOFT, anchor="ra")
    below = _draw_legend(sheet, heat, ends_of(heat, sign))
    for name, cells, colour in listed(heat, sign):
        below = _draw_cells(sheet, heat, atlas, (name, cells, colour), below)
    return sheet.finished()


def ends_of(heat: Document, sign: Sign) -> tuple[float, float]:
    """What the ends of the scale stand for, the lower first."""
    if sign == "both":
        return (-heat["scale"], heat["scale"]) if heat["least"] < 0 else (0.0, heat["scale"])
    return (min(heat["least"], 0.0), 0.0) if sign == "negative" else (0.0, max(heat["greatest"], 0.0))


def values_of(heat: Document, sign: Sign = "both") -> NDArray[np.float64]:
    """What is shown of each cell, -1 to 1, row 0 on top, shape (side, side); NaN where nothing is known."""
    shown = np.full((heat["side"], heat["side"]), np.nan)
    value = np.array([np.nan if one is None else one for one in heat["value"]], np.float64)
    low, high = ends_of(heat, sign)
    shown[heat["row"], heat["column"]] = np.clip(value, low, high) / (max(-low, high) or 1.0)
    return shown


def listed(heat: Document, sign: Sign = "both") -> list[tuple[str, list[int], Colour]]:
    """The cells of the largest values, and of the least where these are below zero: a title, which, and its colour."""
    value, count = _column(heat, "value"), _column(heat, "count")
    known = np.flatnonzero(np.isfinite(value) & (count >= heat["enough"]))
    order = known[np.argsort(-value[known], kind="stable")]
    high, low = order[value[order] > 0], order[value[order] < 0][::-1]
    name = "strongest" if heat["measure"] == "attribution" else "highest"
    parts = [(name, high, WARM, "positive"), ("most against it", low, COLD, "negative")]
    return [(title, cells[:LISTED].tolist(), colour) for title, cells, colour, of in parts
            if len(cells) and sign in ("both", of)]  # fmt: skip


def _column(heat: Document, name: str) -> NDArray[np.float64]:
    return np.array([np.nan if one is None else one for one in heat[name]], np.float64)


def _shown(level: Image.Image, values: NDArray[np.float64]) -> Image.Image:
    """The level with every cell as present as its value is large, tinted by its sign."""
    size = enlarged(MAP, MAP)
    known = np.nan_to_num(values)
    strength, sign = _spread(np.abs(known), size), _spread((known < 0).astype(np.float64), size)
    icons = np.asarray(level.resize(size, Image.Resampling.LANCZOS), np.float64)
    grey = icons.mean(axis=2, keepdims=True).repeat(3, axis=2)
    base = icons * (1 - sign) + grey * sign
    tint = np.array(WARM) * (1 - sign) + np.array(COLD) * sign
    tinted = base + TINT * strength * (tint - base) + sign * TINT * (tint - base) * strength
    there = _spread(np.isfinite(values).astype(np.float64), size)
    presence = there * (PALE + (1 - PALE) * strength)
    mixed = np.array(GROUND) * (1 - presence) + tinted * presence
    return Image.fromarray(mixed.clip(0, 255).round().astype(np.uint8))


def _spread(values: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """A number of each cell for each pixel of the map, shape (height, width, 1)."""
    picture = Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.NEAREST)
    return np.asarray(picture, np.float64)[:, :, None]


def title_of(heat: Document) -> str:
    """What a heat map shows, in a few words."""
    return str(heat["class"]["name"]) if heat["class"] else SAID[heat["measure"]]


def said_of(value: float, measure: str) -> str:
    """A value for people."""
    if measure in ("error", "confidence", "calibration"):
        return f"{value:.0%}"
    return f"{value:,.0f}" if measure == "count" else f"{value:+.3g}"


def _draw_legend(sheet: Sheet, heat: Document, ends: tuple[float, float]) -> float:
    """What is shown and on which scale; gives where the sheet is free below."""
    measure, top = heat["measure"], MARGIN + 4
    for line in _wrapped(sheet, title_of(heat), 26, SIDEBAR)[:3]:
        sheet.text(MARGIN, top, line, 26)
        top += 32
    if heat["class"]:
        sheet.text(MARGIN, top + 2, f"class {heat['class']['index']} · what each cell adds to its logit", 14, SOFT)
        top += 22
    top += 18
    sheet.paste(scale_bar(*ends, SIDEBAR, 20), MARGIN, top)
    places = [(0.0, ends[0], "la"), (1.0, ends[1], "ra"), *([(0.5, 0.0, "ma")] if ends[0] < 0 < ends[1] else [])]
    for share, value, anchor in places:
        said = "0" if value == 0 else said_of(value, measure)
        sheet.text(MARGIN + SIDEBAR * share, top + 28, said, 14, anchor=anchor)
    scaled = "; ".join(filter(None, [UNITS.get(measure), f"scaled to cells with {heat['enough']}+ samples"]))
    sheet.text(MARGIN, top + 50, scaled, 13, SOFT)
    return top + 92


def _draw_cells(sheet: Sheet, heat: Document, atlas: Atlas, part: tuple[str, list[int], Colour], top: float) -> float:
    """Some cells with their icons; gives where the sheet is free below."""
    name, cells, colour = part
    sheet.text(MARGIN, top, name, 15, SOFT)
    top += 26
    for cell in cells:
        _draw_cell(sheet, heat, atlas, cell, colour, top)
        top += LISTED_ICON + 8
    return top + 14


def _draw_cell(sheet: Sheet, heat: Document, atlas: Atlas, cell: int, colour: Colour, top: float) -> None:
    column, row, left = heat["column"][cell], heat["row"][cell], MARGIN + LISTED_ICON + 12
    sheet.paste(_icon(atlas, heat, column, row), MARGIN, top)
    sheet.text(left, top + 4, said_of(heat["value"][cell], heat["measure"]), 18, colour)
    told = f"cell {column}-{row}"
    if heat["measure"] != "count":
        told += f" · {heat['count'][cell]:,} samples"
    if heat.get("low"):
        told = f"{heat['low'][cell]:.0%} to {heat['high'][cell]:.0%} of {heat['images'][cell]:,} images"
    sheet.text(left, top + 30, told, 13, SOFT, width=SIDEBAR - LISTED_ICON - 12)


def _icon(atlas: Atlas, heat: Document, column: int, row: int) -> Image.Image:
    """A cell's icon; of an atlas without icons its square of the level's picture."""
    size = enlarged(LISTED_ICON, LISTED_ICON)
    if atlas.icon_size(heat["layer"], heat["side"]) is None:
        return Image.new("RGB", size, LINE)
    return atlas.icon(heat["layer"], heat["side"], column, row).resize(size, Image.Resampling.LANCZOS)


def _wrapped(sheet: Sheet, text: str, size: int, width: float) -> list[str]:
    """A text in lines that fit a width."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and sheet.width_of(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
