"""`atlas export`: an atlas as a folder that opens in a browser from the file system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from atlas_client.connection import DEFAULT_URL
from atlas_client.options import Json, Url
from atlas_client.output import megabytes, put, put_json

Place = Annotated[str, typer.Argument(metavar="ATLAS", help="Id, alias or URL of an atlas; or a folder of one.")]


def export(
    atlas: Place,
    out: Annotated[Path, typer.Option(help="The folder to write; made where it is missing.", file_okay=False)],
    classes: Annotated[int, typer.Option(min=0, help="Classes of which heat maps are kept.")] = 12,
    exemplars: Annotated[int, typer.Option(min=0, help="Real patches that are kept of a cell.")] = 4,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Write an atlas into one folder with a page that opens without a service, from the file system too."""
    from atlas_client.atlas import Atlas
    from atlas_client.export.folder import export as write

    with Atlas.open(atlas, url=url) as opened, Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("writing", total=None)
        size = write(opened, out, classes=classes, exemplars=exemplars,
                     on_progress=lambda done, total: bars.update(task, completed=done, total=total))  # fmt: skip
    page = out / "index.html"
    put_json({"page": str(page), "bytes": size}) if as_json else put(f"{page}  {megabytes(size)}; open it in a browser")
