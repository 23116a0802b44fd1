"""The histogram of learned concepts: how much of two datasets falls into each cell of a map, drawn with its icons."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw, ImageFont

from atlas_client.client import Client
from atlas_client.connection import Document, path_of
from atlas_client.errors import NotFoundError

COMMON, CHANGED = 24, 24
ICON, GAP, BARS, MARGIN, LINE = 44, 8, 130, 32, 20
INK, PALE, GROUND = (40, 40, 40), (120, 120, 120), (255, 255, 255)
ATLAS, DATASET = (186, 186, 180), (217, 95, 30)


def histogram(client: Client, document: Document, layer: str | None = None) -> bytes:
    """Draw a comparison's histogram: what the dataset shows most, and below what changed most.

    Args:
        client: The service that made it.
        document: From `Client.made_drift`.
        layer: The first that was compared by default.

    Returns:
        PNG.
    """
    found = document["description"]
    name = layer or next(iter(found["layers"]))
    concepts = found["layers"][name]["concepts"]
    totals = {which: max(1, count) for which, count in concepts["samples"].items()}
    cells = [{**cell, "shares": (cell["atlas"] / totals["atlas"], cell["dataset"] / totals["dataset"])}
             for cell in concepts["cells"]]  # fmt: skip
    changed = sorted(cells, key=lambda cell: -abs(cell["shares"][1] - cell["shares"][0]))[:CHANGED]
    changed.sort(key=lambda cell: cell["shares"][0] - cell["shares"][1])
    rows = [("most frequent in the dataset", cells[:COMMON]), ("changed most: gained on the left, lost on the right",
                                                              changed)]  # fmt: skip
    level = path_of("atlases", document["atlas"], "layers", name, "levels", concepts["z"])
    sets = found["sets"]
    page = _Page(f"Concepts of {name}", (sets["atlas"]["name"], sets["dataset"]["name"]), said_of(document["spec"]))
    highest = max((share for _, row in rows for cell in row for share in cell["shares"]), default=1) or 1
    for number, (title, row) in enumerate(rows):
        told = [f"{cell['shares'][1] - number * cell['shares'][0]:{'+' if number else ''}.1%}" for cell in row]
        page.row(number, title, row, told, highest, [_icon(client, level, cell) for cell in row])
    return page.png()


def said_of(spec: Document) -> str:
    """What the icons of an atlas are, to be said wherever they are shown."""
    recipe = spec["recipe"]
    if recipe == "none":
        return "real patches of the atlas's dataset, one of each cell"
    return f"icons {'with no data in them' if recipe == 'pure' else 'seeded from data'} (recipe {recipe})"


def _icon(client: Client, level: str, cell: Document) -> Image.Image | None:
    """A cell's icon, or a real patch where the atlas has none, or nothing where it shows neither."""
    for name in ("icon", "exemplars/0"):
        try:
            data = client.picture(f"{level}/cells/{cell['column']}-{cell['row']}/{name}")
        except NotFoundError:
            continue
        with Image.open(io.BytesIO(data)) as picture:
            return picture.convert("RGB").resize((ICON, ICON), Image.Resampling.LANCZOS)
    return None


class _Page:
    """A picture with rows of bars over icons.

    Args:
        title: On top.
        names: Of the atlas's dataset and the other.
        said: Below.
    """

    def __init__(self, title: str, names: tuple[str, str], said: str) -> None:
        """Draw what stands above the rows and below them."""
        width = 2 * MARGIN + COMMON * (ICON + GAP) - GAP
        self._row = LINE + 2 * GAP + BARS + ICON + 2 * LINE
        self._picture = Image.new("RGB", (width, 2 * MARGIN + 2 * LINE + 2 * self._row), GROUND)
        self._draw = ImageDraw.Draw(self._picture)
        self._fonts = {size: ImageFont.load_default(size) for size in (11, 13, 18)}
        self._text(MARGIN, MARGIN - 8, title, 18)
        self._text(MARGIN, self._picture.height - MARGIN, f"share of samples by cell; {said}", 11, PALE)
        right = width - MARGIN
        for name, colour in ((names[1], DATASET), (f"atlas: {names[0]}", ATLAS)):
            right -= int(self._draw.textlength(name, self._fonts[13]))
            self._text(right, MARGIN - 4, name, 13)
            self._draw.rectangle((right - 18, MARGIN - 2, right - 6, MARGIN + 10), fill=colour)
            right -= 40

    def _text(self, x: float, y: float, text: str, size: int, colour: tuple[int, int, int] = INK) -> None:
        self._draw.text((x, y), text, fill=colour, font=self._fonts[size])

    def row(
        self,
        number: int,
        title: str,
        cells: list[Document],
        told: list[str],
        highest: float,
        icons: list[Image.Image | None],
    ) -> None:
        """Draw a row: for each cell the share of both sets as bars, what is told above, its icon and place below."""
        top = MARGIN + 2 * LINE + number * self._row
        self._text(MARGIN, top, title, 13, PALE)
        foot = top + LINE + 2 * GAP + BARS
        self._draw.line((MARGIN, foot, self._picture.width - MARGIN, foot), fill=PALE)
        for place, (cell, icon) in enumerate(zip(cells, icons, strict=True)):
            left = MARGIN + place * (ICON + GAP)
            for half, (share, colour) in enumerate(zip(cell["shares"], (ATLAS, DATASET), strict=True)):
                x, height = left + half * ICON // 2, round(BARS * share / highest)
                self._draw.rectangle((x + 1, foot - height, x + ICON // 2 - 2, foot - 1), fill=colour)
            tall = round(BARS * max(cell["shares"]) / highest)
            self._centred(left, foot - tall - 15, told[place])
            if icon is not None:
                self._picture.paste(icon, (left, foot + 4))
            else:
                self._draw.rectangle((left, foot + 4, left + ICON - 1, foot + 3 + ICON), outline=ATLAS)
            self._centred(left, foot + ICON + 6, f"{cell['column']}-{cell['row']}")

    def _centred(self, left: float, y: float, text: str) -> None:
        width = self._draw.textlength(text, self._fonts[11])
        self._text(left + (ICON - width) / 2, y, text, 11, PALE)

    def png(self) -> bytes:
        """The picture's bytes."""
        data = io.BytesIO()
        self._picture.save(data, "PNG", optimize=True)
        return data.getvalue()
