"""`atlas story`: one page about an atlas, to be read without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from atlas_client.connection import DEFAULT_URL
from atlas_client.options import Json, Url
from atlas_client.output import megabytes, put, put_file, put_json

Place = Annotated[str, typer.Argument(metavar="ATLAS", help="Id, alias or URL of an atlas; or a folder of one.")]


def story(
    atlas: Place,
    audit: Annotated[str | None, typer.Option(help="Tell also what this audit of the same model found.")] = None,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("story.html"),
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Write one page that tells what an atlas shows: its map, regions, layers, classes, doubts and findings."""
    from atlas_client.atlas import Atlas
    from atlas_client.story.page import story_html
    from atlas_client.story.reading import Reader

    with Atlas.open(atlas, url=url) as opened:
        page = story_html(Reader(opened, audit))
    put_file(out, page)
    put_json({"file": str(out), "bytes": len(page)}) if as_json else put(f"{out}  {megabytes(len(page))}")
