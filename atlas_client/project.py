"""`atlas project`: where images land, as lines, JSON or pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import BAD_INPUT, BadInputError
from atlas_client.options import Json, Url
from atlas_client.output import put_json, put_line, put_projection
from atlas_client.place import Place, place_of
from atlas_client.plugins import core_commands


def project(
    atlas: Annotated[
        str, typer.Argument(metavar="ATLAS", help="A local folder, an id or alias, or the URL of an atlas.")
    ],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="JPEG, PNG or WebP files.")],
    out: Annotated[Path | None, typer.Option(help="Draw it: a PNG, or a folder for one of each image.")] = None,
    layer: Annotated[str | None, typer.Option(help="The layer to draw, the first by default.")] = None,
    level: Annotated[int | None, typer.Option(help="The level to draw, from 0, the coarsest.")] = None,
    as_lines: Annotated[bool, typer.Option("--lines", help="Print JSON, a line for each image, as they come.")] = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Show where images land on an atlas; with --out, draw each beside the map that it lands on."""
    place = place_of(atlas, url)
    found = _projected(place, images)
    if as_lines:
        refused = False
        for answer in found:
            put_line(answer)
            refused = refused or "error" in answer
        raise typer.Exit(BAD_INPUT if refused else 0)
    answers = list(found)
    if out is not None:
        from atlas_client.landings import write_landings

        write_landings(answers, place, out, layer, level)
    if as_json:
        put_json(answers)
    else:
        for answer in answers:
            put_projection(answer)
    if any("error" in answer for answer in answers):
        raise typer.Exit(BAD_INPUT)


def _projected(place: Place, images: Sequence[Path]) -> Iterator[Document]:
    if place.folder is not None:
        yield from core_commands("project").project_directory(place.folder, images)
        return
    with Client(place.url) as client:
        for image, result in zip(images, client.project_many(place.id, images), strict=True):
            yield _answer(image, result)


def _answer(image: Path, result: Document | BadInputError) -> Document:
    if isinstance(result, BadInputError):
        return {"image": str(image), "error": result.detail}
    return {"image": str(image), **result}
