"""`atlas patch`: paste patches on images of a class, print what flips beside the controls, and draw it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import GATE_FAILED, INCONCLUSIVE, BadInputError
from atlas_client.icons import cell, label
from atlas_client.options import AtlasId, Json, Url
from atlas_client.output import put, put_file, put_json
from atlas_client.progress import job_bars, upload_bar

EXITS = {"flips": GATE_FAILED, "inconclusive": INCONCLUSIVE, "no flips": 0}
COLUMNS = ("patch", "size", "fixed", "best corner", "gain of the logit", "rank of the gain")
Row = tuple[str, ...]


def patch(
    atlas: AtlasId,
    target: Annotated[str, typer.Option(help="The class that images may turn into, by index or name.")],
    base: Annotated[str | None, typer.Option(help="The class of the images; every other by default.")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A picture to paste; repeat it for more.")] = None,
    cells: Annotated[list[str] | None, typer.Option("--cell", help="A cell to cut patches from, 3-4; repeat.")] = None,
    icons: Annotated[bool, typer.Option("--icons", help="With --cell: paste the cells' icons.")] = False,
    each: Annotated[int | None, typer.Option(help="With --cell: exemplars of each; 1 by default.")] = None,
    count: Annotated[int | None, typer.Option(help="Without patches: how many to search for; 10 by default.")] = None,
    layer: Annotated[str | None, typer.Option(help="The atlas's first by default.")] = None,
    level: Annotated[int | None, typer.Option(help="Of the cells, from 0, the coarsest.")] = None,
    size: Annotated[list[float] | None, typer.Option(help="Side over that of the image; .25 and .4.")] = None,
    random: Annotated[bool, typer.Option("--random", help="Paste at a random place too.")] = False,
    images: Annotated[int | None, typer.Option(help="Base images at most; 200 by default.")] = None,
    rivals: Annotated[int | None, typer.Option(help="Whole pictures that a patch's gain is ranked among.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Of the base images; those held out by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of what is drawn by chance.")] = None,
    gate: Annotated[bool, typer.Option("--gate", help="Exit 1 where the patches flip, 3 if inconclusive.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the surest flips, before and after, a PNG.")] = None,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Paste patches on images of a class and count how often they turn into another; finds the patches by itself."""
    options = {"base": None if base is None else label(base), "sizes": size, "random": random or None, "images": images,
               "rivals": rivals, "dataset": dataset, "seed": seed,
               "patches": patches_of(image, cells, icons, each, count, layer, level)}  # fmt: skip
    request = {"target": label(target), **{name: value for name, value in options.items() if value is not None}}
    with upload_bar() as on_upload, Client(url, on_upload=on_upload) as client:
        job = client.patches(atlas, request)
        with job_bars() as on_progress:
            document = client.made_patches(job, on_progress)
        if out is not None:
            put_file(out, client.picture(f"{document['links']['self']}/sheet"))
    put_json(document) if as_json else put_patches(document["description"])
    if gate:
        raise typer.Exit(EXITS[document["description"]["verdict"]])


def patches_of(
    image: list[Path] | None, cells: list[str] | None, icons: bool, each: int | None, count: int | None,
    layer: str | None, level: int | None,
) -> Document | None:  # fmt: skip
    """The patches that options ask for, None where they leave it all to the service.

    Raises:
        BadInputError: They ask for two kinds at a time.
    """
    if sum(bool(given) for given in (image, cells, count)) > 1:
        raise BadInputError("patches are pictures (--image), cells (--cell) or searched for (--count): one of them")
    if (icons or each is not None) and not cells:
        raise BadInputError("--icons and --each go with --cell; name the cells")
    if image:
        return {"kind": "images", "images": image}
    common: Document = {name: value for name, value in (("layer", layer), ("z", level)) if value is not None}
    if cells:
        chosen: Document = {"each": each} if each is not None else {}
        return {"kind": "cells", "cells": [cell(text) for text in cells], "icons": icons, **chosen, **common}
    if count is not None or common:
        return {"kind": "search", **({} if count is None else {"count": count}), **common}
    return None


def put_patches(found: dict[str, Any]) -> None:
    """A patch test for people: the verdict, a row for each patch at its best size, all together, and the controls."""
    base = "images of other classes" if found["base"] is None else f"images of {found['base']['name']!r}"
    said = {
        "flips": "The patches flip",
        "no flips": "No more often than controls, the patches flip",
        "inconclusive": "Inconclusive",
    }
    put(f"{said[found['verdict']]} {base} to {found['target']['name']!r}: {found['reason']}")
    table = Table(box=None, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for row in rows(found):
        table.add_row(*row)
    Console().print(table)
    if found["needs"]:
        put(f"- it would take {found['needs']}")
    if not found["held_out"]:
        put("- the base images are the atlas's own, for it left none out; the model may know them")


def rows(found: dict[str, Any]) -> Iterator[Row]:
    """A row for each patch, all together, and each control."""
    for one in found["patches"]:
        best = one["sizes"][one["best_size"]]
        yield (_named(one["source"]), *_shares(best), f"{best['gain']:+.2f}", str(best["gain_rank"]))
    for size in found["pooled"]:
        if size["corners"]:
            yield ("all together", *_shares(size), "", "")
    for name, one in found["controls"].items():
        best = one["sizes"][one["best_size"]]
        label = {"crops": "random crops", "noise": "noise"}[name]
        yield (f"control: {label}", *_shares(best), f"{best['gain']:+.2f}", str(best["gain_rank"]))


def _shares(size: dict[str, Any]) -> Row:
    return (f"{size['size']:g}", *(f"{size[name]['share']:.1%} ({size[name]['interval'][0]:.1%} to "
            f"{size[name]['interval'][1]:.1%})" for name in ("fixed", "corners")))  # fmt: skip


def _named(source: dict[str, Any]) -> str:
    if "column" not in source:
        return f"picture {source['image'][:12]}"
    what = "icon" if source.get("icon") else str(source["exemplar"]["image"])
    return f"{source['column']}-{source['row']} of {source['layer']}: {what}"
