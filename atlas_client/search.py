"""`atlas search`: the samples of a part of a map as a table, and their crops as one picture."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import BadInputError
from atlas_client.icons import cell as written_cell
from atlas_client.options import Json, Url
from atlas_client.output import put, put_file, put_json, put_table
from atlas_client.pictures import picture_bytes
from atlas_client.place import place_of
from atlas_client.samples import Question, contact_sheet, crop, samples

NUMBER = r"(?:\d+\.?\d*|\.\d+)"


def numbers(option: str, text: str | None, count: int, example: str) -> list[float] | None:
    """Numbers written with commas between them.

    Raises:
        BadInputError: They are written otherwise.
    """
    if text is None:
        return None
    if not re.fullmatch(rf"{NUMBER}(?:,{NUMBER}){{{count - 1}}}", text):
        raise BadInputError(f"--{option} takes {count} numbers such as {example}; got {text!r}")
    return [float(part) for part in text.split(",")]


def corners(text: str) -> list[tuple[float, float]]:
    """Corners of a polygon, x,y of each in turn.

    Raises:
        BadInputError: They are written otherwise, or are fewer than three.
    """
    count = text.count(",") + 1
    found = None if count < 6 or count % 2 else numbers("polygon", text, count, "")
    if found is None:
        raise BadInputError(f"--polygon takes x,y of three corners or more, such as .2,.2,.8,.2,.5,.9; got {text!r}")
    return list(zip(found[::2], found[1::2], strict=True))


def question_of(
    cell: str | None, level: int, box: str | None, near: str | None, image: Path | None, at: str | None,
    label: str | None, predicted: str | None, *, wrong: bool, polygon: str | None = None, right: bool = False,
    speaks_for: str | None = None, by: str | None = None,
) -> Question:  # fmt: skip
    """What the command's options ask for.

    Raises:
        BadInputError: They are written otherwise, or do not go together.
    """
    place = None
    if cell is not None:
        written = written_cell(cell)
        place = int(written["column"]), int(written["row"])
    if by is not None and speaks_for is None:
        raise BadInputError("--by goes with --speaks-for; leave it out, or ask for that")
    position = None
    if at is not None:
        if not re.fullmatch(r"\d{1,4},\d{1,4}", at):
            raise BadInputError(f"--at takes row and column in the layer's grid, such as 4,7; got {at!r}")
        row, column = map(int, at.split(","))
        position = row, column
    return Question(
        cell=place, level=level, box=numbers("box", box, 4, ".2,.3,.4,.5"),
        near=numbers("near", near, 2, ".2,.3"), image=image, position=position, label=label, predicted=predicted,
        wrong=wrong, polygon=None if polygon is None else corners(polygon), right=right, speaks_for=speaks_for, by=by,
    )  # fmt: skip


def search(
    atlas: Annotated[str, typer.Argument(metavar="ATLAS", help="Id, alias or URL of an atlas.")],
    cell: Annotated[str | None, typer.Option(help="Samples of a cell, 3-4.")] = None,
    level: Annotated[int, typer.Option(help="Of the cell, from 0, the coarsest.")] = 0,
    box: Annotated[str | None, typer.Option(help="Of a rectangle of the map: x0,y0,x1,y1 in 0 to 1, y up.")] = None,
    polygon: Annotated[str | None, typer.Option(help="Of a polygon of it: x,y of each corner in turn.")] = None,
    near: Annotated[str | None, typer.Option(help="Nearest to a point of the map: x,y.")] = None,
    image: Annotated[Path | None, typer.Option(help="Most like an image: JPEG, PNG or WebP.")] = None,
    at: Annotated[str | None, typer.Option(help="With --image: row,column of a position of it.")] = None,
    label: Annotated[str | None, typer.Option(help="Of images of this class, by index or name.")] = None,
    predicted: Annotated[str | None, typer.Option(help="Of images that the network takes for this class.")] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Of images that the network got wrong.")] = False,
    right: Annotated[bool, typer.Option("--right", help="Of images that it got right.")] = False,
    speaks_for: Annotated[str | None, typer.Option(help="That add to this class, by index or name.")] = None,
    by: Annotated[str | None, typer.Option(help="With --speaks-for: magnitude or rank, as `atlas select`.")] = None,
    layer: Annotated[str | None, typer.Option(help="The atlas's first by default.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Samples at most.")] = 50,
    sheet: Annotated[Path | None, typer.Option(help="Write their crops as one picture, a PNG.")] = None,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """List the samples of a part of the map, near a point of it, or most like an image; all that is asked holds."""
    question = question_of(cell, level, box, near, image, at, label, predicted, wrong=wrong, polygon=polygon,
                           right=right, speaks_for=speaks_for, by=by)  # fmt: skip
    place = place_of(atlas, url)
    if place.folder is not None:
        raise BadInputError("samples are searched in a service's atlas; name one by its id")
    with Client(place.url) as client:
        named = layer or client.status(place.id)["spec"]["layers"][0]
        found = list(samples(client, place.id, named, question, most))
        if sheet is not None:
            put_file(sheet, picture_bytes(contact_sheet([crop(client, one) for one in found], found)))
    if as_json:
        put_json(found)
        return
    columns = ("sample", "image", "row", "column", "x", "y", "label", "predicted", "distance")
    rows = [_row(one) for one in found]
    put_table(rows, *(name for name in columns if any(row[name] is not None for row in rows)))
    if sheet is not None:
        put(str(sheet))


def _row(sample: Document) -> Document:
    told = {name: f"{sample[name]:.4f}" for name in ("x", "y", "distance") if sample.get(name) is not None}
    names = {name: sample[name] and sample[name]["name"] for name in ("label", "predicted")}
    return {"distance": None, **sample, **told, **names}
