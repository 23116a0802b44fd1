"""`atlas cells`: the cells of a level as a file for a spreadsheet or a data frame."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL
from atlas_client.errors import BadInputError
from atlas_client.options import AtlasId, Json, Url
from atlas_client.output import put, put_file, put_json


def cells(
    atlas: AtlasId,
    out: Annotated[Path, typer.Option(help="The file to write; its name ends in .csv or .parquet.")] = Path(
        "cells.csv"
    ),
    layer: Annotated[str | None, typer.Option(help="The atlas's first by default.")] = None,
    level: Annotated[int, typer.Option(help="From 0, the coarsest.")] = 0,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Write the cells of a level, a row each: place, samples, classes, how true its icon is, how right the model."""
    form = form_of(out)
    with Client(url) as client:
        name = layer or client.status(atlas)["spec"]["layers"][0]
        data = client.cells_file(atlas, name, level, form)
    put_file(out, data)
    put_json({"file": str(out), "layer": name, "level": level}) if as_json else put(f"level {level} of {name}: {out}")


def form_of(file: Path) -> Literal["csv", "parquet"]:
    """The form that a file's name asks for.

    Raises:
        BadInputError: It asks for none that there is.
    """
    if file.suffix == ".csv":
        return "csv"
    if file.suffix == ".parquet":
        return "parquet"
    raise BadInputError(f"cells are written as .csv or .parquet, not as {str(file)!r}")
