"""`atlas versions`: what changed from one version of a model to the next, for people and for release notes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from atlas_client.client import Client
from atlas_client.connection import DEFAULT_URL, Document
from atlas_client.errors import GATE_FAILED
from atlas_client.options import Json, Url
from atlas_client.output import put, put_file, put_json
from atlas_client.progress import job_bars


def versions(
    old: Annotated[str, typer.Argument(metavar="OLD", help="An atlas; with --dataset a model. Id or alias.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Id or alias of the new model, or of the same.")],
    dataset: Annotated[str | None, typer.Option(help="Of the samples, where OLD is a model.")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="A layer; repeat it for more. All the atlas's.")] = None,
    other_layer: Annotated[list[str] | None, typer.Option(help="The new model's beside each; the same names.")] = None,
    samples: Annotated[int | None, typer.Option(help="Where OLD is a model; 20,000 by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the samples, where OLD is a model.")] = None,
    weight: Annotated[float | None, typer.Option(help="That ties twins on the map; 1 by default.")] = None,
    alpha: Annotated[float | None, typer.Option(help="Of what is told; .05.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "--picture", help="Write both halves of the first layer's map, a PNG.")
    ] = None,
    gate: Annotated[bool, typer.Option("--gate", help="Exit 1 where anything changed beyond the noise.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the summary only, to be quoted.")] = False,
    url: Url = DEFAULT_URL,
    as_json: Json = False,
) -> None:
    """Say what changed between two models on the same samples: right answers, neighbours, cells of a common map."""
    told = {"dataset": dataset, "layers": layer, "other_layers": other_layer, "samples": samples, "seed": seed,
            "weight": weight, "alpha": alpha}  # fmt: skip
    named = {"atlas" if dataset is None else "model": old}
    options: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    with Client(url) as client:
        job = client.compare_models(new, **named, **options)
        with job_bars() as on_progress:
            document = client.made_comparison(job, on_progress)
        summary = client.comparison_summary(document["id"])
        if out is not None:
            put_file(out, client.picture(document["description"]["layers"][0]["picture"]["url"]))
    if as_json:
        put_json(document)
    else:
        put(summary.rstrip())
        if not markdown:
            put_findings(document, client.url)
    if gate and document["description"]["findings"]:
        raise typer.Exit(GATE_FAILED)


def put_findings(document: Document, url: str) -> None:
    """All that is beyond the noise, and where to look at it."""
    found = document["description"]
    if found["findings"]:
        put("")
    for one in found["findings"]:
        put(f"{one['kind']}: {one['text']}")
    for layer in found["layers"]:
        put(f"map of {layer['layer']}: {url}{layer['picture']['url']}")
