"""`atlas drift`: compare a dataset with an atlas's own, print what was found, and gate on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from atlas_client.client import Client
from atlas_client.concepts import histogram
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import GATE_FAILED, INCONCLUSIVE
from atlas_client.options import AtlasId, Json, Url
from atlas_client.output import put, put_file, put_json
from atlas_client.progress import job_bars

EXITS = {"drift": GATE_FAILED, "inconclusive": INCONCLUSIVE, "no drift": 0}
SHOWN = 10
Row = tuple[str, ...]


def drift(
    atlas: AtlasId,
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Id or alias of a dataset.")],
    alpha: Annotated[float | None, typer.Option(help="Drift is told where p is at most this; .01 by default.")] = None,
    detect: Annotated[float | None, typer.Option(help="Share replaced that must not go unnoticed; .2.")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="A layer; repeat it for more. All by default.")] = None,
    images: Annotated[int | None, typer.Option(help="Images of each set at most; 2,000 by default.")] = None,
    permutations: Annotated[int | None, typer.Option(help="999 by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the permutations.")] = None,
    series: Annotated[str | None, typer.Option(help="A name under which results are kept in time.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "--picture", help="Write the histogram of learned concepts, a PNG.")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate", help="Exit 1 where there is drift, 3 if inconclusive.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown.")] = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Say whether a dataset differs from the one that an atlas was made of, where, and what could have been seen."""
    options = {"alpha": alpha, "detect": detect, "layers": layer, "images": images, "permutations": permutations,
               "seed": seed, "series": series}  # fmt: skip
    with Client(url) as client:
        job = client.drift(atlas, dataset, **{name: value for name, value in options.items() if value is not None})
        with job_bars() as on_progress:
            document = client.made_drift(job, on_progress)
        if out is not None:
            put_file(out, histogram(client, document))
    if as_json:
        put_json(document)
    else:
        put("\n".join(as_markdown(document))) if markdown else put_drift(document)
    if gate:
        raise typer.Exit(EXITS[document["description"]["verdict"]])


def headline(found: Document) -> str:
    """What was found, in a sentence."""
    sets = found["sets"]
    said = {"drift": "Drift", "no drift": "No drift", "inconclusive": "Inconclusive"}[found["verdict"]]
    share = found["smallest_share"]
    seen = "nothing could have been seen for certain" if share is None else (
        f"{share:.0%} of the images replaced by others of one kind would have been seen 4 times in 5")  # fmt: skip
    compared = (f"{sets['dataset']['compared']:,} images of {sets['dataset']['name']} against "
                f"{sets['atlas']['compared']:,} of {sets['atlas']['name']}")  # fmt: skip
    return f"{said}: p {found['p']:.3g}, alpha {found['request']['alpha']:g}; {compared}; {seen}"


def notes(found: Document) -> list[str]:
    """What has to be said beside the numbers."""
    shared, alpha = found["shared_images"], found["request"]["alpha"]
    told = [f"{shared:,} of the dataset's images are images of the atlas too, which hides drift"] if shared else []
    for name, layer in found["layers"].items():
        home = layer["without_home"]
        told.append(f"{name}: {home['share']:.1%} of the images lie farther from the atlas than {home['percentile']:g} "
                    f"% of its own do ({home['expected']:.0%} expected)")  # fmt: skip
    for kind, mix in found["classes"].items():
        moved = [one for one in (mix or {"classes": []})["classes"] if one["q"] <= alpha]
        if moved:
            shares = ", ".join(f"{one['name']} {one['atlas']:.1%} → {one['dataset']:.1%}" for one in moved[:SHOWN])
            told.append(f"{kind} classes that differ: {shares}")
    return told


def layer_rows(found: Document) -> Iterator[Row]:
    """A row for each layer, under LAYERS."""
    for name, layer in found["layers"].items():
        share, cells = layer["smallest_share"], layer["cells"]
        yield (name, f"{layer['mmd']['value']:.2g}", f"{layer['mmd']['p']:.3g}", f"{layer['q']:.3g}",
               "–" if share is None else f"{share:.1%}", f"{cells['excess']:.3f}", f"{cells['p']:.2g}",
               str(len(cells["moved"])))  # fmt: skip


def cell_rows(found: Document) -> Iterator[Row]:
    """A row for each cell that moved most surely, under CELLS."""
    for name, layer in found["layers"].items():
        for cell in layer["cells"]["moved"][:SHOWN]:
            images = ", ".join(str(one["image"]) for one in cell["exemplars"][:2])
            yield (name, f"{cell['column']}-{cell['row']} of {layer['cells']['side']}", cell["change"],
                   f"{cell['atlas']:.2%}", f"{cell['dataset']:.2%}", f"{cell['q']:.2g}", images)  # fmt: skip


LAYERS = ("layer", "MMD²", "p", "q", "smallest share", "cells apart", "p of cells", "moved")
CELLS = ("layer", "cell", "change", "in the atlas", "in the dataset", "q", "such as")


def put_drift(document: Document) -> None:
    """A comparison for people."""
    found = document["description"]
    put(headline(found))
    _put_rows(LAYERS, layer_rows(found))
    _put_rows(CELLS, cell_rows(found))
    for note in notes(found):
        put(f"- {note}")


def _put_rows(columns: Row, rows: Iterator[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if table.row_count:
        Console().print(table)


def as_markdown(document: dict[str, Any]) -> Iterator[str]:
    """A comparison as lines of Markdown."""
    found = document["description"]
    yield from (f"**{headline(found)}**", "")
    for columns, rows in ((LAYERS, list(layer_rows(found))), (CELLS, list(cell_rows(found)))):
        if rows:
            yield from ("| " + " | ".join(line) + " |" for line in (columns, ("---",) * len(columns), *rows))
            yield ""
    yield from (f"- {note}" for note in notes(found))
