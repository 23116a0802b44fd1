"""`atlas icons`: what the command's options ask for, and the picture written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import BadInputError
from atlas_client.options import AtlasId, Json, Url
from atlas_client.output import put_file, put_icons, put_json
from atlas_client.progress import job_bars, upload_bar

CELL = re.compile(r"(\d{1,3})-(\d{1,3})")
KINDS = ("channel", "of_class", "sum", "path", "cell", "box", "grid", "compose")
DREAMT = ("channel", "of_class", "cell")
GOES_WITH = {
    "logit": ("of_class",), "cells_of_class": ("of_class",), "along": ("path",), "sized": ("grid",), "mask": ("dream",),
    "rate": ("dream",), "steps": ("path", "dream"), "ground": ("compose",), "size": ("compose",),
}  # fmt: skip
NAMES = {"of_class": "class", "cells_of_class": "cells"}
"""Of options that are called otherwise on the command line."""
NUMBER = r"-?(?:\d+\.?\d*|\.\d+)"


def cell(text: str) -> Document:
    """A cell written as column-row.

    Raises:
        BadInputError: It is written otherwise.
    """
    found = CELL.fullmatch(text)
    if found is None:
        raise BadInputError(f"a cell is written as column-row, such as 3-4; got {text!r}")
    return {"column": int(found[1]), "row": int(found[2])}


def weighted(text: str) -> Document:
    """A cell with its weight, column-row or column-row=weight."""
    name, _, weight = text.partition("=")
    if weight and not re.fullmatch(NUMBER, weight):
        raise BadInputError(f"a weighted cell is written as column-row=weight, such as 3-4=-0.5; got {text!r}")
    return cell(name) | ({"weight": float(weight)} if weight else {})


def placed(text: str) -> Document:
    """A cell with its place on a canvas, column-row@x,y or column-row@x,y,radius."""
    name, _, place = text.partition("@")
    if not re.fullmatch(rf"{NUMBER},{NUMBER}(,{NUMBER})?", place):
        raise BadInputError(f"a placed cell is written as column-row@x,y,radius, such as 3-4@0.3,0.5,0.2; got {text!r}")
    return cell(name) | dict(zip(("x", "y", "radius"), map(float, place.split(",")), strict=False))


def label(text: str) -> int | str:
    """A class by its index or its name."""
    return int(text) if text.isdecimal() else text


def numbers(text: str) -> list[int]:
    """A box: first column, first row, last column, last row."""
    if not re.fullmatch(r"\d{1,3}(,\d{1,3}){3}", text):
        raise BadInputError(
            f"--box takes first column, first row, last column, last row, such as 0,0,4,4; got {text!r}"
        )
    return [int(part) for part in text.split(",")]


def request_of(options: Document) -> Document:
    """The request that options ask for.

    Args:
        options: By name what was given; nothing that was not.

    Raises:
        BadInputError: They ask for nothing, for more than one thing, or for something that cannot be read.
    """
    _check_together(options)
    common = {name: options[name] for name in ("layer", "z", "recipe") if name in options}
    if "dream" in options:
        return _dream(options) | common
    asked = [name for name in KINDS if name in options]
    if len(asked) != 1:
        raise BadInputError("ask for one thing: --channel, --class, --sum, --path, --cell, --box, --grid, --dream or "
                            "--compose; `atlas icons --help` says what each is")  # fmt: skip
    value = options[asked[0]]
    match asked[0]:
        case "channel":
            request = {"kind": "channels", "channels": value}
        case "of_class":
            request = _classes(value, options)
        case "sum":
            request = {"kind": "sum", "cells": [weighted(text) for text in value]}
        case "path":
            kept: Document = {name: options[name] for name in ("steps", "along") if name in options}
            request = {"kind": "path", "start": cell(value[0]), "end": cell(value[1]), **kept}
        case "cell":
            request = {"kind": "selection", "cells": [cell(text) for text in value]}
        case "box":
            request = {"kind": "selection", "box": numbers(value)}
        case "grid":
            request = {"kind": "grid", "image": value, "sized": options.get("sized", False)}
        case _:
            ground = {"ground": cell(options["ground"])} if "ground" in options else {}
            size = {"size": options["size"]} if "size" in options else {}
            request = {"kind": "composition", "cells": [placed(text) for text in value], **ground, **size}
    return request | common


def _check_together(options: Document) -> None:
    for name, kinds in GOES_WITH.items():
        if name in options and not any(kind in options for kind in kinds):
            wanted = " or ".join(f"--{NAMES.get(kind, kind)}" for kind in kinds)
            raise BadInputError(f"--{NAMES.get(name, name)} goes with {wanted}; leave it out, or ask for that")


def _classes(value: list[str], options: Document) -> Document:
    if options.get("cells_of_class"):
        if len(value) != 1:
            raise BadInputError("--cells shows the cells of one --class")
        return {"kind": "selection", "label": label(value[0])}
    return {"kind": "classes", "classes": [label(text) for text in value],
            "of": "logit" if options.get("logit") else "cells"}  # fmt: skip


def _dream(options: Document) -> Document:
    given = [name for name in KINDS if name in options]
    if len(given) > 1 or any(name not in DREAMT or len(options[name]) != 1 for name in given):
        raise BadInputError("a dream strengthens one thing: one --channel, --class or --cell, or without any the layer")
    target: Document = {"of": "layer"}
    if "channel" in options:
        target = {"of": "channel", "channel": options["channel"][0]}
    if "of_class" in options:
        target = {"of": "class", "label": label(options["of_class"][0])}
    if "cell" in options:
        target = {"of": "cell", **cell(options["cell"][0])}
    kept: Document = {name: options[name] for name in ("mask", "steps", "rate") if name in options}
    return {"kind": "dream", "image": options["dream"], "target": target, **kept}


def icons(
    atlas: AtlasId,
    channel: Annotated[list[int] | None, typer.Option(help="A channel of the layer; repeat it for more.")] = None,
    of_class: Annotated[list[str] | None, typer.Option("--class", help="A class by index or name; repeatable.")] = None,
    logit: Annotated[bool, typer.Option("--logit", help="With --class: its logit, through the whole network.")] = False,
    cells: Annotated[bool, typer.Option("--cells", help="With --class: the cells that speak most for it.")] = False,
    sum_: Annotated[list[str] | None, typer.Option("--sum", help="A cell and weight, 3-4=0.5; repeatable.")] = None,
    path: Annotated[tuple[str, str] | None, typer.Option(help="A walk between two cells: 3-4 10-12.")] = None,
    along: Annotated[str | None, typer.Option(help="With --path: map or means.")] = None,
    cell: Annotated[list[str] | None, typer.Option(help="A cell, 3-4; repeat it for more.")] = None,
    box: Annotated[str | None, typer.Option(help="Cells of a box: 0,0,4,4.")] = None,
    grid: Annotated[Path | None, typer.Option(help="An image: an icon for each position.")] = None,
    sized: Annotated[bool, typer.Option("--sized", help="With --grid: the larger the stronger.")] = False,
    dream: Annotated[Path | None, typer.Option(help="An image to dream on, with --channel, --class or --cell.")] = None,
    mask: Annotated[Path | None, typer.Option(help="With --dream: a picture, white where it may change.")] = None,
    rate: Annotated[float | None, typer.Option(help="With --dream: how far a step goes, .1 by default.")] = None,
    steps: Annotated[int | None, typer.Option(help="Of a walk or a dream.")] = None,
    compose: Annotated[list[str] | None, typer.Option(help="A cell on a canvas: 3-4@0.3,0.5,0.2; repeatable.")] = None,
    ground: Annotated[str | None, typer.Option(help="With --compose: the cell that fills the rest.")] = None,
    size: Annotated[int | None, typer.Option(help="With --compose: side of the canvas in pixels.")] = None,
    layer: Annotated[str | None, typer.Option(help="The atlas's first by default.")] = None,
    level: Annotated[int | None, typer.Option(help="Of the cells, from 0, the coarsest.")] = None,
    recipe: Annotated[str | None, typer.Option(help="fast, detail, vivid or pure.")] = None,
    out: Annotated[Path, typer.Option(help="The picture to write, a PNG.")] = Path("icons.png"),
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Render a direction, the grid of an image, a dream or a composition, and write it as one picture."""
    given: dict[str, Any] = {
        "channel": channel, "of_class": of_class, "logit": logit, "cells_of_class": cells, "sum": sum_, "path": path,
        "along": along, "cell": cell, "box": box, "grid": grid, "sized": sized, "dream": dream, "mask": mask,
        "rate": rate, "steps": steps, "compose": compose, "ground": ground, "size": size, "layer": layer, "z": level,
        "recipe": recipe,
    }  # fmt: skip
    request = request_of({name: value for name, value in given.items() if value is not None and value is not False})
    with upload_bar() as on_upload, Client(url, on_upload=on_upload) as client:
        job = client.icons(atlas, request)
        with job_bars() as on_progress:
            document = client.made_icons(job, on_progress)
        picture = client.picture(document["description"]["sheet"]["url"])
    put_file(out, picture)
    put_json(document) if as_json else put_icons(document, str(out))
