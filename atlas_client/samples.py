"""Search by concept: the samples of a part of a map, asked of a service page by page, and their crops on one sheet."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from atlas_client.client import Client
from atlas_client.connection import Document, path_of
from atlas_client.errors import BadInputError
from atlas_client.pictures import Picture, media_type, picture_bytes

PAGE = 500
PLACES = ("cell", "box", "polygon", "near", "image")
CROP_SIDE, MARGIN, CAPTION = 96, 6, 15  # pixels of a sheet
ACROSS = 10
GROUND, INK, WRONG = (255, 255, 255), (70, 66, 60), (180, 64, 15)


@dataclass(frozen=True)
class Question:
    """Which samples are asked for: of at most one place, and by what is known of their images.

    Args:
        cell: Column and row of a cell of the level.
        level: Of the cell, from 0, the coarsest.
        box: x0, y0, x1, y1 on the map, each in [0, 1], y upwards.
        polygon: x and y of each corner on the map.
        near: x and y on the map; the nearest come first.
        image: What samples are to be most like; the likest come first.
        position: Row and column in the layer's grid of the image; the whole image by default.
        label: Index or name of the images' label.
        predicted: Index or name of what the network takes them for.
        wrong: Only of images that the network got wrong.
        right: Only of images that the network got right.
        speaks_for: Index or name of a class that samples add to; not with an image.
        by: `magnitude`, those that add most to it, or `rank`, those that add to no class more.

    Raises:
        BadInputError: More than one place is named, or a position without an image.
    """

    cell: tuple[int, int] | None = None
    level: int = 0
    box: Sequence[float] | None = None
    polygon: Sequence[Sequence[float]] | None = None
    near: Sequence[float] | None = None
    image: Picture | None = None
    position: tuple[int, int] | None = None
    label: int | str | None = None
    predicted: int | str | None = None
    wrong: bool = False
    right: bool = False
    speaks_for: int | str | None = None
    by: str | None = None

    def __post_init__(self) -> None:
        named = [name for name in PLACES if getattr(self, name) is not None]
        if len(named) > 1:
            raise BadInputError(f"samples are asked for by one place, not by {' and '.join(named)}")
        if self.position is not None and self.image is None:
            raise BadInputError("a position is one of an image; name the image, too")
        if self.speaks_for is not None and self.image is not None:
            raise BadInputError("samples most like an image are not asked for by the class that they speak for")

    def parameters(self) -> Document:
        """What goes into the query."""
        row, column = self.position or (None, None)
        given = {
            "bbox": None if self.box is None else _joined(self.box),
            "polygon": None if self.polygon is None else _joined(part for corner in self.polygon for part in corner),
            "near": None if self.near is None else _joined(self.near),
            "row": row, "column": column, "label": self.label, "predicted": self.predicted, "wrong": self.wrong or None,
            "right": self.right or None, "speaks_for": self.speaks_for, "by": self.by,
        }  # fmt: skip
        return {name: value for name, value in given.items() if value is not None}


def _joined(numbers: Iterable[float]) -> str:
    return ",".join(repr(float(number)) for number in numbers)


def samples(client: Client, atlas: str, layer: str, question: Question, most: int | None = None) -> Iterator[Document]:
    """The samples that are asked for, page after page as they are looked at.

    Args:
        client: The service.
        atlas: The atlas's id.
        layer: Name of the layer.
        question: Which.
        most: How many at most; all by default.

    Raises:
        RefusedError: There is no such place or class, or the image is none.
    """
    path = path_of("atlases", atlas, "layers", layer)
    if question.cell is not None:
        path += f"/levels/{question.level}/cells/{question.cell[0]}-{question.cell[1]}"
    sent: Document = {}
    if question.image is not None:
        data = picture_bytes(question.image)
        sent = {"content": data, "headers": {"content-type": media_type(data)}}
    parameters, left = question.parameters(), most
    while left is None or left > 0:
        parameters["page_size"] = PAGE if left is None else min(PAGE, left)
        page = client.json("POST" if sent else "GET", f"{path}/samples", params=parameters, **sent)
        yield from page["items"]
        left = None if left is None else left - len(page["items"])
        if page["next_page_token"] is None:
            return
        parameters["page_token"] = page["next_page_token"]


def crop(client: Client, sample: Document, *, source: str = "stored") -> Image.Image:
    """What a sample's receptive field shows, RGB.

    Args:
        client: The service that told of it.
        sample: As it was told.
        source: `stored`, 20 pixels a side as it was kept, or `dataset`, cut from the image anew.

    Raises:
        BadInputError: The atlas keeps no pictures (`privacy: strict`).
    """
    if sample["crop"] is None:
        raise BadInputError("this atlas was made with privacy `strict` and keeps no crops")
    with Image.open(io.BytesIO(client.picture(f"{sample['crop']}&source={source}"))) as picture:
        return picture.convert("RGB")


def contact_sheet(pictures: Sequence[Image.Image], found: Sequence[Document]) -> Image.Image:
    """Crops side by side, each with its label; what the network got wrong is framed, with what it said instead."""
    across = min(ACROSS, max(1, len(pictures)))
    step, down = CROP_SIDE + MARGIN, CROP_SIDE + CAPTION + MARGIN
    sheet = Image.new("RGB", (across * step + MARGIN, -(-len(pictures) // across) * down + MARGIN), GROUND)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(10)
    for place, (picture, sample) in enumerate(zip(pictures, found, strict=True)):
        left, top = place % across * step + MARGIN, place // across * down + MARGIN
        sheet.paste(picture.resize((CROP_SIDE, CROP_SIDE), Image.Resampling.BICUBIC), (left, top))
        wrong = sample["right"] is False
        if wrong:
            pen.rectangle((left - 2, top - 2, left + CROP_SIDE + 1, top + CROP_SIDE + 1), outline=WRONG, width=3)
        _write(pen, (left, top + CROP_SIDE + 2), caption(sample), font, WRONG if wrong else INK)
    return sheet


def caption(sample: Document) -> str:
    """A sample's label, and what the network said where it is something else."""
    label, predicted = (one and one["name"].split(", ")[0] for one in (sample["label"], sample["predicted"]))
    if label and sample["right"] is False:
        return f"{label} > {predicted}"
    return str(label or predicted or sample["image"])


# The font that Pillow brings has neither an arrow nor an ellipsis.
def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, font: Any, colour: tuple[int, int, int]) -> None:
    while len(text) > 1 and pen.textlength(text, font) > CROP_SIDE:
        text = f"{text.rstrip('.')[:-1]}.."
    pen.text(at, text, fill=colour, font=font)
