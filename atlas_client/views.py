"""`atlas heatmap`, `atlas select`, `atlas compare`: a class over a map, a map of some samples, two classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import BadInputError
from atlas_client.icons import cell as written_cell, label as written_label
from atlas_client.measures import LISTED
from atlas_client.options import AtlasId, Json, Sign, Url
from atlas_client.output import put, put_file, put_json, put_table
from atlas_client.pictures import picture_bytes
from atlas_client.progress import job_bars
from atlas_client.search import corners, numbers

if TYPE_CHECKING:
    from atlas_client.atlas import Atlas

Layer = Annotated[str | None, typer.Option(help="The atlas's first by default.")]
Side = Annotated[int | None, typer.Option(help="Cells a side of the new map.")]
Recipe = Annotated[str | None, typer.Option(help="fast, detail, vivid, pure or none; the atlas's own by default.")]


# What draws loads numpy, which `atlas --help` does without.
def _opened(client: Client, atlas: str) -> Atlas:
    from atlas_client.atlas import Atlas
    from atlas_client.sources import ServiceSource

    return Atlas(ServiceSource(client, atlas), atlas)


def _given(**options: Any) -> Document:
    return {name: value for name, value in options.items() if value is not None}


def heatmap(
    atlas: AtlasId,
    of_class: Annotated[str | None, typer.Option("--class", help="A class by index or name.")] = None,
    measure: Annotated[str | None, typer.Option(help=f"Without a class: {LISTED}.")] = None,
    sign: Annotated[Sign, typer.Option(help="both on one scale, or positive or negative on its own.")] = "both",
    layer: Layer = None,
    level: Annotated[int, typer.Option(help="From 0, the coarsest.")] = 0,
    out: Annotated[Path, typer.Option(help="The picture to write, a PNG.")] = Path("heatmap.png"),
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Draw what every cell of a map adds to a class, or a measure of it, over the map."""
    from atlas_client.heatmap import draw_heatmap

    if (of_class is None) == (measure is None):
        raise BadInputError(f"a heat map is of a --class or of a --measure: {LISTED}; give one of them")
    with Client(url) as client:
        opened = _opened(client, atlas)
        label = None if of_class is None else written_label(of_class)
        heat = client.heatmap(atlas, layer or opened.layers[0], level, label, measure)
        put_file(out, picture_bytes(draw_heatmap(heat, opened, sign)))
    put_json(heat) if as_json else _put_heatmap(heat, sign, out)


def _put_heatmap(heat: Document, sign: Sign, out: Path) -> None:
    from atlas_client.heatmap import ends_of, listed, said_of, title_of

    low, high = (said_of(end, heat["measure"]) for end in ends_of(heat, sign))
    put(f"{title_of(heat)} at {heat['layer']}, {heat['side']} cells a side; from {low} to {high}")
    for title, cells, _ in listed(heat, sign):
        told = (f"{heat['column'][cell]}-{heat['row'][cell]} {said_of(heat['value'][cell], heat['measure'])}"
                for cell in cells)  # fmt: skip
        put(f"{title}: {', '.join(told)}")
    put(f"drawn: {out}")


def selection_of(options: Mapping[str, Any]) -> Document:
    """The request that the command's options stand for: of all that is given at once.

    Args:
        options: Those that were given: of_class, by, box, polygon, cell, level, label, predicted, wrong, right, layer,
            side, recipe.

    Raises:
        BadInputError: They ask for nothing, for two places, or for something that cannot be read.
    """
    shown: Document = {name: options[name] for name in ("layer", "side", "recipe") if name in options}
    for name, whose in (("by", "of_class"), ("level", "cell")):
        if name in options and not options.get(whose):
            raise BadInputError(f"--{name} goes with --{whose.replace('of_', '')}; leave it out, or ask for that")
    place = _placed(options)
    images: Document = {name: written_label(options[name]) for name in ("label", "predicted") if name in options}
    images |= {name: True for name in ("wrong", "right") if options.get(name)}
    label = written_label(options["of_class"]) if options.get("of_class") else None
    by = {"by": options["by"]} if "by" in options else {}
    if label is not None and not place and not images:
        return {"kind": "class", "label": label, **by, **shown}
    if place and label is None and not images:
        return {"kind": "region", **place, **shown}
    if "wrong" in images and not place and label is None and images.keys() <= {"wrong", "label"}:
        return {"kind": "errors", **{name: one for name, one in images.items() if name == "label"}, **shown}
    if not place and not images:
        raise BadInputError("say which samples: --class, --box, --polygon, --cell, --label, --predicted, --wrong or "
                            "--right; `atlas select --help` says what each is")  # fmt: skip
    speaks_for = {} if label is None else {"speaks_for": label, **by}
    return {"kind": "samples", **place, **speaks_for, **images, **shown}


def _placed(options: Mapping[str, Any]) -> Document:
    """The part of the map that is asked for, as a request says it; empty for all of it."""
    named = [name for name in ("box", "polygon", "cell") if options.get(name)]
    if len(named) > 1:
        raise BadInputError(f"--{' and --'.join(named)} are two parts of the map; give one of them")
    if not named:
        return {}
    if named == ["box"]:
        return {"box": numbers("box", options["box"], 4, ".2,.3,.4,.5")}
    if named == ["polygon"]:
        return {"polygon": corners(options["polygon"])}
    return {"cells": [written_cell(text) for text in options["cell"]], "z": options.get("level", 0)}


def select(
    atlas: AtlasId,
    of_class: Annotated[str | None, typer.Option("--class", help="Samples of a class, by index or name.")] = None,
    by: Annotated[
        str | None, typer.Option(help="With --class: magnitude, what adds most; rank, what adds to no other more.")
    ] = None,
    box: Annotated[str | None, typer.Option(help="Samples of a rectangle of the map: x0,y0,x1,y1, y up.")] = None,
    polygon: Annotated[str | None, typer.Option(help="Samples of a polygon: x,y of each corner in turn.")] = None,
    cell: Annotated[list[str] | None, typer.Option(help="Samples of a cell, 3-4; repeat it for more.")] = None,
    level: Annotated[int | None, typer.Option(help="Of the cells, from 0, the coarsest.")] = None,
    wrong: Annotated[bool, typer.Option("--wrong", help="Samples of images that the network got wrong.")] = False,
    right: Annotated[bool, typer.Option("--right", help="Samples of images that it got right.")] = False,
    label: Annotated[str | None, typer.Option(help="Of images of this class.")] = None,
    predicted: Annotated[str | None, typer.Option(help="Of images that the network takes for this class.")] = None,
    layer: Layer = None,
    side: Side = None,
    recipe: Recipe = None,
    out: Annotated[Path | None, typer.Option(help="Write the new map, a PNG.")] = None,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Give some of an atlas's samples a map of their own, whose id is taken wherever an atlas's is.

    All that is asked for holds at once: of a part of the map, only what speaks for a class, only of
    images of another, only of those that the network got wrong.
    """
    from atlas_client.selection import draw_selection

    request = selection_of(_given(of_class=of_class, by=by, box=box, polygon=polygon, cell=cell, level=level,
                                  wrong=wrong or None, right=right or None, label=label, predicted=predicted,
                                  layer=layer, side=side, recipe=recipe))  # fmt: skip
    with Client(url) as client:
        job = client.select(atlas, request)
        with job_bars() as on_progress:
            document = client.made_selection(job, on_progress)
        if out is not None:
            put_file(out, picture_bytes(draw_selection(_opened(client, document["id"]))))
    put_json(document) if as_json else _put_selection(document, client.url)


def _put_selection(document: Document, url: str) -> None:
    request = document["request"]
    put(f"{document['id']}  {request['samples']:,} samples of {request['images']:,} images at {request['layer']}, "
        f"{request['side']} cells a side")  # fmt: skip
    put(f"{url}{document['links']['viewer']}")


def compare(
    atlas: AtlasId,
    first: Annotated[str | None, typer.Argument(metavar="CLASS", help="On the left, by index or name.")] = None,
    second: Annotated[str | None, typer.Argument(metavar="CLASS", help="On the right.")] = None,
    layer: Layer = None,
    side: Side = None,
    recipe: Recipe = None,
    out: Annotated[Path, typer.Option(help="The picture to write, a PNG.")] = Path("comparison.png"),
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Put two classes on one picture; without classes list the pairs that the model confuses most."""
    from atlas_client.comparison import draw_comparison

    with Client(url) as client:
        if first is None:
            pairs = client.confusions(atlas)
            put_json(pairs) if as_json else _put_pairs(pairs)
            return
        if second is None:
            raise BadInputError("two classes are compared; give both, or none for a list of pairs worth comparing")
        job = client.compare_classes(atlas, written_label(first), written_label(second),
                                     **_given(layer=layer, side=side, recipe=recipe))  # fmt: skip
        with job_bars() as on_progress:
            document = client.made_comparison(job, on_progress)
        put_file(out, picture_bytes(draw_comparison(document, _opened(client, document["id"]))))
    put_json(document) if as_json else _put_comparison(document, out)


def _put_pairs(pairs: list[Document]) -> None:
    rows: list[Document] = [
        {
            "first": pair["classes"][0]["name"],
            "second": pair["classes"][1]["name"],
            "images": pair["images"],
            "confused": None if pair["share"] is None else f"{pair['share']:.1%}",
            "95 %": None if pair["share"] is None else "{:.1%} to {:.1%}".format(*pair["interval"]),
            "probability of the other": f"{pair['probability']:.3f}",
        }
        for pair in pairs
    ]
    put_table(rows, "first", "second", "images", "confused", "95 %", "probability of the other")


def _put_comparison(document: Document, out: Path) -> None:
    found = document["description"]
    first, second = (one["name"] for one in found["classes"])
    put(f"{document['id']}  {first} against {second} at {found['layer']}: {found['samples']:,} samples of "
        f"{found['images']:,} images; the edges are {found['scale']:.3g} logits")  # fmt: skip
    put(f"drawn: {out}")
